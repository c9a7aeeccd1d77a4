/** Whether a judge that is surer is right more often. */
import type { JudgedComparison } from "./agreement.ts";
import { intervalOfShare, type Interval } from "./interval.ts";

export interface CalibrationBin {
  /** Mean confidence of the bin's comparisons. */
  readonly confidence: number;
  /** Share of labels that agree with the side the judge leans to. */
  readonly accuracy: number;
  readonly interval: Interval;
  readonly count: number;
}

export interface Calibration {
  /**
   * What confidence is: `probability` (.5 to 1, that the preferred answer is the better one: it should equal the accuracy) or `margin`
   * (the difference of the two grades: the accuracy should rise with it).
   */
  readonly scale: "probability" | "margin";
  readonly bins: readonly CalibrationBin[];
  /** Mean distance of confidence and accuracy, weighted by the bins' sizes (Naeini et al. 2015); null on the scale `margin`. */
  readonly expectedError: number | null;
}

/**
 * Bins of (nearly) equal size over the labels that are no ties, where the judge leans to a side. Null where the judge gives
 * verdicts only, or there is nothing to count.
 */
export function measureCalibration(rows: readonly JudgedComparison[], { bins = 10 }: { readonly bins?: number } = {}): Calibration | null {
  const scale = rows.some(({ comparison }) => comparison.preference !== null) ? "probability" : "margin";
  const points = rows.flatMap(({ labels, comparison: { preference, grades } }) => {
    const lean = scale === "probability" ? leanOf(preference) : marginOf(grades);
    if (lean === undefined) return [];
    return labels.flatMap((label) => (label === "tie" ? [] : [{ confidence: lean.confidence, isRight: label === lean.side }]));
  });
  if (points.length === 0) return null;
  points.sort((one, other) => one.confidence - other.confidence);
  const size = Math.ceil(points.length / bins);
  const groups: (typeof points)[] = [];
  for (const run of splitRuns(points)) {
    const last = groups.at(-1);
    // A run joins the bin before it unless that overshoots by more than the bin is short of.
    if (last === undefined || last.length >= size || last.length + run.length - size > size - last.length) groups.push([...run]);
    else for (const point of run) last.push(point);
  }
  const result = groups.map((group): CalibrationBin => {
    const right = group.filter(({ isRight }) => isRight).length;
    return {
      confidence: group.reduce((sum, { confidence }) => sum + confidence, 0) / group.length,
      accuracy: right / group.length,
      interval: intervalOfShare(right, group.length),
      count: group.length,
    };
  });
  const error = result.reduce((sum, { confidence, accuracy, count }) => sum + Math.abs(confidence - accuracy) * count, 0) / points.length;
  return { scale, bins: result, expectedError: scale === "probability" ? error : null };
}

/** Equal confidences stay together: bins would otherwise depend on the order of the rows. */
function splitRuns<T extends { readonly confidence: number }>(sorted: readonly T[]): T[][] {
  const runs: T[][] = [];
  for (const point of sorted) {
    const last = runs.at(-1);
    if (last?.[0].confidence === point.confidence) last.push(point);
    else runs.push([point]);
  }
  return runs;
}

type Lean = { readonly side: "a" | "b"; readonly confidence: number };

function leanOf(preference: number | null): Lean | undefined {
  if (preference === null || preference === 0.5) return undefined;
  return preference > 0.5 ? { side: "a", confidence: preference } : { side: "b", confidence: 1 - preference };
}

function marginOf(grades: readonly [a: number | null, b: number | null] | undefined): Lean | undefined {
  const [a, b] = grades ?? [null, null];
  if (a === null || b === null || a === b) return undefined;
  return { side: a > b ? "a" : "b", confidence: Math.abs(a - b) };
}
