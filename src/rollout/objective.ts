/** What PPO maximises, as TRL logs it under `objective/`. */
import { estimateKL, type KLOptions } from "./estimate-kl.ts";
import type { Rollout } from "./rollout.ts";

/** Means over completions; the first three are sums over a completion's tokens, in nats. */
export interface Objective {
  readonly kl: number;
  readonly entropy: number;
  readonly nonScoreReward: number;
  readonly rlhfReward: number;
  readonly scores: number;
}

/**
 * KL (estimated as in the reward), entropy (−Σ log π of the sampled tokens), −β·KL, score, and the sum of the last two.
 * Completions without a score count in all but the last two.
 *
 * TRL sets the log-prob of every token missing to `responseLength` to 1, so its `objective/entropy` is lower by one
 * each; give `responseLength` to get TRL's number.
 */
export function summarizeObjective(
  rollouts: readonly Rollout[],
  klCoef: number,
  { responseLength, ...options }: KLOptions & { readonly responseLength?: number } = {},
): Objective {
  const sums = { kl: 0, entropy: 0, scores: 0, scored: 0 };
  for (const row of rollouts) {
    sums.kl += total(estimateKL(row.logprobs, row.referenceLogprobs, options));
    sums.entropy -= total(row.logprobs) + Math.max(0, (responseLength ?? 0) - row.logprobs.length);
    if (Number.isNaN(row.score)) continue;
    sums.scores += row.score;
    sums.scored++;
  }
  const n = rollouts.length;
  const kl = sums.kl / n;
  const scores = sums.scores / sums.scored;
  const nonScoreReward = kl === 0 ? 0 : -klCoef * kl;
  return { kl, entropy: sums.entropy / n, nonScoreReward, rlhfReward: nonScoreReward + scores, scores };
}

function total(values: Float32Array): number {
  let sum = 0;
  for (const x of values) sum += x;
  return sum;
}
