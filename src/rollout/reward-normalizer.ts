/** Scores → scores of a known scale, so that one kl_coef suits every reward model. NaN (no reward applies) stays NaN and counts nowhere. */

export interface ScoreMoments {
  readonly mean: number;
  /** Unbiased (n − 1). */
  readonly std: number;
  readonly count: number;
}

export interface ScoreNormalizer {
  normalize(scores: ArrayLike<number>): Float64Array;
  /** What a checkpoint has to keep. */
  readonly moments: ScoreMoments;
}

/** Mean and standard deviation of the scores that are numbers; of fewer than two: deviation 1. */
export function measureScores(scores: ArrayLike<number>): ScoreMoments {
  const known = Array.from(scores).filter((x) => !Number.isNaN(x));
  const mean = known.reduce((sum, x) => sum + x, 0) / Math.max(1, known.length);
  if (known.length < 2) return { mean, std: 1, count: known.length };
  return { mean, std: Math.sqrt(known.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (known.length - 1)), count: known.length };
}

/** Fixed gain and bias: mean 0 and deviation 1 on samples of the reference policy (Ziegler et al. 2019, §2.1). Where those were all equal the scale stays. */
export function createReferenceNormalizer(moments: ScoreMoments): ScoreNormalizer {
  const scale = moments.std > 0 ? 1 / moments.std : 1;
  return { moments, normalize: (scores) => Float64Array.from(scores, (x) => (x - moments.mean) * scale) };
}

/** Added to the deviation as in TRL: f32's machine epsilon. */
const epsilon = 2 ** -23;

/**
 * Divides by the standard deviation of all scores seen so far, those given included (TRL 0.11's `use_score_scaling`);
 * `subtractMean` takes their mean off too (`use_score_norm`).
 */
export function createRunningNormalizer({
  subtractMean,
  moments = { mean: 0, std: 1, count: 0 },
}: {
  subtractMean: boolean;
  moments?: ScoreMoments;
}): ScoreNormalizer {
  let current = moments;
  return {
    get moments() {
      return current;
    },
    normalize(scores) {
      current = mergeMoments(current, measureScores(scores));
      const { mean, std } = current;
      return Float64Array.from(scores, (x) => (subtractMean ? x - mean : x) / (std + epsilon));
    },
  };
}

/** Chan et al.'s parallel update of mean and variance. */
function mergeMoments(a: ScoreMoments, b: ScoreMoments): ScoreMoments {
  const count = a.count + b.count;
  if (count === 0) return a;
  const delta = b.mean - a.mean;
  const mean = a.mean + (delta * b.count) / count;
  const squares = (x: ScoreMoments): number => x.std ** 2 * Math.max(0, x.count - 1);
  const total = squares(a) + squares(b) + (delta * delta * a.count * b.count) / count;
  return { mean, std: count < 2 ? 1 : Math.sqrt(total / (count - 1)), count };
}

/** To ± limit (`score_clip`); null: as they are. */
export function clipScores(scores: ArrayLike<number>, limit: number | null): Float64Array {
  const bound = limit ?? Infinity;
  return Float64Array.from(scores, (x) => Math.max(-bound, Math.min(bound, x)));
}
