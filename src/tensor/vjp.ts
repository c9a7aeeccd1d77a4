/**
 * Table 2 of 4: the derivative of each primitive. A row takes the gradients of the node's outputs
 * (undefined where nothing flows) and gives those of its inputs, in the shape they were used in;
 * `grad.ts` sums over broadcast axes. "none" marks what is never differentiated.
 */
import type { PrimitiveName } from "./primitive.ts";
import { apply, isNode, type Node, type Tensor } from "./tensor.ts";
import { sameShape } from "./tensor-type.ts";
import * as t from "./ops.ts";

type Gradients = readonly (Tensor | undefined)[];
type Row<P extends PrimitiveName> = ((node: Node<P>, dy: Tensor, all: Gradients) => Gradients) | "none";

const scatterAddRows = (indices: Tensor, rows: Tensor, size: number): Tensor => apply("scatterAddRows", [indices, rows], { rows: size })[0];

/** max and min send the gradient to the larger (smaller) side and, like PyTorch, half to each where they are equal. */
const choice =
  (takesFirst: (a: Tensor, b: Tensor) => Tensor): Row<"max" | "min"> =>
  (node, dy) => {
    const [a, b] = node.inputs;
    const toFirst = t.where(t.equal(a, b), 0.5, t.cast(takesFirst(a, b), "float32"));
    const first = t.mul(dy, toFirst);
    return [first, t.sub(dy, first)];
  };

const reduceAxes = (x: Tensor, dy: Tensor, axes: readonly number[]): Tensor =>
  t.reshape(
    dy,
    x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
  );
const last = (x: Tensor): number => x.shape.length - 1;
/** All axes but the last: over these the gradients of gamma and beta sum. */
const leading = (x: Tensor): number[] => x.shape.slice(0, -1).map((_, i) => i);

