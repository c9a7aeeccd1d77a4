/** Table 1 of 4: output types of each primitive, and the check of its inputs. */
import { SparError } from "../internal/errors.ts";
import type { PrimitiveName, PrimitiveParams } from "./primitive.ts";
import { formatType, sameShape, shapeError, sizeOf, type DType, type Shape, type TensorType } from "./tensor-type.ts";

type Rule<P extends PrimitiveName> = (inputs: readonly TensorType[], params: PrimitiveParams[P], name: string) => TensorType[];

const f32 = (shape: Shape): TensorType => ({ dtype: "float32", shape });

function expect(condition: boolean, name: string, expected: string, inputs: readonly TensorType[]): asserts condition {
  if (!condition) throw shapeError(name, expected, inputs);
}

function expectDType(name: string, inputs: readonly TensorType[], ...dtypes: DType[]): void {
  for (const input of inputs) {
    if (!dtypes.includes(input.dtype)) {
      throw new SparError("tensor/dtype-mismatch", `${name}: expected ${dtypes.join(" or ")}, got ${inputs.map(formatType).join(" and ")}`);
    }
  }
}

/** NumPy's broadcasting of shapes, aligned at the last axis. */
export function broadcastShapes(name: string, inputs: readonly TensorType[]): Shape {
  const rank = Math.max(...inputs.map((t) => t.shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let size = 1;
    for (const { shape } of inputs) {
      const d = shape[axis - rank + shape.length] ?? 1;
      expect(d === 1 || size === 1 || d === size, name, "shapes that broadcast together", inputs);
      if (d !== 1) size = d;
    }
    return size;
  });
}

const unary =
  (...dtypes: DType[]): Rule<PrimitiveName> =>
  (inputs, _params, name) => {
    expectDType(name, inputs, ...dtypes);
    return [{ dtype: inputs[0].dtype, shape: inputs[0].shape }];
  };

const binary =
  (result: DType | "same", ...dtypes: DType[]): Rule<PrimitiveName> =>
  (inputs, _params, name) => {
    expectDType(name, inputs, ...dtypes);
    if (inputs[0].dtype !== inputs[1].dtype)
      throw new SparError("tensor/dtype-mismatch", `${name}: expected one dtype, got ${inputs.map(formatType).join(" and ")}`);
    return [{ dtype: result === "same" ? inputs[0].dtype : result, shape: broadcastShapes(name, inputs) }];
  };

const reduction: Rule<"reduceSum" | "reduceMax"> = (inputs, { axes, keepDims }, name) => {
  expectDType(name, inputs, "float32", "int32");
  const { dtype, shape } = inputs[0];
  expect(
    axes.every((a) => a >= 0 && a < shape.length),
    name,
    `axes within the rank, asked for [${axes.join(", ")}]`,
    inputs,
  );
  return [{ dtype, shape: shape.flatMap((d, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [d])) }];
};

const number = ["float32", "int32"] as const;

