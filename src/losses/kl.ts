/** Estimates of KL(π‖ρ) from the tokens that π sampled (Schulman 2020, joschu.net/blog/kl-approx.html). */
import { add, clamp, exp, maximum, mul, neg, square, sub, type Tensor } from "../tensor/index.ts";

export type KLEstimator = "k1" | "k2" | "k3";

/**
 * Estimate of each token, of the shape of its arguments, with δ = log π − log ρ:
 * - k1: δ (unbiased, may be negative)
 * - k2: ½δ² (biased, low variance; its gradient is the unbiased one)
 * - k3: e^(−δ) − 1 + δ (unbiased, never negative)
 *
 * `limit` clips estimates to ±limit (OpenRLHF: 10); absent, nothing is clipped, as in TRL.
 */
export function estimateTokenKL(
  logprobs: Tensor,
  referenceLogprobs: Tensor,
  estimator: KLEstimator,
  options: { readonly limit?: number } = {},
): Tensor {
  const { limit } = options;
  const difference = sub(logprobs, referenceLogprobs);
  // Where k3 is clipped anyway its exponential is kept from overflowing, or its gradient would be 0 · ∞.
  const bounded = estimator === "k3" && limit !== undefined ? maximum(difference, -limit) : difference;
  const estimate = { k1: () => difference, k2: () => mul(square(difference), 0.5), k3: () => add(sub(exp(neg(bounded)), 1), bounded) }[
    estimator
  ]();
  return limit === undefined ? estimate : clamp(estimate, -limit, limit);
}
