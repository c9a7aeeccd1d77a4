/** One number from a hidden state: the score of a reward model, the value of a value model. */
import { linear, type Parameters } from "../nn/index.ts";
import { reshape, type Tensor } from "../tensor/index.ts";

/** Hugging Face's `…ForSequenceClassification` with one label: hidden [M, C] → scores [M]. */
export function scoreHead(p: Parameters, hidden: Tensor): Tensor {
  return reshape(linear(p.in("score"), hidden, 1, { bias: false }), [hidden.shape[0]]);
}

/** A value head on a policy's trunk: hidden [M, C] → values [M]. */
export function valueHead(p: Parameters, hidden: Tensor): Tensor {
  return reshape(linear(p.in("value_head"), hidden, 1, { bias: true }), [hidden.shape[0]]);
}

export const valueHeadNames = ["value_head.weight", "value_head.bias"] as const;
