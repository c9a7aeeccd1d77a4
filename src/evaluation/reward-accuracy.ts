/** How well scores agree with held-out comparisons, and how much of them is mere length. */

export interface ScoredPairs {
  /** Scores of the chosen and of the rejected answers [P]. */
  readonly chosen: ArrayLike<number>;
  readonly rejected: ArrayLike<number>;
  /** Tokens of the answers [P]. */
  readonly chosenLengths: ArrayLike<number>;
  readonly rejectedLengths: ArrayLike<number>;
}

/**
 * `accuracy`: share of pairs whose chosen answer scores higher. `lengthCorrelation`: Pearson's r of score and length
 * over all answers, null where either does not vary: near ±1 the model has learnt to count.
 */
export function measureRewardAccuracy({ chosen, rejected, chosenLengths, rejectedLengths }: ScoredPairs): {
  accuracy: number;
  lengthCorrelation: number | null;
} {
  let right = 0;
  for (let i = 0; i < chosen.length; i++) if (chosen[i] > rejected[i]) right++;
  const scores = [...Array.from(chosen), ...Array.from(rejected)];
  const lengths = [...Array.from(chosenLengths), ...Array.from(rejectedLengths)];
  return { accuracy: right / chosen.length, lengthCorrelation: correlate(scores, lengths) };
}

/** Pearson's r; null where one side is constant. */
export function correlate(x: readonly number[], y: readonly number[]): number | null {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) ** 2;
    yy += (y[i] - my) ** 2;
  }
  return xx === 0 || yy === 0 ? null : xy / Math.sqrt(xx * yy);
}
