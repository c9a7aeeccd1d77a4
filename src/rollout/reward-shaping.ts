/** From one score a completion to one reward a state: the score at the end, the KL penalty on the way (Ziegler et al. 2019, arXiv 1909.08593, §2). */
import { estimateKL, type KLOptions } from "./estimate-kl.ts";
import type { Rollout } from "./rollout.ts";

export interface ShapedRewards {
  /** [L] of each row: the KL estimate */
  readonly kl: Float32Array[];
  /** [S] of each row: −β·kl, plus the score at the last state; all 0 where there is no score */
  readonly rewards: Float32Array[];
}

/** `klCoef` is β. The last state is where `values` end: after the end token as in TRL (S = L + 1), or at the last token (S = L). */
export function shapeRewards(rollouts: readonly Rollout[], klCoef: number, options: KLOptions = {}): ShapedRewards {
  const kl = rollouts.map((row) => estimateKL(row.logprobs, row.referenceLogprobs, options));
  const rewards = rollouts.map((row, i) => {
    const result = new Float32Array(row.values.length);
    if (Number.isNaN(row.score)) return result;
    for (const [t, estimate] of kl[i].entries()) result[t] = -klCoef * estimate;
    result[result.length - 1] += row.score;
    return result;
  });
  return { kl, rewards };
}

/** TRL's `missing_eos_penalty`: taken off the score of what has no end token. */
export function penalizeMissingEnd(score: number, ended: boolean, penalty: number | null): number {
  return ended || penalty === null ? score : score - penalty;
}
