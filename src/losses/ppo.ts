/** Proximal policy optimisation (Schulman et al. 2017, arXiv 1707.06347), for tokens as actions. */
import { SparError } from "../internal/errors.ts";
import { add, and, cast, clamp, exp, less, maximum, minimum, mul, neg, square, sub, sum, where, type Tensor } from "../tensor/index.ts";

export interface ClippedPolicyInputs {
  /** [N] under the policy being trained */
  readonly logprobs: Tensor;
  /** [N] under the policy that sampled */
  readonly oldLogprobs: Tensor;
  /** [N] */
  readonly advantages: Tensor;
  /** [N], ≥ 0, 0 for padding: 1/tokens for a token mean, 1/(sequences · tokens of the sequence) for a mean over sequences. */
  readonly weights: Tensor;
}

export interface ClippedPolicyOptions {
  /** ε below 1. */
  readonly clipLow: number;
  /** ε above 1; absent: as below. */
  readonly clipHigh?: number | undefined;
  /** c > 1: with a negative advantage the loss is at most c·|A| (Ye et al. 2020, arXiv 1912.09729); absent: no bound. */
  readonly dualClip?: number | undefined;
}

/** Scalars. But for the loss they are plain sums over the tokens whose weight is not 0: divide by what you mean. */
export interface ClippedPolicy {
  readonly loss: Tensor;
  /** Tokens where the clipped side is the larger loss. */
  readonly clipped: Tensor;
  /** Σ ½·(log π − log π_old)² (k2: approximate KL) */
  readonly approximateKL: Tensor;
  /** Σ π/π_old */
  readonly ratio: Tensor;
}

/** L = Σ w·max(−A·ρ, −A·clip(ρ, 1 − ε_low, 1 + ε_high)), ρ = exp(log π − log π_old). */
export function clippedPolicyLoss(
  { logprobs, oldLogprobs, advantages, weights }: ClippedPolicyInputs,
  { clipLow, clipHigh = clipLow, dualClip }: ClippedPolicyOptions,
): ClippedPolicy {
  if (dualClip !== undefined && !(dualClip > 1))
    throw new SparError("losses/invalid-option", `clippedPolicyLoss: expected dualClip above 1, got ${dualClip}`);
  const real = less(0, weights);
  // Padding gets ratio 1 before the exponential: what a model says there must not overflow.
  const difference = where(real, sub(logprobs, oldLogprobs), 0);
  const ratio = exp(difference);
  const unclipped = neg(mul(advantages, ratio));
  const clipped = neg(mul(advantages, clamp(ratio, 1 - clipLow, 1 + clipHigh)));
  const losses = maximum(unclipped, clipped);
  const bounded = dualClip === undefined ? losses : where(less(advantages, 0), minimum(losses, mul(neg(advantages), dualClip)), losses);
  return {
    loss: sum(mul(weights, bounded)),
    clipped: count(and(real, less(unclipped, clipped))),
    approximateKL: sum(mul(square(difference), 0.5)),
    ratio: sum(where(real, ratio, 0)),
  };
}

export interface ClippedValueInputs {
  /** [N] of the value model being trained */
  readonly values: Tensor;
  /** [N] at the time of sampling */
  readonly oldValues: Tensor;
  /** [N] what the values should have been */
  readonly returns: Tensor;
  /** [N], ≥ 0, 0 for padding */
  readonly weights: Tensor;
}

/** L = ½·Σ w·max((V − G)², (clip(V, V_old − ε, V_old + ε) − G)²); `clip` absent: no clipping. `clipped` as for the policy. */
export function clippedValueLoss(
  { values, oldValues, returns, weights }: ClippedValueInputs,
  { clip }: { readonly clip?: number | undefined },
): { loss: Tensor; clipped: Tensor } {
  const real = less(0, weights);
  const plain = square(where(real, sub(values, returns), 0));
  if (clip === undefined) return { loss: mul(sum(mul(weights, plain)), 0.5), clipped: sum(mul(weights, 0)) };
  const moved = clamp(values, sub(oldValues, clip), add(oldValues, clip));
  const held = square(where(real, sub(moved, returns), 0));
  return { loss: mul(sum(mul(weights, maximum(plain, held))), 0.5), clipped: count(and(real, less(plain, held))) };
}

function count(condition: Tensor): Tensor {
  return sum(cast(condition, "float32"));
}
