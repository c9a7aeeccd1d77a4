/** Layers as functions of (parameters, x). Hidden states are [N, C]: N = batch × time rows. */
import { gather, layerNorm as normalize, linear as product, rmsNorm as rms, type Tensor } from "../tensor/index.ts";
import type { Parameters } from "./parameters.ts";

/** PyTorch's Linear: weight [out, in]. */
export function linear(p: Parameters, x: Tensor, out: number, { bias }: { bias: boolean }): Tensor {
  return product(x, p.get("weight", [out, x.shape[1]]), bias ? p.get("bias", [out]) : undefined, { transW: true });
}

/** GPT-2's Conv1D: a linear layer whose weight is [in, out]. */
export function conv1d(p: Parameters, x: Tensor, out: number): Tensor {
  return product(x, p.get("weight", [x.shape[1], out]), p.get("bias", [out]));
}

/** Rows of a table: ids […] → […, width]. */
export function embedding(p: Parameters, ids: Tensor, rows: number, width: number): Tensor {
  return gather(p.get("weight", [rows, width]), ids);
}

export function layerNorm(p: Parameters, x: Tensor, epsilon: number): Tensor {
  const width = [x.shape[x.shape.length - 1]];
  return normalize(x, p.get("weight", width), p.get("bias", width), epsilon);
}

export function rmsNorm(p: Parameters, x: Tensor, epsilon: number): Tensor {
  return rms(x, p.get("weight", [x.shape[x.shape.length - 1]]), epsilon);
}
