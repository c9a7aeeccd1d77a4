/** Table 4 of 4: graph → ONNX, one row a primitive. Traps of single kernels are noted at their row. */
import {
  isNode,
  sameShape,
  sizeOf,
  type Graph,
  type Node,
  type PrimitiveName,
  type Shape,
  type Tensor,
  type TensorData,
} from "../tensor/index.ts";
import type { AttributeValue, OnnxInitializer, OnnxModel, OnnxNode } from "./model.ts";

export interface LowerOptions {
  /** Inputs that are given to the session as initializers. */
  readonly constants?: ReadonlySet<string>;
}

type Attributes = { readonly [name: string]: AttributeValue };
type Row<P extends PrimitiveName> = (node: Node<P>, inputs: readonly string[], outputs: readonly string[], to: Emitter) => void;

const microsoft = "com.microsoft";
const int = (value: number | boolean): AttributeValue => ({ int: Number(value) });

/** Collects the nodes and initializers of a model; names of values that no tensor has are made here. */
class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers = new Map<string, OnnxInitializer>();
  readonly used: ReadonlySet<Tensor>;
  #next = 0;

  constructor(used: ReadonlySet<Tensor>) {
    this.used = used;
  }

  /** A node with one new output, whose name is returned. */
  value(op: string, inputs: readonly string[], attributes: Attributes = {}, domain = ""): string {
    const name = this.name();
    this.node(op, inputs, [name], attributes, domain);
    return name;
  }

  /** A fresh name. */
  name(): string {
    return `~${this.#next++}`;
  }

  node(op: string, inputs: readonly string[], outputs: readonly string[], attributes: Attributes = {}, domain = ""): void {
    this.nodes.push({ op, domain, inputs, outputs, attributes });
  }

  /** A small int64 list: shapes, axes and the like are inputs in ONNX. Equal lists share one initializer. */
  integers(values: readonly number[], shape: Shape = [values.length]): string {
    const name = `int64[${shape.join(",")}]:${values.join(",")}`;
    this.initializers.set(name, { name, dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) });
    return name;
  }

  constant(name: string, dtype: OnnxInitializer["dtype"], shape: Shape, data: TensorData | undefined): string {
    this.initializers.set(name, { name, dtype, shape, data });
    return name;
  }
}

const direct =
  (op: string, domain = "", attributes: Attributes = {}): Row<PrimitiveName> =>
  (_node, inputs, outputs, to) =>
    to.node(op, inputs, outputs, attributes, domain);

const reduction =
  (op: string): Row<"reduceSum" | "reduceMax"> =>
  ({ params: { axes, keepDims } }, [x], outputs, to) =>
    to.node(op, [x, to.integers(axes)], outputs, { keepdims: int(keepDims) });

/** int64 results are kept as int32: the only integer type of the tensor language. */
const toInt32 = (to: Emitter, wide: string, output: string): void => to.node("Cast", [wide], [output], { to: int(onnxTypes.int32) });

export const onnxTypes = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 } as const;

/**
 * The CPU kernel runs over all rows for each panel of 128 columns and 128 summands. While that part of x and of the result
 * stays in a core's cache (512 rows: half a megabyte) it runs at its full rate, with thousands of rows at three quarters.
 */
const linear: Row<"linear"> = ({ params, inputs: [x, w, c], outputs: [y] }, [rows, weight, bias], [output], to) => {
  const product = (part: string, added: string | undefined, name: string): void =>
    to.node("Gemm", added === undefined ? [part, weight] : [part, weight, added], [name], { transB: int(params.transW) });
  const blocks = Math.round(x.shape[0] / rowsInCache);
  if (blocks < 2 || sizeOf(w.shape) < 512 * 512) return product(rows, bias, output);
  const sizes = Array.from(
    { length: blocks },
    (_, i) => Math.floor(((i + 1) * x.shape[0]) / blocks) - Math.floor((i * x.shape[0]) / blocks),
  );
  const split = (name: string): string[] => {
    const parts = sizes.map(() => to.name());
    to.node("Split", [name, to.integers(sizes)], parts, { axis: int(0) });
    return parts;
  };
  const added = bias === undefined || !sameShape(c.shape, y.shape) ? sizes.map(() => bias) : split(bias);
  const results = split(rows).map((part, i) => {
    const name = to.name();
    product(part, added[i], name);
    return name;
  });
  to.node("Concat", results, [output], { axis: int(0) });
};

const rowsInCache = 512;

/**
 * aᵀ·b of two matrices, as weights' gradients are. The kernel transposes a anew for every panel of columns, so it is done
 * once beforehand; and a result with far more rows than columns (a vocabulary) is computed lying on its side, for the reason
 * given at `linear`.
 */
