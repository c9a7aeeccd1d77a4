/** Whether labels follow the sides or the lengths rather than the answers. */

import type { LabelRow } from "../data/index.ts";

export interface LabelBias {
  /** Null: everybody. */
  readonly annotator: string | null;
  readonly left: number;
  readonly right: number;
  /** Two-sided, exact, of left = right; null without a choice. */
  readonly binomialP: number | null;
  /** Pearson's r of "left was chosen" with the lengths' difference in characters, left minus right; null where undefined. */
  readonly lengthCorrelation: number | null;
  /** Share of labels faster than `tooFastMilliseconds`, 0–1. */
  readonly tooFast: number;
}

/** Two answers cannot be read in less. */
const tooFastMilliseconds = 3000;

/** Labels that count; pairs only have sides to be chosen. */
export function measureBias(labels: readonly LabelRow[], annotator: string | null): LabelBias {
  const chosenLeft: number[] = [];
  const leads: number[] = [];
  for (const { choice, order, candidates } of labels) {
    if (choice !== "a" && choice !== "b") continue;
    chosenLeft.push(order[0] === (choice === "a" ? 0 : 1) ? 1 : 0);
    const [left, right] = order.map((index) => candidates[index].text.length);
    leads.push(left - right);
  }
  const left = chosenLeft.reduce((sum, is) => sum + is, 0);
  const right = chosenLeft.length - left;
  return {
    annotator,
    left,
    right,
    binomialP: chosenLeft.length === 0 ? null : testFairCoin(left, chosenLeft.length),
    lengthCorrelation: correlate(chosenLeft, leads),
    tooFast: labels.length === 0 ? 0 : labels.filter(({ milliseconds }) => milliseconds < tooFastMilliseconds).length / labels.length,
  };
}

/** Exact two-sided binomial test of p = ½: the probability of a result at least as far from the middle as `heads` of `n`. */
export function testFairCoin(heads: number, n: number): number {
  const fewer = Math.min(heads, n - heads);
  // In logarithms: 2^-n is no number any more from n = 1075 on.
  let term = -n * Math.LN2;
  let tail = Math.exp(term);
  for (let k = 1; k <= fewer; k++) {
    term += Math.log((n - k + 1) / k);
    tail += Math.exp(term);
  }
  return Math.min(1, 2 * tail);
}

/** Pearson's r; null where one of them does not vary. */
export function correlate(xs: readonly number[], ys: readonly number[]): number | null {
  const n = xs.length;
  if (n < 2) return null;
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / n;
  const [meanX, meanY] = [mean(xs), mean(ys)];
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    xy += (xs[i] - meanX) * (ys[i] - meanY);
    xx += (xs[i] - meanX) ** 2;
    yy += (ys[i] - meanY) ** 2;
  }
  return xx === 0 || yy === 0 ? null : xy / Math.sqrt(xx * yy);
}
