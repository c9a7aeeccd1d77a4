/** The vocabulary for writing models and losses: a function a primitive, and compositions of them. */
import { apply, type Tensor } from "./tensor.ts";
import { sameShape, sizeOf, type DType, type Shape, type TensorData } from "./tensor-type.ts";

export type Operand = Tensor | number;

// ── leaves ────────────────────────────────────────────────────────────────────────────────────

export function input(name: string, dtype: DType, shape: Shape): Tensor {
  return apply("input", [], { name, dtype, shape })[0];
}

export function constant(
  data: TensorData,
  shape: Shape,
  dtype: DType = data instanceof Float32Array ? "float32" : data instanceof Int32Array ? "int32" : "bool",
): Tensor {
  return apply("constant", [], { dtype, shape, data })[0];
}

export function scalar(value: number, dtype: DType = "float32"): Tensor {
  return constant(dtype === "float32" ? Float32Array.of(value) : Int32Array.of(value), [], dtype);
}

/** 0, 1, …, n−1 as int32 [n]. */
export function range(n: number): Tensor {
  return constant(
    Int32Array.from({ length: n }, (_, i) => i),
    [n],
  );
}

function operands(a: Operand, b: Operand): [Tensor, Tensor] {
  if (typeof a !== "number") return [a, typeof b === "number" ? scalar(b, a.dtype) : b];
  return typeof b === "number" ? [scalar(a), scalar(b)] : [scalar(a, b.dtype), b];
}

// ── element by element ────────────────────────────────────────────────────────────────────────

/** x, of which no derivative is taken. */
export const detach = (x: Tensor): Tensor => apply("detach", [x], {})[0];
export const neg = (x: Tensor): Tensor => apply("neg", [x], {})[0];
export const exp = (x: Tensor): Tensor => apply("exp", [x], {})[0];
export const log = (x: Tensor): Tensor => apply("log", [x], {})[0];
export const sqrt = (x: Tensor): Tensor => apply("sqrt", [x], {})[0];
export const tanh = (x: Tensor): Tensor => apply("tanh", [x], {})[0];
export const sigmoid = (x: Tensor): Tensor => apply("sigmoid", [x], {})[0];
export const sin = (x: Tensor): Tensor => apply("sin", [x], {})[0];
export const cos = (x: Tensor): Tensor => apply("cos", [x], {})[0];
export const abs = (x: Tensor): Tensor => apply("abs", [x], {})[0];
export const not = (x: Tensor): Tensor => apply("not", [x], {})[0];
export const gelu = (x: Tensor, approximate: "none" | "tanh" = "none"): Tensor => apply("gelu", [x], { approximate })[0];
export const silu = (x: Tensor): Tensor => apply("silu", [x], {})[0];
export const cast = (x: Tensor, dtype: DType): Tensor => (x.dtype === dtype ? x : apply("cast", [x], { dtype })[0]);

export const add = (a: Operand, b: Operand): Tensor => apply("add", operands(a, b), {})[0];
export const sub = (a: Operand, b: Operand): Tensor => apply("sub", operands(a, b), {})[0];
export const mul = (a: Operand, b: Operand): Tensor => apply("mul", operands(a, b), {})[0];
export const div = (a: Operand, b: Operand): Tensor => apply("div", operands(a, b), {})[0];
export const maximum = (a: Operand, b: Operand): Tensor => apply("max", operands(a, b), {})[0];
export const minimum = (a: Operand, b: Operand): Tensor => apply("min", operands(a, b), {})[0];
export const equal = (a: Operand, b: Operand): Tensor => apply("equal", operands(a, b), {})[0];
export const less = (a: Operand, b: Operand): Tensor => apply("less", operands(a, b), {})[0];
export const and = (a: Tensor, b: Tensor): Tensor => apply("and", [a, b], {})[0];
export const where = (condition: Tensor, a: Operand, b: Operand): Tensor => apply("where", [condition, ...operands(a, b)], {})[0];

export const square = (x: Tensor): Tensor => mul(x, x);
export const clamp = (x: Tensor, low: Operand, high: Operand): Tensor => minimum(maximum(x, low), high);
/** log σ(x), without overflow on either side. */
export const logSigmoid = (x: Tensor): Tensor => sub(minimum(x, 0), log(add(exp(neg(abs(x))), 1)));

// ── shape ─────────────────────────────────────────────────────────────────────────────────────

