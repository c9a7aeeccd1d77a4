/**
 * The closed set of primitives and their parameters. Each has a row in four tables: `infer.ts` (types),
 * `vjp.ts` (derivative), `evaluate.ts` (reference), `../onnx/lower.ts` (ONNX); a missing row does not compile.
 *
 * An operation is a primitive when ONNX has it and a fused kernel or a hand-written derivative matters;
 * everything else is composed in `ops.ts`.
 */
import type { DType, Shape, TensorData } from "./tensor-type.ts";

type None = Record<string, never>;

export interface PrimitiveParams {
  // leaves
  /** A value given at run time, by name. */
  input: { name: string; dtype: DType; shape: Shape };
  /** A value fixed when the graph is built. */
  constant: { dtype: DType; shape: Shape; data: TensorData };

  // element by element; binary ones broadcast as NumPy does
  /** The value itself, which derivatives take for a constant. */
  detach: None;
  neg: None;
  exp: None;
  log: None;
  sqrt: None;
  tanh: None;
  sigmoid: None;
  sin: None;
  cos: None;
  abs: None;
  not: None;
  gelu: { approximate: "none" | "tanh" };
  silu: None;
  cast: { dtype: DType };
  add: None;
  sub: None;
  mul: None;
  div: None;
  max: None;
  min: None;
  equal: None;
  less: None;
  and: None;
  /** (condition, a, b) → a where the condition holds, else b. */
  where: None;

  // shape
  reshape: { shape: Shape };
  transpose: { permutation: readonly number[] };
  expand: { shape: Shape };
  concat: { axis: number };
  slice: { axis: number; start: number; end: number };
  /** Zeros before and after along one axis: the derivative of slice. */
  pad: { axis: number; before: number; after: number };

  // reductions
  reduceSum: { axes: readonly number[]; keepDims: boolean };
  reduceMax: { axes: readonly number[]; keepDims: boolean };
  cumsum: { axis: number };
  argMax: { axis: number };
  /** (x) → (values, indices), the k largest along the last axis, sorted. */
  topK: { k: number };

  // linear algebra
  /** alpha · op(a) op(b), batched over leading axes, op = transpose of the last two axes where asked. */
  matmul: { transA: boolean; transB: boolean; alpha: number };
  /** (x [N, K], w, c?) → x·op(w) + c in two dimensions; c broadcasts over rows. */
  linear: { transW: boolean };

  // rows
  /** (table [V, …], indices) → rows of the table. */
  gather: None;
  /** (x, indices) along the last axis; indices have x's shape but for the last axis. */
  gatherElements: None;
  /** (indices, updates, base?) → base (or zeros of the given last-axis width) plus the updates at the indices: derivative of gatherElements. */
  scatterElements: { width: number };
  /** (indices [N], rows [N, …], base?) → base (or zeros) [V, …] with every row added at its index: derivative of gather. */
  scatterAddRows: { rows: number };

  // fused
  softmax: None;
  logSoftmax: None;
  /** (logits [M, V], labels [M]) → (log-prob of each label [M], log-softmax [M, V]). */
  tokenLogprobs: None;
  /** (x, gamma, beta) → (y, mean, 1/std) over the last axis. */
  layerNorm: { epsilon: number };
  /** (x, gamma) → (y, 1/rms) over the last axis. */
  rmsNorm: { epsilon: number };
  /** (x [B, H, T, D], cos [B, T, D/2], sin [B, T, D/2]) → half-split rotation. */
  rotary: None;
  /** (q [B, H, T, D], k [B, Hkv, S, D], v [B, Hkv, S, D], bias [B|1, 1, T, S]) → (output [B, H, T, D], probabilities [B, H, T, S]). */
  attention: { scale: number };
  /**
   * One decoding position against a cache updated in place:
   * (q [B, 1, H·D], k [B, 1, Hkv·D], v [B, 1, Hkv·D], pastK [B, Hkv, S, D], pastV, lengths [B] int32 = tokens before this one)
   * → (output [B, 1, H·D], presentK, presentV). `window` is the sliding window, -1 for none.
   */
  cachedAttention: { heads: number; kvHeads: number; scale: number; window: number };
}

export type PrimitiveName = keyof PrimitiveParams;