const rules: { [P in PrimitiveName]: Rule<P> } = {
  input: (_inputs, { dtype, shape }) => [{ dtype, shape }],
  constant: (_inputs, { dtype, shape, data }, name) => {
    expect(data.length === sizeOf(shape), name, `${sizeOf(shape)} values, got ${data.length}`, [{ dtype, shape }]);
    return [{ dtype, shape }];
  },

  detach: unary(...number),
  neg: unary(...number),
  exp: unary("float32"),
  log: unary("float32"),
  sqrt: unary("float32"),
  tanh: unary("float32"),
  sigmoid: unary("float32"),
  sin: unary("float32"),
  cos: unary("float32"),
  abs: unary("float32"),
  not: unary("bool"),
  gelu: unary("float32"),
  silu: unary("float32"),
  cast: (inputs, { dtype }) => [{ dtype, shape: inputs[0].shape }],
  add: binary("same", ...number),
  sub: binary("same", ...number),
  mul: binary("same", ...number),
  div: binary("same", ...number),
  max: binary("same", ...number),
  min: binary("same", ...number),
  equal: binary("bool", ...number),
  less: binary("bool", ...number),
  and: binary("bool", "bool"),
  where: (inputs, _params, name) => {
    const [condition, a, b] = inputs;
    expectDType(name, [condition], "bool");
    expect(a.dtype === b.dtype, name, "both choices of one dtype", inputs);
    return [{ dtype: a.dtype, shape: broadcastShapes(name, inputs) }];
  },

  reshape: (inputs, { shape }, name) => {
    expect(sizeOf(shape) === sizeOf(inputs[0].shape), name, `as many elements as [${shape.join(", ")}]`, inputs);
    return [{ dtype: inputs[0].dtype, shape }];
  },
  transpose: (inputs, { permutation }, name) => {
    const { dtype, shape } = inputs[0];
    expect(
      [...permutation].sort((a, b) => a - b).every((p, i) => p === i) && permutation.length === shape.length,
      name,
      `a rank that [${permutation.join(", ")}] permutes`,
      inputs,
    );
    return [{ dtype, shape: permutation.map((p) => shape[p]) }];
  },
  expand: (inputs, { shape }, name) => {
    expect(
      sameShape(broadcastShapes(name, [inputs[0], f32(shape)]), shape),
      name,
      `a shape that broadcasts to [${shape.join(", ")}]`,
      inputs,
    );
    return [{ dtype: inputs[0].dtype, shape }];
  },
  concat: (inputs, { axis }, name) => {
    const [first, ...others] = inputs;
    const fits = others.every(
      (t) =>
        t.dtype === first.dtype && t.shape.length === first.shape.length && t.shape.every((d, i) => i === axis || d === first.shape[i]),
    );
    expect(fits && axis >= 0 && axis < first.shape.length, name, `equal shapes but for axis ${axis}`, inputs);
    return [{ dtype: first.dtype, shape: first.shape.map((d, i) => (i === axis ? inputs.reduce((sum, t) => sum + t.shape[axis], 0) : d)) }];
  },
  slice: (inputs, { axis, start, end }, name) => {
    const { dtype, shape } = inputs[0];
    expect(start >= 0 && start < end && end <= shape[axis], name, `at least ${end} along axis ${axis} (from ${start})`, inputs);
    return [{ dtype, shape: shape.map((d, i) => (i === axis ? end - start : d)) }];
  },
  pad: (inputs, { axis, before, after }) => {
    const { dtype, shape } = inputs[0];
    return [{ dtype, shape: shape.map((d, i) => (i === axis ? d + before + after : d)) }];
  },

  reduceSum: reduction,
  reduceMax: reduction,
  cumsum: unary("float32"),
  argMax: (inputs, { axis }, name) => {
    expectDType(name, inputs, "float32");
    return [{ dtype: "int32", shape: inputs[0].shape.filter((_, i) => i !== axis) }];
  },
  topK: (inputs, { k }, name) => {
    expectDType(name, inputs, "float32");
    const { shape } = inputs[0];
    expect(k >= 1 && k <= shape[shape.length - 1], name, `a last axis of at least k = ${k}`, inputs);
    const kept = [...shape.slice(0, -1), k];
    return [f32(kept), { dtype: "int32", shape: kept }];
  },

  matmul: (inputs, { transA, transB }, name) => {
    expectDType(name, inputs, "float32");
    const [a, b] = inputs;
    expect(a.shape.length >= 2 && b.shape.length >= 2, name, "two matrices or batches of them", inputs);
    const [m, k] = transA ? [a.shape.at(-1), a.shape.at(-2)] : [a.shape.at(-2), a.shape.at(-1)];
    const [k2, n] = transB ? [b.shape.at(-1), b.shape.at(-2)] : [b.shape.at(-2), b.shape.at(-1)];
    expect(k === k2, name, `inner sizes that agree (transA ${transA}, transB ${transB})`, inputs);
    const batch = broadcastShapes(name, [f32(a.shape.slice(0, -2)), f32(b.shape.slice(0, -2))]);
    return [f32([...batch, m as number, n as number])];
  },
  linear: (inputs, { transW }, name) => {
    expectDType(name, inputs, "float32");
    const [x, w, c] = inputs;
    expect(x.shape.length === 2 && w.shape.length === 2, name, "x [N, K] and a matrix", inputs);
    const [k, n] = transW ? [w.shape[1], w.shape[0]] : [w.shape[0], w.shape[1]];
    expect(x.shape[1] === k, name, `inner sizes that agree (transW ${transW})`, inputs);
    const out = f32([x.shape[0], n]);
    if (c !== undefined)
      expect(sameShape(broadcastShapes(name, [out, c]), out.shape), name, `c that broadcasts to [${out.shape.join(", ")}]`, inputs);
    return [out];
  },

  gather: (inputs, _params, name) => {
    const [table, indices] = inputs;
    expectDType(name, [indices], "int32");
    return [{ dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(1)] }];
  },
  gatherElements: (inputs, _params, name) => {
    const [x, indices] = inputs;
    expectDType(name, [indices], "int32");
    expect(sameShape(x.shape.slice(0, -1), indices.shape.slice(0, -1)), name, "indices of x's shape but for the last axis", inputs);
    return [{ dtype: x.dtype, shape: indices.shape }];
  },
  scatterElements: (inputs, { width }, name) => {
    const [indices, updates, base] = inputs;
    expectDType(name, [indices], "int32");
    expect(sameShape(indices.shape, updates.shape), name, "an update for each index", inputs);
    const shape = [...indices.shape.slice(0, -1), width];
    if (base !== undefined) expect(sameShape(base.shape, shape), name, `a base [${shape.join(", ")}]`, inputs);
    return [f32(shape)];
  },
  scatterAddRows: (inputs, { rows }, name) => {
    const [indices, updates, base] = inputs;
    expectDType(name, [indices], "int32");
    expect(sameShape(indices.shape, updates.shape.slice(0, indices.shape.length)), name, "a row for each index", inputs);
    const shape = [rows, ...updates.shape.slice(indices.shape.length)];
    if (base !== undefined) expect(sameShape(base.shape, shape), name, `a base [${shape.join(", ")}]`, inputs);
    return [f32(shape)];
  },

  softmax: unary("float32"),
  logSoftmax: unary("float32"),
  tokenLogprobs: (inputs, _params, name) => {
    const [logits, labels] = inputs;
    expectDType(name, [logits], "float32");
    expectDType(name, [labels], "int32");
    expect(logits.shape.length === 2 && sameShape(labels.shape, [logits.shape[0]]), name, "logits [M, V] and labels [M]", inputs);
    return [f32(labels.shape), f32(logits.shape)];
  },
  layerNorm: (inputs, _params, name) => {
    const [x, gamma, beta] = inputs;
    const width = [x.shape.at(-1) as number];
    expect(sameShape(gamma.shape, width) && sameShape(beta.shape, width), name, "gamma and beta as wide as x's last axis", inputs);
    const statistics = f32([...x.shape.slice(0, -1), 1]);
    return [f32(x.shape), statistics, statistics];
  },
  rmsNorm: (inputs, _params, name) => {
    const [x, gamma] = inputs;
    expect(sameShape(gamma.shape, [x.shape.at(-1) as number]), name, "gamma as wide as x's last axis", inputs);
    return [f32(x.shape), f32([...x.shape.slice(0, -1), 1])];
  },
  rotary: (inputs, _params, name) => {
    const [x, cos, sin] = inputs;
    const [b, , t, d] = x.shape;
    expect(
      x.shape.length === 4 && sameShape(cos.shape, [b, t, d / 2]) && sameShape(sin.shape, cos.shape),
      name,
      "x [B, H, T, D] with cos and sin [B, T, D/2]",
      inputs,
    );
    return [f32(x.shape)];
  },
  attention: (inputs, _params, name) => {
    const [q, k, v, bias] = inputs;
    expectDType(name, inputs, "float32");
    const [b, h, t, d] = q.shape;
    const [, hkv, s] = k.shape;
    const fits = q.shape.length === 4 && sameShape(k.shape, [b, hkv, s, d]) && sameShape(v.shape, k.shape) && h % hkv === 0;
    expect(fits, name, "q [B, H, T, D], k and v [B, Hkv, S, D] with Hkv dividing H", inputs);
    expect(
      sameShape(bias.shape, [bias.shape[0], 1, t, s]) && (bias.shape[0] === 1 || bias.shape[0] === b),
      name,
      `bias [${b} or 1, 1, ${t}, ${s}]`,
      inputs,
    );
    return [f32(q.shape), f32([b, h, t, s])];
  },
  cachedAttention: (inputs, { heads, kvHeads }, name) => {
    const [q, k, v, pastK, pastV, lengths] = inputs;
    const [b] = q.shape;
    const d = q.shape[2] / heads;
    const s = pastK.shape[2];
    const fits = sameShape(q.shape, [b, 1, heads * d]) && sameShape(k.shape, [b, 1, kvHeads * d]) && sameShape(v.shape, k.shape);
    expect(
      fits && sameShape(pastK.shape, [b, kvHeads, s, d]) && sameShape(pastV.shape, pastK.shape),
      name,
      "one position of q, k, v and caches [B, Hkv, S, D]",
      inputs,
    );
    expect(sameShape(lengths.shape, [b]) && lengths.dtype === "int32", name, "lengths int32 [B]", inputs);
    return [f32(q.shape), f32(pastK.shape), f32(pastV.shape)];
  },
};

/** Output types of a primitive; throws `tensor/shape-mismatch` or `tensor/dtype-mismatch` where the inputs do not fit. */
export function infer<P extends PrimitiveName>(primitive: P, inputs: readonly TensorType[], params: PrimitiveParams[P]): TensorType[] {
  return (rules[primitive] as Rule<P>)(inputs, params, primitive);
}
