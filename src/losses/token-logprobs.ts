/** From logits to what losses need: log-probs of given tokens, and how sure and how right the model was. */
import { cast, equal, exp, gatherElements, max, mul, neg, reshape, sum, tokenLogprobs, type Tensor } from "../tensor/index.ts";

/**
 * Log-probs of `labels` int32 [M] under `logits` [M, V] ÷ temperature: `logprobs` [M], `logSoftmax` [M, V].
 *
 * Row m of the logits must be the one that predicts label m (the hidden state one position earlier). Labels of
 * padding may be any id of the vocabulary: what they give is left out by weights later.
 */
export function temperedLogprobs(logits: Tensor, labels: Tensor, temperature = 1): { logprobs: Tensor; logSoftmax: Tensor } {
  return tokenLogprobs(temperature === 1 ? logits : mul(logits, 1 / temperature), labels);
}

/** Σ wₘ·Hₘ, H = −Σᵥ p·log p in nats, of log-softmax [M, V] and weights [M]. */
export function weightedEntropy(logSoftmax: Tensor, weights: Tensor): Tensor {
  return neg(sum(mul(weights, sum(mul(exp(logSoftmax), logSoftmax), [1]))));
}

/** Σ wₘ·[the likeliest token is label m], of log-softmax [M, V], labels int32 [M] and weights [M]. */
export function weightedAccuracy(logSoftmax: Tensor, labels: Tensor, weights: Tensor): Tensor {
  // Not by argMax, which is slow on the CPU; a label that ties with another token counts.
  const ofLabels = gatherElements(logSoftmax, reshape(labels, [labels.shape[0], 1]));
  return sum(mul(weights, reshape(cast(equal(ofLabels, max(logSoftmax, [1], true)), "float32"), labels.shape)));
}
