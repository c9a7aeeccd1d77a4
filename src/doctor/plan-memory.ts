/** What running a graph takes besides the buffers that are bound to it, told from the graph alone. */
import { lower } from "../onnx/index.ts";
import { byteLengthOf, sizeOf, type Graph, type Node } from "../tensor/index.ts";

export interface GraphPlan {
  /** The most bytes of intermediate values that live at one time. */
  readonly peakBytes: number;
  /** Multiplications and additions of its matrix products. */
  readonly flops: number;
}

/** Operators whose result may take the place of an input that nobody reads afterwards. */
const inPlace = new Set([
  "Neg",
  "Exp",
  "Log",
  "Sqrt",
  "Tanh",
  "Sigmoid",
  "Abs",
  "Add",
  "Sub",
  "Mul",
  "Div",
  "Cast",
  "Softmax",
  "LogSoftmax",
  "ScatterElements",
]);

interface Step {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/**
 * A value lives from the node that makes it to the last that reads it, in the order in which ONNX Runtime runs the nodes.
 * Inputs, outputs and constants are the caller's memory and do not count.
 */
export function planGraph(graph: Graph): GraphPlan {
  const steps: readonly Step[] = lower(graph).nodes;
  // An output over an input of its name is called `name:out` in the lowered model.
  const bound = new Set([...graph.inputs.keys(), ...[...graph.outputs.keys()].flatMap((name) => [name, `${name}:out`])]);
  return {
    peakBytes: findPeak(orderSteps(steps), measureValues(graph, steps), bound),
    flops: graph.nodes.reduce((sum, node) => sum + countFlops(node), 0),
  };
}

/** Bytes of every value by its name in the lowered model; helper values count as what they are made for. */
function measureValues(graph: Graph, steps: readonly Step[]): ReadonlyMap<string, number> {
  const bytes = new Map<string, number>();
  const named = new Set(graph.outputs.values());
  let next = 0;
  for (const node of graph.nodes)
    for (const output of node.outputs)
      if (!named.has(output) || node.primitive === "constant") bytes.set(`%${next++}`, byteLengthOf(output));
  for (const [name, tensor] of graph.outputs) bytes.set(name, byteLengthOf(tensor));
  for (const { inputs, outputs } of steps.toReversed()) {
    const made = Math.max(0, ...outputs.map((name) => bytes.get(name) ?? 0));
    for (const name of inputs) if (name.startsWith("~") && !bytes.has(name)) bytes.set(name, made);
  }
  return bytes;
}

/**
 * ONNX Runtime's default order (GraphViewer): depth first from the nodes that nobody reads, the last of them first,
 * and of a node's inputs the one made last first.
 */
function orderSteps(steps: readonly Step[]): Step[] {
  const maker = new Map<string, number>();
  for (const [i, { outputs }] of steps.entries()) for (const name of outputs) maker.set(name, i);
  const sources = steps.map(({ inputs }) => [...new Set(inputs.flatMap((name) => maker.get(name) ?? []))].sort((a, b) => a - b));
  const isRead = new Uint8Array(steps.length);
  for (const list of sources) for (const i of list) isRead[i] = 1;
  const stack = steps.flatMap((_, i) => (isRead[i] === 1 ? [] : [{ at: i, isDone: false }]));
  const seen = new Uint8Array(steps.length);
  const order: Step[] = [];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    if (top.isDone) {
      order.push(steps[top.at]);
      continue;
    }
    if (seen[top.at] === 1) continue;
    seen[top.at] = 1;
    stack.push({ at: top.at, isDone: true });
    for (const at of sources[top.at]) if (seen[at] === 0) stack.push({ at, isDone: false });
  }
  return order;
}

function findPeak(order: readonly Step[], bytes: ReadonlyMap<string, number>, bound: ReadonlySet<string>): number {
  // A reshaped value is another name for the same memory.
  const owner = new Map<string, string>();
  const ownerOf = (name: string): string => owner.get(name) ?? name;
  const lastUse = new Map<string, number>();
  for (const [i, { op, inputs, outputs }] of order.entries()) {
    if (op === "Reshape" && !bound.has(outputs[0])) owner.set(outputs[0], ownerOf(inputs[0]));
    for (const name of inputs) lastUse.set(ownerOf(name), i);
  }
  const ending = new Map<number, string[]>();
  for (const [name, i] of lastUse) ending.set(i, [...(ending.get(i) ?? []), name]);

  const held = new Map<string, number>();
  let live = 0;
  let peak = 0;
  for (const [i, { op, inputs, outputs }] of order.entries()) {
    const replaced = inPlace.has(op)
      ? inputs.map(ownerOf).find((name) => held.has(name) && lastUse.get(name) === i && held.get(name) === bytes.get(outputs[0]))
      : undefined;
    for (const name of outputs) {
      if (name === "" || bound.has(name) || owner.has(name)) continue;
      const size = bytes.get(name) ?? 0;
      held.set(name, size);
      live += size;
    }
    peak = Math.max(peak, live - (replaced === undefined || bound.has(outputs[0]) ? 0 : (held.get(replaced) as number)));
    for (const name of ending.get(i) ?? []) {
      live -= held.get(name) ?? 0;
      held.delete(name);
    }
  }
  return peak;
}

function countFlops(node: Node): number {
  const [a, b] = node.inputs;
  switch (node.primitive) {
    case "matmul": {
      const { transA } = (node as Node<"matmul">).params;
      return 2 * sizeOf(node.outputs[0].shape) * a.shape[a.shape.length - (transA ? 2 : 1)];
    }
    case "linear":
      return 2 * sizeOf(node.outputs[0].shape) * a.shape[1];
    case "attention":
      // Scores and weighted values.
      return 4 * sizeOf(a.shape) * b.shape[2];
    case "cachedAttention":
      return 4 * sizeOf(a.shape) * node.inputs[3].shape[2];
    default:
      return 0;
  }
}
