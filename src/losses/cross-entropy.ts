/** Next-token cross-entropy. */
import { mul, neg, sum, type Tensor } from "../tensor/index.ts";
import { temperedLogprobs, weightedAccuracy, weightedEntropy } from "./token-logprobs.ts";

export interface CrossEntropy {
  /** Σ wₘ·(−log p(labelₘ)), a scalar. */
  readonly loss: Tensor;
  /** [M], unweighted */
  readonly logprobs: Tensor;
  /** [M, V] */
  readonly logSoftmax: Tensor;
}

/**
 * L = Σₘ wₘ·(−log softmax(logitsₘ)[labelₘ]) of logits [M, V], labels int32 [M] and weights [M].
 *
 * The mean over tokens is had with weights 1/N on the N trained tokens of the *whole* accumulated batch and 0 elsewhere
 * (padding, prompts): micro-batches then add up to exactly the loss and gradient of the big batch. A label whose weight
 * is 0 may be any id of the vocabulary.
 */
export function crossEntropy(logits: Tensor, labels: Tensor, weights: Tensor): CrossEntropy {
  const { logprobs, logSoftmax } = temperedLogprobs(logits, labels);
  return { loss: neg(sum(mul(weights, logprobs))), logprobs, logSoftmax };
}

/** Weighted sums beside the loss: `entropy` (nats) and `accuracy` (share of tokens that were the likeliest). */
export function crossEntropyMetrics({ logSoftmax }: CrossEntropy, labels: Tensor, weights: Tensor): { entropy: Tensor; accuracy: Tensor } {
  return { entropy: weightedEntropy(logSoftmax, weights), accuracy: weightedAccuracy(logSoftmax, labels, weights) };
}