function weightGradient(
  { params: { alpha }, inputs: [a, b] }: Node<"matmul">,
  [first, second]: readonly string[],
  output: string,
  to: Emitter,
): void {
  const flip = (name: string): string => to.value("Transpose", [name], { perm: [1, 0] });
  const onSide = a.shape[1] > 2048 && a.shape[1] >= 4 * b.shape[1];
  const product = onSide ? to.name() : output;
  const factors = onSide ? [flip(second), first] : [flip(first), second];
  if (alpha === 1) to.node("MatMul", factors, [product]);
  else to.node("Gemm", factors, [product], { alpha });
  if (onSide) to.node("Transpose", [product], [output], { perm: [1, 0] });
}

/** Below this many multiplications another node costs more than it saves. */
const worthTransposing = 1 << 24;

const table: { [P in PrimitiveName]: Row<P> } = {
  input: () => undefined,
  constant: ({ params }, _inputs, [output], to) => void to.constant(output, params.dtype, params.shape, params.data),

  detach: direct("Identity"),
  neg: direct("Neg"),
  exp: direct("Exp"),
  log: direct("Log"),
  sqrt: direct("Sqrt"),
  tanh: direct("Tanh"),
  sigmoid: direct("Sigmoid"),
  sin: direct("Sin"),
  cos: direct("Cos"),
  abs: direct("Abs"),
  not: direct("Not"),
  gelu: ({ params }, inputs, outputs, to) => to.node("Gelu", inputs, outputs, { approximate: params.approximate }),
  silu: direct("QuickGelu", microsoft, { alpha: 1 }),
  cast: ({ params }, inputs, outputs, to) => to.node("Cast", inputs, outputs, { to: int(onnxTypes[params.dtype]) }),
  add: direct("Add"),
  sub: direct("Sub"),
  mul: direct("Mul"),
  div: direct("Div"),
  max: direct("Max"),
  min: direct("Min"),
  equal: direct("Equal"),
  less: direct("Less"),
  and: direct("And"),
  where: direct("Where"),

  reshape: ({ params }, [x], outputs, to) => to.node("Reshape", [x, to.integers(params.shape)], outputs),
  transpose: ({ params }, inputs, outputs, to) => to.node("Transpose", inputs, outputs, { perm: params.permutation }),
  expand: ({ params }, [x], outputs, to) => to.node("Expand", [x, to.integers(params.shape)], outputs),
  concat: ({ params }, inputs, outputs, to) => to.node("Concat", inputs, outputs, { axis: int(params.axis) }),
  slice: ({ params: { axis, start, end } }, [x], outputs, to) =>
    to.node("Slice", [x, to.integers([start]), to.integers([end]), to.integers([axis])], outputs),
  pad: ({ params: { axis, before, after } }, [x], outputs, to) =>
    to.node("Pad", [x, to.integers([before, after]), "", to.integers([axis])], outputs),

  reduceSum: reduction("ReduceSum"),
  reduceMax: reduction("ReduceMax"),
  cumsum: ({ params }, [x], outputs, to) => to.node("CumSum", [x, to.integers([params.axis], [])], outputs),
  argMax: ({ params }, inputs, [output], to) =>
    toInt32(to, to.value("ArgMax", inputs, { axis: int(params.axis), keepdims: int(0) }), output),
  topK: ({ params }, [x], [values, indices], to) => {
    const wide = `${indices}:int64`;
    to.node("TopK", [x, to.integers([params.k])], [values, wide]);
    toInt32(to, wide, indices);
  },

  matmul: (node, inputs, outputs, to) => {
    const {
      params: { transA, transB, alpha },
      inputs: [a, b],
    } = node;
    if (a.shape.length === 2 && transA && !transB && sizeOf(a.shape) * b.shape[1] >= worthTransposing)
      weightGradient(node, inputs, outputs[0], to);
    else if (!transA && !transB && alpha === 1) to.node("MatMul", inputs, outputs);
    else if (a.shape.length === 2 && b.shape.length === 2)
      to.node("Gemm", inputs, outputs, { transA: int(transA), transB: int(transB), alpha });
    else to.node("FusedMatMul", inputs, outputs, { transA: int(transA), transB: int(transB), alpha }, microsoft);
  },
  linear,

  gather: direct("Gather"),
  gatherElements: direct("GatherElements", "", { axis: int(-1) }),
  scatterElements: ({ params: { width }, outputs: [y] }, [indices, updates, base], outputs, to) => {
    const onto =
      base ?? to.value("Expand", [to.constant("zero", "float32", [], Float32Array.of(0)), to.integers([...y.shape.slice(0, -1), width])]);
    to.node("ScatterElements", [onto, indices, updates], outputs, { axis: int(-1), reduction: "add" });
  },
  // ScatterElements, not ScatterND: on the CPU ScatterND(add) races over repeated indices.
  scatterAddRows: ({ params: { rows }, inputs: [indices], outputs: [y] }, [at, updates, base], [output], to) => {
    const n = sizeOf(indices.shape);
    const width = sizeOf(y.shape) / rows;
    const onto =
      base === undefined
        ? to.value("Expand", [to.constant("zero", "float32", [], Float32Array.of(0)), to.integers([rows, width])])
        : to.value("Reshape", [base, to.integers([rows, width])]);
    const column = to.value("Reshape", [at, to.integers([n, 1])]);
    const everywhere = to.value("Expand", [column, to.integers([n, width])]);
    const flat = to.value("Reshape", [updates, to.integers([n, width])]);
    const sum = to.value("ScatterElements", [onto, everywhere, flat], { axis: int(0), reduction: "add" });
    to.node("Reshape", [sum, to.integers(y.shape)], [output]);
  },

  softmax: direct("Softmax", "", { axis: int(-1) }),
  logSoftmax: direct("LogSoftmax", "", { axis: int(-1) }),
  tokenLogprobs: ({ inputs: [, labels] }, [logits, ids], [chosen, all], to) => {
    const [n] = labels.shape;
    to.node("LogSoftmax", [logits], [all], { axis: int(-1) });
    const picked = to.value("GatherElements", [all, to.value("Reshape", [ids, to.integers([n, 1])])], { axis: int(-1) });
    to.node("Reshape", [picked, to.integers([n])], [chosen]);
  },
  layerNorm: ({ params }, inputs, outputs, to) =>
    to.node("LayerNormalization", inputs, outputs, { axis: int(-1), epsilon: params.epsilon }),
  rmsNorm: ({ params }, inputs, outputs, to) =>
    to.node("SimplifiedLayerNormalization", inputs, outputs, { axis: int(-1), epsilon: params.epsilon }),
  rotary: direct("RotaryEmbedding"),
  attention: ({ params, outputs: [, p] }, [q, k, v, bias], [output, probabilities], to) => {
    // Mode 3 gives the probabilities after softmax: what the backward pass needs, from the one fused kernel.
    const wanted = to.used.has(p);
    to.node("Attention", [q, k, v, bias], wanted ? [output, "", "", probabilities] : [output], {
      scale: params.scale,
      ...(wanted ? { qk_matmul_output_mode: int(3) } : {}),
    });
  },
  cachedAttention: (
    { params: { heads, kvHeads, scale, window }, inputs: [, , , pastK] },
    [q, k, v, keys, values, lengths],
    outputs,
    to,
  ) => {
    // The kernel wants the last valid index of each row, which is the number of tokens before this one.
    const total = to.constant(`total:${pastK.shape[2]}`, "int32", [], Int32Array.of(pastK.shape[2]));
    const attributes = { num_heads: int(heads), kv_num_heads: int(kvHeads), scale, local_window_size: int(window) };
    to.node("GroupQueryAttention", [q, k, v, keys, values, lengths, total], outputs, attributes, microsoft);
  },
};

