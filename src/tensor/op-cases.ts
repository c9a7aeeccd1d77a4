/**
 * One list of cases for every primitive. The derivative of each is checked against finite differences
 * (`grad.test.ts`), its lowering against the interpreter on every backend (`runtime/self-test.ts`).
 */
import * as t from "./ops.ts";
import type { PrimitiveName } from "./primitive.ts";
import type { Tensor } from "./tensor.ts";
import { sizeOf, type Shape, type TensorType } from "./tensor-type.ts";
import { apply } from "./tensor.ts";

export interface OpCase {
  readonly name: string;
  readonly primitive: PrimitiveName;
  /** Types of the inputs "x0", "x1", …, and where float values are drawn from, or the integers themselves; `fixed`: not differentiated. */
  readonly inputs: readonly (TensorType & {
    readonly low?: number;
    readonly high?: number;
    readonly integers?: readonly number[];
    readonly fixed?: boolean;
  })[];
  readonly build: (xs: readonly Tensor[]) => readonly Tensor[];
}

type Input = OpCase["inputs"][number];
const f = (shape: Shape, low = -2, high = 2): Input => ({ dtype: "float32", shape, low, high });
const fixed = (shape: Shape): Input => ({ ...f(shape), fixed: true });
const i = (shape: Shape, integers: readonly number[]): Input => ({ dtype: "int32", shape, integers });
const b = (shape: Shape, integers: readonly number[]): Input => ({ dtype: "bool", shape, integers });

/** Values for a case's inputs: fixed, spread over the range, never twice the same (so that max and TopK have no ties). */
export function caseValues(input: Input, seed: number): Float64Array {
  if (input.integers !== undefined) return Float64Array.from(input.integers);
  const n = sizeOf(input.shape);
  const [low, high] = [input.low ?? -2, input.high ?? 2];
  return Float64Array.from({ length: n }, (_, k) =>
    Math.fround(low + (high - low) * ((0.5 + (k + 1 + seed * 7.31) * 0.6180339887498949) % 1)),
  );
}

const simple = (primitive: PrimitiveName, inputs: Input[], build: (...xs: Tensor[]) => Tensor): OpCase => ({
  name: `${primitive} ${inputs.map((x) => `[${x.shape.join(",")}]`).join(" ")}`,
  primitive,
  inputs,
  build: (xs) => [build(...xs)],
});
const multiple = (primitive: PrimitiveName, inputs: Input[], build: OpCase["build"], note = ""): OpCase => ({
  name: `${primitive}${note} ${inputs.map((x) => `[${x.shape.join(",")}]`).join(" ")}`,
  primitive,
  inputs,
  build,
});

const matmulCases = [false, true].flatMap((transA) =>
  [false, true].map((transB) =>
    simple("matmul", [f(transA ? [2, 4, 3] : [2, 3, 4]), f(transB ? [2, 5, 4] : [2, 4, 5])], (x, y) =>
      t.matmul(x, y, { transA, transB, alpha: 0.5 }),
    ),
  ),
);

