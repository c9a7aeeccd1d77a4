/**
 * Table 3 of 4: the reference interpreter. Slow, plain and in double precision: what every derivative and
 * every lowering is checked against.
 */
import { SparError } from "../internal/errors.ts";
import type { Graph } from "./graph.ts";
import type { PrimitiveName, PrimitiveParams } from "./primitive.ts";
import type { Tensor } from "./tensor.ts";
import { sizeOf, type Shape, type TensorType } from "./tensor-type.ts";

/** Values of any dtype, held as doubles, row-major. */
export type Values = Float64Array;
type Operand = { shape: Shape; data: Values };
type Row<P extends PrimitiveName> = (inputs: readonly Operand[], params: PrimitiveParams[P], outputs: readonly TensorType[]) => Values[];

/** Values of the graph's outputs. Inputs are given by name, any numeric array. */
export function evaluateGraph(graph: Graph, inputs: { readonly [name: string]: ArrayLike<number> }): { [name: string]: Values } {
  const values = new Map<Tensor, Values>();
  for (const [name, tensor] of graph.inputs) {
    const given = inputs[name];
    if (given === undefined || given.length !== sizeOf(tensor.shape)) {
      throw new SparError(
        "tensor/input-missing",
        `evaluateGraph: input "${name}" needs ${sizeOf(tensor.shape)} values, got ${given?.length ?? "none"}`,
      );
    }
    values.set(tensor, Float64Array.from(given));
  }
  for (const node of graph.nodes) {
    const operands = node.inputs.map((x) => ({ shape: x.shape, data: values.get(x) as Values }));
    const results = (table[node.primitive] as Row<PrimitiveName>)(operands, node.params, node.outputs);
    for (const [i, output] of node.outputs.entries()) values.set(output, results[i]);
  }
  return Object.fromEntries([...graph.outputs].map(([name, tensor]) => [name, values.get(tensor) as Values]));
}

function strides(shape: Shape): number[] {
  const result = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) result[i] = result[i + 1] * shape[i + 1];
  return result;
}

/** For each element of `shape`, where it is read from in an operand that broadcasts to it. */
function broadcastOffsets(shape: Shape, from: Shape): Int32Array {
  const own = strides(from);
  const extra = shape.length - from.length;
  const steps = shape.map((_, i) => (i < extra || from[i - extra] === 1 ? 0 : own[i - extra]));
  return gatherOffsets(shape, steps);
}

/** Offsets Σ index·step over all indices of `shape` in row-major order. */
function gatherOffsets(shape: Shape, steps: readonly number[], start = 0): Int32Array {
  const offsets = new Int32Array(sizeOf(shape));
  const index = new Array<number>(shape.length).fill(0);
  let at = start;
  for (let n = 0; n < offsets.length; n++) {
    offsets[n] = at;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += steps[axis];
      if (++index[axis] < shape[axis]) break;
      at -= steps[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return offsets;
}

const unary =
  (f: (x: number) => number): Row<PrimitiveName> =>
  ([x]) => [x.data.map(f)];

const elementwise =
  (f: (...xs: number[]) => number): Row<PrimitiveName> =>
  (inputs, _params, [output]) => {
    const offsets = inputs.map((x) => broadcastOffsets(output.shape, x.shape));
    return [Float64Array.from({ length: sizeOf(output.shape) }, (_, n) => f(...inputs.map((x, i) => x.data[offsets[i][n]])))];
  };

const reduction =
  (start: number, f: (accumulated: number, x: number) => number): Row<"reduceSum" | "reduceMax"> =>
  ([x], { axes }) => {
    const kept = strides(x.shape.map((d, i) => (axes.includes(i) ? 1 : d)));
    const offsets = gatherOffsets(
      x.shape,
      x.shape.map((_, i) => (axes.includes(i) ? 0 : kept[i])),
    );
    const result = new Float64Array(x.shape.reduce((n, d, i) => (axes.includes(i) ? n : n * d), 1)).fill(start);
    for (const [n, at] of offsets.entries()) result[at] = f(result[at], x.data[n]);
    return [result];
  };

/** Applies `f` to every run of `width` consecutive values. */
function overRows(data: Values, width: number, f: (row: Values, r: number) => void): Values {
  const result = data.slice();
  for (let r = 0; r * width < data.length; r++) f(result.subarray(r * width, (r + 1) * width), r);
  return result;
}

function softmaxRow(row: Values, log: boolean): void {
  const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const z = row.reduce((sum, x) => sum + Math.exp(x - top), 0);
  for (let i = 0; i < row.length; i++) row[i] = log ? row[i] - top - Math.log(z) : Math.exp(row[i] - top) / z;
}

/** op(a) op(b)·alpha for one pair of matrices. */
function product(
  a: Values,
  b: Values,
  m: number,
  n: number,
  k: number,
  transA: boolean,
  transB: boolean,
  alpha: number,
  out: Values,
): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let total = 0;
      for (let l = 0; l < k; l++) total += a[transA ? l * m + i : i * k + l] * b[transB ? j * k + l : l * n + j];
      out[i * n + j] = alpha * total;
    }
  }
}

