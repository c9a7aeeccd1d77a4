/**
 * Cases large enough that kernels use several threads: op-cases.ts has every operation, in sizes that one thread does alone,
 * and races and wrong splits show only beyond them.
 */
import type { SelfTestCase } from "../runtime/index.ts";
import * as t from "../tensor/index.ts";
import { caseValues, type OpCase, type PrimitiveName, type Shape, type Tensor } from "../tensor/index.ts";

type Input = OpCase["inputs"][number];
const floats = (shape: Shape, low = -2, high = 2): Input => ({ dtype: "float32", shape, low, high });
/** Indices below `limit`, many of them twice. */
const indices = (shape: Shape, limit: number): Input => ({
  dtype: "int32",
  shape,
  integers: Array.from({ length: t.sizeOf(shape) }, (_, k) => (k * 7919) % limit),
});
const causal = (time: number): Input => ({
  dtype: "float32",
  shape: [1, 1, time, time],
  integers: Array.from({ length: time * time }, (_, k) => (k % time <= Math.floor(k / time) ? 0 : -1e30)),
});

const one = (primitive: PrimitiveName, inputs: readonly Input[], build: (...xs: Tensor[]) => Tensor, note = "large"): OpCase => ({
  name: `${primitive} ${note} ${inputs.map(({ shape }) => `[${shape.join(",")}]`).join(" ")}`,
  primitive,
  inputs,
  build: (xs) => [build(...xs)],
});

/** A loss through `x`'s operation, differentiated: what a training step computes. */
const derivative = (build: (...xs: Tensor[]) => Tensor, xs: Tensor[], wrt: readonly Tensor[]): Tensor[] => {
  const y = build(...xs);
  return t.grad(t.sum(t.mul(y, y)), wrt);
};

const largeOpCases: readonly OpCase[] = [
  one("matmul", [floats([96, 128]), floats([128, 160])], (x, y) => t.matmul(x, y)),
  one("matmul", [floats([4, 48, 32]), floats([4, 48, 32])], (x, y) => t.matmul(x, y, { transB: true, alpha: 0.5 }), "large batched"),
  one("linear", [floats([96, 64]), floats([160, 64]), floats([160])], (x, w, c) => t.linear(x, w, c, { transW: true })),
  one("gelu", [floats([128, 512], -5, 5)], (x) => t.gelu(x, "tanh")),
  one("silu", [floats([128, 512], -6, 6)], t.silu),
  one("exp", [floats([128, 512])], t.exp),
  one("add", [floats([128, 512]), floats([512])], t.add),
  one("softmax", [floats([64, 1500])], t.softmax),
  one("logSoftmax", [floats([64, 1500])], t.logSoftmax),
  one("layerNorm", [floats([256, 192]), floats([192]), floats([192])], (x, g, c) => t.layerNorm(x, g, c, 1e-5)),
  one("rmsNorm", [floats([256, 192]), floats([192])], (x, g) => t.rmsNorm(x, g, 1e-5)),
  one("reduceSum", [floats([256, 192])], (x) => t.sum(x, [0])),
  one("reduceMax", [floats([256, 192])], (x) => t.max(x, [1])),
  one("argMax", [floats([64, 1500])], (x) => t.cast(t.argMax(x, 1), "float32")),
  one("transpose", [floats([8, 64, 4, 32])], (x) => t.transpose(x, [0, 2, 1, 3])),
  one("gather", [floats([500, 96]), indices([8, 64], 500)], t.gather),
  one("gatherElements", [floats([256, 300]), indices([256, 1], 300)], t.gatherElements),
  one("attention", [floats([2, 4, 64, 16]), floats([2, 4, 64, 16]), floats([2, 4, 64, 16]), causal(64)], (q, k, v, bias) =>
    t.attention(q, k, v, bias, 0.25),
  ),
  one(
    "attention",
    [floats([2, 4, 64, 16]), floats([2, 2, 64, 16]), floats([2, 2, 64, 16]), causal(64)],
    (q, k, v, bias) => t.attention(q, k, v, bias, 0.25),
    "large grouped",
  ),
  {
    ...one("scatterAddRows", [floats([50, 96]), indices([512], 50)], t.gather, "large derivative of gather"),
    build: (xs) => derivative(t.gather, [...xs], xs.slice(0, 1)).map((x) => t.mul(x, 0.01)),
  },
  {
    ...one("scatterElements", [floats([256, 300]), indices([256, 1], 300)], t.gatherElements, "large derivative of gatherElements"),
    build: (xs) => derivative(t.gatherElements, [...xs], xs.slice(0, 1)),
  },
  {
    ...one(
      "tokenLogprobs",
      [floats([64, 1500]), indices([64], 1500)],
      (x, labels) => t.tokenLogprobs(x, labels).logprobs,
      "large derivative of",
    ),
    build: (xs) => derivative((x, labels) => t.tokenLogprobs(x, labels).logprobs, [...xs], xs.slice(0, 1)),
  },
];

const withValues = (opCase: OpCase): SelfTestCase => ({ ...opCase, values: (i) => caseValues(opCase.inputs[i], i) });

/** Cases for `runSelfTest`: every primitive small, and those with parallel kernels large. */
export const smallCases: readonly SelfTestCase[] = t.opCases.map(withValues);
export const largeCases: readonly SelfTestCase[] = largeOpCases.map(withValues);
