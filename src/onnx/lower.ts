/** Table 4 of 4: graph → ONNX, one row a primitive. Traps of single kernels are noted at their row. */
import { isNode, sizeOf, type Graph, type PrimitiveName, type Tensor } from "../tensor/index.ts";
import type { AttributeValue, OnnxModel } from "./model.ts";
import { int, microsoft, NodeWriter, type Row } from "./node-writer.ts";
import { linear, matmul } from "./products.ts";

export interface LowerOptions {
  /** Inputs that are given to the session as initializers. */
  readonly constants?: ReadonlySet<string>;
}

const direct =
  (op: string, domain = "", attributes: { readonly [name: string]: AttributeValue } = {}): Row<PrimitiveName> =>
  (_node, inputs, outputs, to) =>
    to.node(op, inputs, outputs, attributes, domain);

const reduction =
  (op: string): Row<"reduceSum" | "reduceMax"> =>
  ({ params: { axes, keepDims } }, [x], outputs, to) =>
    to.node(op, [x, to.integers(axes)], outputs, { keepdims: int(keepDims) });

/** int64 results are kept as int32: the only integer type of the tensor language. */
const toInt32 = (to: NodeWriter, wide: string, output: string): void => to.node("Cast", [wide], [output], { to: int(onnxTypes.int32) });

export const onnxTypes = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 } as const;

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

  matmul,
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
  const to = new NodeWriter(used, constants);
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
