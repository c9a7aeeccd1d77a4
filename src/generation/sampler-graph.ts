/** Logits → drawn tokens and their log-probabilities. */
import {
  argMax,
  buildGraph,
  div,
  gatherElements,
  input,
  log,
  logSoftmax,
  reshape,
  softmax,
  type Graph,
  type Tensor,
} from "../tensor/index.ts";
import { drawIndex } from "./inverse-cdf.ts";

/** `draw` and `greedy` end with the token; `probabilities` and `logprobs` with all [B, V], for what the host does with them. */
export type SamplerGraphKind = "draw" | "greedy" | "probabilities" | "logprobs";

/**
 * Inputs: `logits` [B, V]; `temperature` [B, 1] where `scaled`; for `draw` `u` [B, 1] in [0, 1).
 * Outputs: `all` [B, V] or else `token` int32 [B] and its `logprob` [B] under logits ÷ temperature.
 *
 * Tokens are drawn in the order of their ids, not of their rank: two nearly equal logits whose ranks swap between batch
 * sizes then do not swap the drawn token.
 */
export function buildSamplerGraph(kind: SamplerGraphKind, batch: number, vocab: number, scaled: boolean): Graph {
  const raw = input("logits", "float32", [batch, vocab]);
  const logits = scaled ? div(raw, input("temperature", "float32", [batch, 1])) : raw;
  if (kind === "logprobs") return buildGraph({ all: logSoftmax(logits) });
  const probabilities = softmax(logits);
  if (kind === "probabilities") return buildGraph({ all: probabilities });
  const token = kind === "greedy" ? argMax(raw, 1) : drawIndex(probabilities, input("u", "float32", [batch, 1]));
  return buildGraph({ token, logprob: chosenLogprob(probabilities, token) });
}

function chosenLogprob(probabilities: Tensor, token: Tensor): Tensor {
  const [batch] = token.shape;
  return reshape(log(gatherElements(probabilities, reshape(token, [batch, 1]))), [batch]);
}
