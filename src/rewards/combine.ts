/** Several rewards → one number a row. */
import { SparError } from "../internal/errors.ts";
import type { Score } from "./reward.ts";

/** Σ weight·score over the rewards that apply to a row (`scores[reward][row]`); NaN where none does. */
export function combineScores(scores: readonly (readonly Score[])[], weights: readonly number[]): Float64Array {
  if (scores.length !== weights.length)
    throw new SparError(
      "rewards/invalid-weights",
      `combineScores: expected one weight for each of ${scores.length} rewards, got ${weights.length}`,
    );
  return Float64Array.from({ length: scores[0]?.length ?? 0 }, (_, row) => {
    let total = NaN;
    for (const [i, list] of scores.entries()) {
      const score = list[row];
      if (score !== null) total = (Number.isNaN(total) ? 0 : total) + weights[i] * score;
    }
    return total;
  });
}