/** One size may be −1: whatever is left. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.reduce((product, d) => (d === -1 ? product : product * d), 1);
  const full = shape.map((d) => (d === -1 ? sizeOf(x.shape) / known : d));
  return sameShape(full, x.shape) ? x : apply("reshape", [x], { shape: full })[0];
}
export const transpose = (x: Tensor, permutation: readonly number[]): Tensor => apply("transpose", [x], { permutation })[0];
export const expand = (x: Tensor, shape: Shape): Tensor => (sameShape(x.shape, shape) ? x : apply("expand", [x], { shape })[0]);
export const concat = (parts: readonly Tensor[], axis: number): Tensor =>
  parts.length === 1 ? parts[0] : apply("concat", parts, { axis })[0];
export const slice = (x: Tensor, axis: number, start: number, end: number): Tensor => apply("slice", [x], { axis, start, end })[0];
export const pad = (x: Tensor, axis: number, before: number, after: number): Tensor => apply("pad", [x], { axis, before, after })[0];

// ── reductions ────────────────────────────────────────────────────────────────────────────────

const allAxes = (x: Tensor): number[] => x.shape.map((_, i) => i);
export const sum = (x: Tensor, axes: readonly number[] = allAxes(x), keepDims = false): Tensor =>
  apply("reduceSum", [x], { axes, keepDims })[0];
export const max = (x: Tensor, axes: readonly number[] = allAxes(x), keepDims = false): Tensor =>
  apply("reduceMax", [x], { axes, keepDims })[0];
export const mean = (x: Tensor, axes: readonly number[] = allAxes(x), keepDims = false): Tensor =>
  mul(sum(x, axes, keepDims), 1 / axes.reduce((product, a) => product * x.shape[a], 1));
export const cumsum = (x: Tensor, axis: number): Tensor => apply("cumsum", [x], { axis })[0];
export const argMax = (x: Tensor, axis: number): Tensor => apply("argMax", [x], { axis })[0];
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  const [values, indices] = apply("topK", [x], { k });
  return { values, indices };
}

// ── linear algebra ────────────────────────────────────────────────────────────────────────────

export const matmul = (a: Tensor, b: Tensor, { transA = false, transB = false, alpha = 1 } = {}): Tensor =>
  apply("matmul", [a, b], { transA, transB, alpha })[0];
/** x [N, K] · w [K, N'] + c, or · wᵀ where `transW` (w [N', K], PyTorch's layout). */
export const linear = (x: Tensor, w: Tensor, c?: Tensor, { transW = false } = {}): Tensor =>
  apply("linear", c === undefined ? [x, w] : [x, w, c], { transW })[0];

// ── rows ──────────────────────────────────────────────────────────────────────────────────────

export const gather = (table: Tensor, indices: Tensor): Tensor => apply("gather", [table, indices], {})[0];
export const gatherElements = (x: Tensor, indices: Tensor): Tensor => apply("gatherElements", [x, indices], {})[0];

// ── fused ─────────────────────────────────────────────────────────────────────────────────────

export const softmax = (x: Tensor): Tensor => apply("softmax", [x], {})[0];
export const logSoftmax = (x: Tensor): Tensor => apply("logSoftmax", [x], {})[0];
/** Log-probability of each label [M] under logits [M, V]. */
export function tokenLogprobs(logits: Tensor, labels: Tensor): { logprobs: Tensor; logSoftmax: Tensor } {
  const [logprobs, all] = apply("tokenLogprobs", [logits, labels], {});
  return { logprobs, logSoftmax: all };
}
export const layerNorm = (x: Tensor, gamma: Tensor, beta: Tensor, epsilon: number): Tensor =>
  apply("layerNorm", [x, gamma, beta], { epsilon })[0];
export const rmsNorm = (x: Tensor, gamma: Tensor, epsilon: number): Tensor => apply("rmsNorm", [x, gamma], { epsilon })[0];
export const rotary = (x: Tensor, cos: Tensor, sin: Tensor): Tensor => apply("rotary", [x, cos, sin], {})[0];
export const attention = (q: Tensor, k: Tensor, v: Tensor, bias: Tensor, scale: number): Tensor =>
  apply("attention", [q, k, v, bias], { scale })[0];
export function cachedAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  pastK: Tensor,
  pastV: Tensor,
  lengths: Tensor,
  params: { heads: number; kvHeads: number; scale: number; window: number },
): { output: Tensor; presentK: Tensor; presentV: Tensor } {
  const [output, presentK, presentV] = apply("cachedAttention", [q, k, v, pastK, pastV, lengths], params);
  return { output, presentK, presentV };
}