export const opCases: readonly OpCase[] = [
  simple("constant", [f([3])], (x) => t.mul(x, t.constant(Float32Array.of(1, -2, 3), [3]))),
  simple("detach", [fixed([2, 3])], (x) => t.mul(t.detach(x), 2)),
  simple("neg", [f([2, 3])], t.neg),
  simple("exp", [f([2, 3])], t.exp),
  simple("log", [f([2, 3], 0.2, 3)], t.log),
  simple("sqrt", [f([2, 3], 0.2, 3)], t.sqrt),
  simple("tanh", [f([2, 3])], t.tanh),
  simple("sigmoid", [f([2, 3], -9, 9)], t.sigmoid),
  simple("sin", [f([2, 3], -9, 9)], t.sin),
  simple("cos", [f([2, 3], -9, 9)], t.cos),
  simple("abs", [f([2, 3])], t.abs),
  simple("not", [b([4], [0, 1, 1, 0])], (x) => t.cast(t.not(x), "float32")),
  simple("gelu", [f([4, 5], -5, 5)], (x) => t.gelu(x, "tanh")),
  simple("gelu", [f([4, 6], -5, 5)], (x) => t.gelu(x, "none")),
  simple("silu", [f([4, 5], -6, 6)], t.silu),
  simple("cast", [i([4], [0, 3, -2, 7])], (x) => t.mul(t.cast(x, "float32"), 0.5)),
  simple("add", [f([2, 3]), f([3])], t.add),
  simple("sub", [f([2, 1]), f([1, 3])], t.sub),
  simple("mul", [f([2, 3]), f([])], t.mul),
  simple("div", [f([2, 3]), f([2, 3], 0.5, 2)], t.div),
  simple("max", [f([2, 3]), f([3])], t.maximum),
  simple("min", [f([2, 3]), f([2, 1])], t.minimum),
  simple("equal", [i([4], [1, 2, 3, 4]), i([4], [1, 0, 3, 0])], (x, y) => t.cast(t.equal(x, y), "float32")),
  simple("less", [f([2, 3]), f([3])], (x, y) => t.cast(t.less(x, y), "float32")),
  simple("and", [b([4], [0, 1, 1, 0]), b([4], [0, 0, 1, 1])], (x, y) => t.cast(t.and(x, y), "float32")),
  simple("where", [b([2, 1], [1, 0]), f([2, 3]), f([3])], t.where),
  simple("reshape", [f([2, 6])], (x) => t.reshape(x, [3, -1])),
  simple("transpose", [f([2, 3, 4])], (x) => t.transpose(x, [2, 0, 1])),
  simple("expand", [f([2, 1])], (x) => t.expand(x, [3, 2, 4])),
  simple("concat", [f([2, 3]), f([2, 2])], (x, y) => t.concat([x, y], 1)),
  simple("slice", [f([3, 5])], (x) => t.slice(x, 1, 1, 4)),
  simple("pad", [f([3, 2])], (x) => t.pad(x, 0, 1, 2)),
  simple("reduceSum", [f([2, 3, 4])], (x) => t.sum(x, [0, 2])),
  simple("reduceSum", [f([2, 3])], (x) => t.sum(x)),
  simple("reduceMax", [f([2, 3, 4])], (x) => t.max(x, [1], true)),
  simple("cumsum", [f([2, 3, 4])], (x) => t.cumsum(x, 1)),
  simple("argMax", [f([3, 7])], (x) => t.cast(t.argMax(x, 1), "float32")),
  multiple("topK", [f([3, 9])], ([x]) => {
    const { values, indices } = t.topK(x, 4);
    return [values, t.cast(indices, "float32")];
  }),
  ...matmulCases,
  simple("matmul", [f([2, 3, 4]), f([4, 5])], (x, y) => t.matmul(x, y)),
  simple("matmul", [f([3, 4]), f([5, 4])], (x, y) => t.matmul(x, y, { transB: true })),
  simple("matmul", [f([4, 3]), f([4, 5])], (x, y) => t.matmul(x, y, { transA: true, alpha: 2 })),
  simple("linear", [f([3, 4]), f([4, 5]), f([5])], (x, w, c) => t.linear(x, w, c)),
  simple("linear", [f([3, 4]), f([5, 4])], (x, w) => t.linear(x, w, undefined, { transW: true })),
  simple("linear", [f([3, 4]), f([5, 4]), f([3, 5])], (x, w, c) => t.linear(x, w, c, { transW: true })),
  simple("gather", [f([5, 3]), i([2, 3], [0, 4, 4, 1, 0, 4])], t.gather),
  simple("gatherElements", [f([3, 5]), i([3, 2], [0, 4, 3, 3, 1, 0])], t.gatherElements),
  simple("scatterElements", [i([3, 2], [0, 4, 3, 3, 1, 0]), f([3, 2])], (at, x) => apply("scatterElements", [at, x], { width: 5 })[0]),
  simple(
    "scatterElements",
    [i([3, 1], [0, 4, 3]), f([3, 1]), f([3, 5])],
    (at, x, base) => apply("scatterElements", [at, x, base], { width: 5 })[0],
  ),
  // The products keep the node from being an output, so that the general lowering is what runs.
  simple("scatterAddRows", [i([6], [0, 4, 4, 1, 0, 4]), f([6, 3])], (at, x) =>
    t.mul(apply("scatterAddRows", [at, x], { rows: 5 })[0], 1.5),
  ),
  simple("scatterAddRows", [i([2, 2], [0, 4, 4, 1]), f([2, 2, 3]), f([5, 3])], (at, x, base) =>
    t.mul(apply("scatterAddRows", [at, x, base], { rows: 5 })[0], 1.5),
  ),
  simple("softmax", [f([3, 5])], t.softmax),
  simple("logSoftmax", [f([3, 5])], t.logSoftmax),
  multiple("tokenLogprobs", [f([3, 5]), i([3], [4, 0, 2])], ([x, labels]) => {
    const { logprobs, logSoftmax } = t.tokenLogprobs(x, labels);
    return [logprobs, t.mul(t.exp(logSoftmax), logSoftmax)];
  }),
  simple("layerNorm", [f([2, 3, 6]), f([6]), f([6])], (x, g, c) => t.layerNorm(x, g, c, 1e-5)),
  simple("rmsNorm", [f([2, 3, 6]), f([6])], (x, g) => t.rmsNorm(x, g, 1e-5)),
  simple("rotary", [f([2, 3, 4, 8]), fixed([2, 4, 4]), fixed([2, 4, 4])], t.rotary),
  simple("attention", [f([2, 2, 3, 8]), f([2, 2, 3, 8]), f([2, 2, 3, 8]), fixed([1, 1, 3, 3])], (q, k, v, bias) =>
    t.attention(q, k, v, bias, 0.3),
  ),
  simple("attention", [f([2, 4, 3, 8]), f([2, 2, 5, 8]), f([2, 2, 5, 8]), fixed([2, 1, 3, 5])], (q, k, v, bias) =>
    t.attention(q, k, v, bias, 0.3),
  ),
  ...[-1, 2].map((window) =>
    multiple(
      "cachedAttention",
      [f([2, 1, 32]), f([2, 1, 16]), f([2, 1, 16]), f([2, 2, 6, 8]), f([2, 2, 6, 8]), i([2], [0, 4])],
      ([q, k, v, pastK, pastV, lengths]) => [
        t.cachedAttention(q, k, v, pastK, pastV, lengths, { heads: 4, kvHeads: 2, scale: 0.3, window }).output,
      ],
      window < 0 ? "" : " window",
    ),
  ),
];
