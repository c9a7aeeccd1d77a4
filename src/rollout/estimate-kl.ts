/** The estimates of losses/kl.ts on host arrays, for rewards and reports. */
import type { KLEstimator } from "../losses/index.ts";

export interface KLOptions {
  readonly estimator?: KLEstimator | undefined;
  /** Estimates are clipped to ± this (OpenRLHF: 10); absent: not clipped, as in TRL. */
  readonly limit?: number | undefined;
}

/** KL(π‖ρ) estimated at each token, of log π and log ρ [L]: k1 δ, k2 ½δ², k3 e^(−δ) − 1 + δ. */
export function estimateKL(
  logprobs: ArrayLike<number>,
  referenceLogprobs: ArrayLike<number>,
  { estimator = "k1", limit = Infinity }: KLOptions = {},
): Float32Array {
  return Float32Array.from(logprobs, (logprob, t) => {
    const difference = logprob - referenceLogprobs[t];
    const estimate = { k1: difference, k2: 0.5 * difference * difference, k3: Math.expm1(-difference) + difference }[estimator];
    return Math.max(-limit, Math.min(limit, estimate));
  });
}