export const vjp: { [P in PrimitiveName]: Row<P> } = {
  input: "none",
  constant: "none",

  detach: "none",
  neg: (_node, dy) => [t.neg(dy)],
  exp: (node, dy) => [t.mul(dy, node.outputs[0])],
  log: (node, dy) => [t.div(dy, node.inputs[0])],
  sqrt: (node, dy) => [t.div(t.mul(dy, 0.5), node.outputs[0])],
  tanh: (node, dy) => [t.mul(dy, t.sub(1, t.square(node.outputs[0])))],
  sigmoid: (node, dy) => [t.mul(dy, t.mul(node.outputs[0], t.sub(1, node.outputs[0])))],
  sin: (node, dy) => [t.mul(dy, t.cos(node.inputs[0]))],
  cos: (node, dy) => [t.neg(t.mul(dy, t.sin(node.inputs[0])))],
  // 0 at 0, as in PyTorch: there the two sides of log σ meet.
  abs: (node, dy) => [t.where(t.less(node.inputs[0], 0), t.neg(dy), t.where(t.less(0, node.inputs[0]), dy, 0))],
  not: "none",
  gelu: (node, dy) => {
    const [x] = node.inputs;
    if (node.params.approximate === "tanh") {
      // gelu(x) = x·σ(z) with z = 2c(x + 0.044715x³), hence σ + x·σ(1−σ)·z′: fewer passes than through tanh.
      const c = 2 * Math.sqrt(2 / Math.PI);
      const xx = t.square(x);
      const s = t.sigmoid(t.mul(x, t.add(t.mul(xx, c * 0.044715), c)));
      const slope = t.mul(t.mul(x, t.sub(1, s)), t.add(t.mul(xx, 3 * c * 0.044715), c));
      return [t.mul(dy, t.mul(s, t.add(slope, 1)))];
    }
    // Φ(x) + x·φ(x). Φ comes from the forward value: gelu(x) = x·Φ(x) would divide by zero, so erf is taken through the wide-range identity below.
    const density = t.mul(t.exp(t.mul(t.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return [t.mul(dy, t.add(normalCdf(x), t.mul(x, density)))];
  },
  silu: (node, dy) => {
    const [x] = node.inputs;
    const s = t.sigmoid(x);
    return [t.mul(dy, t.mul(s, t.add(t.mul(x, t.sub(1, s)), 1)))];
  },
  cast: (node, dy) => [node.inputs[0].dtype === "float32" && node.params.dtype === "float32" ? dy : undefined],
  add: (_node, dy) => [dy, dy],
  sub: (_node, dy) => [dy, t.neg(dy)],
  mul: (node, dy) => [t.mul(dy, node.inputs[1]), t.mul(dy, node.inputs[0])],
  div: (node, dy) => {
    const da = t.div(dy, node.inputs[1]);
    return [da, t.neg(t.mul(da, node.outputs[0]))];
  },
  max: choice((a, b) => t.less(b, a)),
  min: choice((a, b) => t.less(a, b)),
  equal: "none",
  less: "none",
  and: "none",
  where: (node, dy) => [undefined, t.where(node.inputs[0], dy, 0), t.where(node.inputs[0], 0, dy)],

  reshape: (node, dy) => [t.reshape(dy, node.inputs[0].shape)],
  transpose: (node, dy) => [
    t.transpose(
      dy,
      node.params.permutation.map((_, i) => node.params.permutation.indexOf(i)),
    ),
  ],
  expand: (_node, dy) => [dy],
  concat: (node, dy) => {
    let start = 0;
    return node.inputs.map((x) => {
      const end = start + x.shape[node.params.axis];
      const part = t.slice(dy, node.params.axis, start, end);
      start = end;
      return part;
    });
  },
  slice: (node, dy) => {
    const { axis, start, end } = node.params;
    return [t.pad(dy, axis, start, node.inputs[0].shape[axis] - end)];
  },
  pad: (node, dy) => {
    const { axis, before } = node.params;
    return [t.slice(dy, axis, before, before + node.inputs[0].shape[axis])];
  },

  reduceSum: (node, dy) => [t.expand(reduceAxes(node.inputs[0], dy, node.params.axes), node.inputs[0].shape)],
  reduceMax: (node, dy) => {
    const [x] = node.inputs;
    const { axes } = node.params;
    const hit = t.cast(t.equal(x, reduceAxes(x, node.outputs[0], axes)), "float32");
    return [t.mul(t.div(reduceAxes(x, dy, axes), t.sum(hit, axes, true)), hit)];
  },
  cumsum: "none",
  argMax: "none",
  topK: "none",

  matmul: (node, dy) => {
    const [a, b] = node.inputs;
    const { transA, transB, alpha } = node.params;
    const da = transA ? t.matmul(b, dy, { transA: transB, transB: true, alpha }) : t.matmul(dy, b, { transB: !transB, alpha });
    const db = transB ? t.matmul(dy, a, { transA: true, transB: transA, alpha }) : t.matmul(a, dy, { transA: !transA, alpha });
    return [da, db];
  },
  linear: (node, dy) => {
    const [x, w, c] = node.inputs;
    const { transW } = node.params;
    // Factors of whole rows (of a vocabulary of logits, say) are applied on the narrow side.
    const { core, scale } = dy.shape[1] > x.shape[1] ? splitRowScale(dy) : { core: dy, scale: undefined };
    const scaled = (rows: Tensor): Tensor => (scale === undefined ? rows : t.mul(rows, scale));
    const dx = scaled(t.linear(core, w, undefined, { transW: !transW }));
    const dw = transW ? t.matmul(core, scaled(x), { transA: true }) : t.matmul(scaled(x), core, { transA: true });
    return c === undefined ? [dx, dw] : [dx, dw, dy];
  },

  gather: (node, dy) => [scatterAddRows(node.inputs[1], dy, node.inputs[0].shape[0]), undefined],
  gatherElements: (node, dy) => [
    apply("scatterElements", [node.inputs[1], dy], { width: node.inputs[0].shape[last(node.inputs[0])] })[0],
    undefined,
  ],
  scatterElements: (node, dy) => [undefined, t.gatherElements(dy, node.inputs[0]), dy],
  scatterAddRows: (node, dy) => [undefined, t.gather(dy, node.inputs[0]), dy],

  softmax: (node, dy) => {
    const [y] = node.outputs;
    const weighted = t.mul(dy, y);
    return [t.sub(weighted, t.mul(y, t.sum(weighted, [last(y)], true)))];
  },
  logSoftmax: (node, dy) => [t.sub(dy, t.mul(t.exp(node.outputs[0]), t.sum(dy, [last(dy)], true)))],
  tokenLogprobs: (node, _dy, [ofLabels, ofAll]) => {
    // (onehot − softmax)·g, plus log-softmax's own derivative where something reads the second output.
    const [logits, labels] = node.inputs;
    const [M, V] = logits.shape;
    const probabilities = t.exp(node.outputs[1]);
    let d: Tensor | undefined;
    if (ofLabels !== undefined) {
      const minusOne = t.expand(t.scalar(-1), [M, 1]);
      const difference = apply("scatterElements", [t.reshape(labels, [M, 1]), minusOne, probabilities], { width: V })[0];
      d = t.mul(difference, t.neg(t.reshape(ofLabels, [M, 1])));
    }
    if (ofAll !== undefined) {
      const more = t.sub(ofAll, t.mul(probabilities, t.sum(ofAll, [1], true)));
      d = d === undefined ? more : t.add(d, more);
    }
    return [d, undefined];
  },
  layerNorm: (node, dy) => {
    const [x, gamma] = node.inputs;
    const [, average, inverse] = node.outputs;
    const normal = t.mul(t.sub(x, average), inverse);
    const g = t.mul(dy, gamma);
    const centred = t.sub(g, t.mean(g, [last(x)], true));
    const dx = t.mul(t.sub(centred, t.mul(normal, t.mean(t.mul(g, normal), [last(x)], true))), inverse);
    return [dx, t.sum(t.mul(dy, normal), leading(x)), t.sum(dy, leading(x))];
  },
  rmsNorm: (node, dy) => {
    const [x, gamma] = node.inputs;
    const [, inverse] = node.outputs;
    const normal = t.mul(x, inverse);
    const g = t.mul(dy, gamma);
    const dx = t.mul(t.sub(g, t.mul(normal, t.mean(t.mul(g, normal), [last(x)], true))), inverse);
    return [dx, t.sum(t.mul(dy, normal), leading(x))];
  },
  rotary: (node, dy) => {
    const [, cos, sin] = node.inputs;
    return [t.rotary(dy, cos, t.neg(sin)), undefined, undefined];
  },
  attention: (node, dy) => {
    // D = rowsum(dO·O) replaces rowsum(dP·P): T×d instead of T×T work (Dao et al. 2022, arXiv 2205.14135, appendix B).
    const [q, k, v] = node.inputs;
    const [o, p] = node.outputs;
    const [B, H, T, D] = q.shape;
    const Hkv = k.shape[1];
    const scale = node.params.scale;
    // Query heads that share a key head are folded into its time axis, so that one product sums over them.
    const fold = (x: Tensor): Tensor => t.reshape(x, [B, Hkv, (H / Hkv) * T, x.shape[3]]);
    const [qf, of, pf, df] = [q, o, p, dy].map(fold);
    const dv = t.matmul(pf, df, { transA: true });
    const dp = t.matmul(df, v, { transB: true });
    const ds = t.mul(pf, t.sub(dp, t.sum(t.mul(df, of), [3], true)));
    const dq = t.matmul(ds, k, { alpha: scale });
    const dk = t.matmul(ds, qf, { transA: true, alpha: scale });
    return [t.reshape(dq, [B, H, T, D]), dk, dv, undefined];
  },
  cachedAttention: "none",
};

/** A gradient [M, N] that is core × scale, where scale is [M, 1] or a scalar. */
function splitRowScale(gradient: Tensor): { core: Tensor; scale: Tensor | undefined } {
  const { node } = gradient;
  if (isNode(node, "mul")) {
    for (const [core, factor] of [node.inputs, node.inputs.toReversed()]) {
      const ofRows = factor.shape.length === 0 || sameShape(factor.shape, [gradient.shape[0], 1]);
      if (!ofRows || !sameShape(core.shape, gradient.shape)) continue;
      const inner = splitRowScale(core);
      return { core: inner.core, scale: inner.scale === undefined ? factor : t.mul(inner.scale, factor) };
    }
  }
  return { core: gradient, scale: undefined };
}

/** Φ(x) = ½ erfc(−x/√2) by tanh-free means: σ is exact where |x| is large; erf by the gelu primitive itself, Φ(x) = gelu(x)/x. */
function normalCdf(x: Tensor): Tensor {
  const tiny = t.less(t.abs(x), 1e-3);
  const safe = t.where(tiny, 1, x);
  // Near zero Φ(x) = ½ + x·φ(0) to 1e-10.
  return t.where(tiny, t.add(t.mul(x, 1 / Math.sqrt(2 * Math.PI)), 0.5), t.div(t.gelu(safe), safe));
}