/** Writes a graph as an ONNX model; inputs and outputs keep their names. */
export function lower(graph: Graph, { constants = new Set() }: LowerOptions = {}): OnnxModel {
  const used = new Set<Tensor>(graph.outputs.values());
  for (const node of graph.nodes) for (const x of node.inputs) used.add(x);
  const to = new Emitter(used);
  const names = new Map<Tensor, string>();
  for (const [name, tensor] of graph.inputs) {
    names.set(tensor, name);
    if (constants.has(name)) to.constant(name, tensor.dtype, tensor.shape, undefined);
  }
  const outputName = (name: string): string => (graph.inputs.has(name) ? `${name}:out` : name);
  for (const [name, tensor] of graph.outputs)
    if (!names.has(tensor) && !isNode(tensor.node, "constant")) names.set(tensor, outputName(name));
  let next = 0;
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (!names.has(output)) names.set(output, `%${next++}`);
    const name = (x: Tensor): string => names.get(x) as string;
    (table[node.primitive] as Row<PrimitiveName>)(node, node.inputs.map(name), node.outputs.map(name), to);
  }
  for (const [name, tensor] of graph.outputs)
    if (names.get(tensor) !== outputName(name)) to.node("Identity", [names.get(tensor) as string], [outputName(name)]);
  return {
    inputs: [...graph.inputs].filter(([name]) => !constants.has(name)).map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    outputs: [...graph.outputs].map(([name, { dtype, shape }]) => ({ name: outputName(name), key: name, dtype, shape })),
    initializers: [...to.initializers.values()],
    // ONNX Runtime connects nodes by name and runs the leaves of a graph from the last to the first. Listed backwards, each
    // weight's gradient is computed as soon as it can be, and what it was computed from is let go.
    nodes: to.nodes.toReversed(),
  };
}