const matmul: Row<"matmul"> = ([a, b], { transA, transB, alpha }, [output]) => {
  const [m, n] = output.shape.slice(-2);
  const k = a.shape.at(transA ? -2 : -1) as number;
  const batch = output.shape.slice(0, -2);
  const atA = broadcastOffsets(batch, a.shape.slice(0, -2));
  const atB = broadcastOffsets(batch, b.shape.slice(0, -2));
  const out = new Float64Array(sizeOf(output.shape));
  for (let i = 0; i < sizeOf(batch); i++) {
    product(a.data.subarray(atA[i] * m * k), b.data.subarray(atB[i] * k * n), m, n, k, transA, transB, alpha, out.subarray(i * m * n));
  }
  return [out];
};

const slice = (x: Operand, axis: number, start: number, shape: Shape): Values => {
  const steps = strides(x.shape);
  return Float64Array.from(gatherOffsets(shape, steps, start * steps[axis]), (at) => x.data[at]);
};

/** erf by its series near zero and its continued fraction far out (Abramowitz & Stegun 7.1.5, 7.1.14): to 1e-15. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 3) {
    let term = x;
    let total = x;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-18; n++) {
      term *= (-x * x) / n;
      total += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const table: { [P in PrimitiveName]: Row<P> } = {
  input: () => [],
  constant: (_inputs, { data }) => [Float64Array.from(data as ArrayLike<number | bigint>, Number)],

  detach: unary((x) => x),
  neg: unary((x) => -x),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  tanh: unary(Math.tanh),
  sigmoid: unary(sigmoid),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  abs: unary(Math.abs),
  not: unary((x) => (x === 0 ? 1 : 0)),
  gelu: ([x], { approximate }) => [
    x.data.map(
      approximate === "tanh"
        ? (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))
        : (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
    ),
  ],
  silu: unary((x) => x * sigmoid(x)),
  cast: ([x], { dtype }) => [x.data.map((v) => (dtype === "bool" ? (v === 0 ? 0 : 1) : dtype === "float32" ? v : Math.trunc(v)))],
  add: elementwise((a, b) => a + b),
  sub: elementwise((a, b) => a - b),
  mul: elementwise((a, b) => a * b),
  div: (inputs, params, outputs) =>
    elementwise(outputs[0].dtype === "float32" ? (a, b) => a / b : (a, b) => Math.trunc(a / b))(inputs, params, outputs),
  max: elementwise(Math.max),
  min: elementwise(Math.min),
  equal: elementwise((a, b) => (a === b ? 1 : 0)),
  less: elementwise((a, b) => (a < b ? 1 : 0)),
  and: elementwise((a, b) => a && b),
  where: elementwise((condition, a, b) => (condition === 0 ? b : a)),

  reshape: ([x]) => [x.data],
  transpose: ([x], { permutation }, [output]) => {
    const steps = strides(x.shape);
    return [
      Float64Array.from(
        gatherOffsets(
          output.shape,
          permutation.map((p) => steps[p]),
        ),
        (at) => x.data[at],
      ),
    ];
  },
  expand: ([x], _params, [output]) => [Float64Array.from(broadcastOffsets(output.shape, x.shape), (at) => x.data[at])],
  concat: (inputs, { axis }, [output]) => {
    const out = new Float64Array(sizeOf(output.shape));
    const steps = strides(output.shape);
    let start = 0;
    for (const x of inputs) {
      for (const [n, at] of gatherOffsets(x.shape, steps, start * steps[axis]).entries()) out[at] = x.data[n];
      start += x.shape[axis];
    }
    return [out];
  },
  slice: ([x], { axis, start }, [output]) => [slice(x, axis, start, output.shape)],
  pad: ([x], { axis, before }, [output]) => {
    const out = new Float64Array(sizeOf(output.shape));
    const steps = strides(output.shape);
    for (const [n, at] of gatherOffsets(x.shape, steps, before * steps[axis]).entries()) out[at] = x.data[n];
    return [out];
  },

  reduceSum: reduction(0, (a, b) => a + b),
  reduceMax: reduction(-Infinity, Math.max),
  cumsum: ([x], { axis }) => {
    const out = x.data.slice();
    const step = strides(x.shape)[axis];
    for (let n = 0; n < out.length; n++) if (Math.floor(n / step) % x.shape[axis] > 0) out[n] += out[n - step];
    return [out];
  },
  argMax: ([x], { axis }, [output]) => {
    const step = strides(x.shape)[axis];
    const base = gatherOffsets(
      output.shape,
      strides(x.shape).filter((_, i) => i !== axis),
    );
    return [
      Float64Array.from(base, (at) => {
        let best = 0;
        for (let i = 1; i < x.shape[axis]; i++) if (x.data[at + i * step] > x.data[at + best * step]) best = i;
        return best;
      }),
    ];
  },
  topK: ([x], { k }, [output]) => {
    const width = x.shape.at(-1) as number;
    const values = new Float64Array(sizeOf(output.shape));
    const indices = new Float64Array(values.length);
    overRows(x.data, width, (row, r) => {
      const order = [...row.keys()].sort((i, j) => row[j] - row[i] || i - j).slice(0, k);
      for (const [n, i] of order.entries()) {
        values[r * k + n] = row[i];
        indices[r * k + n] = i;
      }
    });
    return [values, indices];
  },

  matmul,
  linear: ([x, w, c], { transW }, [output]) => {
    const [y] = matmul([x, w], { transA: false, transB: transW, alpha: 1 }, [output]);
    if (c !== undefined) for (const [n, at] of broadcastOffsets(output.shape, c.shape).entries()) y[n] += c.data[at];
    return [y];
  },

  gather: ([tableOf, indices]) => {
    const width = sizeOf(tableOf.shape.slice(1));
    const out = new Float64Array(indices.data.length * width);
    for (const [n, row] of indices.data.entries()) out.set(tableOf.data.subarray(row * width, (row + 1) * width), n * width);
    return [out];
  },
  gatherElements: ([x, indices]) => {
    const width = x.shape.at(-1) as number;
    const k = indices.shape.at(-1) as number;
    return [indices.data.map((i, n) => x.data[Math.floor(n / k) * width + i])];
  },
  scatterElements: ([indices, updates, base], { width }, [output]) => {
    const out = base === undefined ? new Float64Array(sizeOf(output.shape)) : base.data.slice();
    const k = indices.shape.at(-1) as number;
    for (const [n, i] of indices.data.entries()) out[Math.floor(n / k) * width + i] += updates.data[n];
    return [out];
  },
  scatterAddRows: ([indices, rows, base], _params, [output]) => {
    const out = base === undefined ? new Float64Array(sizeOf(output.shape)) : base.data.slice();
    const width = sizeOf(output.shape.slice(1));
    for (const [n, row] of indices.data.entries()) for (let c = 0; c < width; c++) out[row * width + c] += rows.data[n * width + c];
    return [out];
  },

  softmax: ([x]) => [overRows(x.data, x.shape.at(-1) as number, (row) => softmaxRow(row, false))],
  logSoftmax: ([x]) => [overRows(x.data, x.shape.at(-1) as number, (row) => softmaxRow(row, true))],
  tokenLogprobs: ([logits, labels]) => {
    const width = logits.shape[1];
    const all = overRows(logits.data, width, (row) => softmaxRow(row, true));
    return [labels.data.map((label, n) => all[n * width + label]), all];
  },
  layerNorm: ([x, gamma, beta], { epsilon }, outputs) => {
    const width = x.shape.at(-1) as number;
    const means = new Float64Array(sizeOf(outputs[1].shape));
    const inverses = means.slice();
    const y = overRows(x.data, width, (row, r) => {
      means[r] = row.reduce((a, b) => a + b, 0) / width;
      inverses[r] = 1 / Math.sqrt(row.reduce((sum, v) => sum + (v - means[r]) ** 2, 0) / width + epsilon);
      for (let i = 0; i < width; i++) row[i] = (row[i] - means[r]) * inverses[r] * gamma.data[i] + beta.data[i];
    });
    return [y, means, inverses];
  },
  rmsNorm: ([x, gamma], { epsilon }, outputs) => {
    const width = x.shape.at(-1) as number;
    const inverses = new Float64Array(sizeOf(outputs[1].shape));
    const y = overRows(x.data, width, (row, r) => {
      inverses[r] = 1 / Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / width + epsilon);
      for (let i = 0; i < width; i++) row[i] *= inverses[r] * gamma.data[i];
    });
    return [y, inverses];
  },
  rotary: ([x, cos, sin]) => {
    const [, H, T, D] = x.shape;
    const half = D / 2;
    return [
      overRows(x.data, D, (row, r) => {
        const at = (Math.floor(r / (H * T)) * T + (r % T)) * half;
        for (let i = 0; i < half; i++) {
          const [a, b] = [row[i], row[i + half]];
          row[i] = a * cos.data[at + i] - b * sin.data[at + i];
          row[i + half] = b * cos.data[at + i] + a * sin.data[at + i];
        }
      }),
    ];
  },
  attention: ([q, k, v, bias], { scale }, outputs) => {
    const [B, H, T, D] = q.shape;
    const [, Hkv, S] = k.shape;
    const o = new Float64Array(sizeOf(outputs[0].shape));
    const p = new Float64Array(sizeOf(outputs[1].shape));
    for (let b = 0; b < B; b++) {
      for (let h = 0; h < H; h++) {
        const at = b * H + h;
        const kv = (b * Hkv + Math.floor(h / (H / Hkv))) * S * D;
        const scores = p.subarray(at * T * S, (at + 1) * T * S);
        product(q.data.subarray(at * T * D), k.data.subarray(kv), T, S, D, false, true, scale, scores);
        const biasAt = (bias.shape[0] === 1 ? 0 : b) * T * S;
        for (let i = 0; i < T * S; i++) scores[i] += bias.data[biasAt + i];
        for (let i = 0; i < T; i++) softmaxRow(scores.subarray(i * S, (i + 1) * S), false);
        product(scores, v.data.subarray(kv), T, D, S, false, false, 1, o.subarray(at * T * D));
      }
    }
    return [o, p];
  },
  cachedAttention: ([q, k, v, pastK, pastV, lengths], { heads, kvHeads, scale, window }) => {
    const [B, , S, D] = pastK.shape;
    const presentK = pastK.data.slice();
    const presentV = pastV.data.slice();
    const out = new Float64Array(q.data.length);
    for (let b = 0; b < B; b++) {
      const position = lengths.data[b];
      for (let h = 0; h < kvHeads; h++) {
        const to = ((b * kvHeads + h) * S + position) * D;
        presentK.set(k.data.subarray((b * kvHeads + h) * D, (b * kvHeads + h + 1) * D), to);
        presentV.set(v.data.subarray((b * kvHeads + h) * D, (b * kvHeads + h + 1) * D), to);
      }
      const from = window < 0 ? 0 : Math.max(0, position + 1 - window);
      for (let h = 0; h < heads; h++) {
        const cache = (b * kvHeads + Math.floor(h / (heads / kvHeads))) * S * D;
        const query = (b * heads + h) * D;
        const scores = Float64Array.from({ length: position + 1 - from }, (_, i) => {
          let total = 0;
          for (let d = 0; d < D; d++) total += q.data[query + d] * presentK[cache + (from + i) * D + d];
          return total * scale;
        });
        softmaxRow(scores, false);
        for (const [i, weight] of scores.entries())
          for (let d = 0; d < D; d++) out[query + d] += weight * presentV[cache + (from + i) * D + d];
      }
    }
    return [out, presentK, presentV];
  },
};
