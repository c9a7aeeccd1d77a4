/**
 * Embedding gradients by hand. On the CPU ONNX Runtime's ScatterND(add) races over repeated indices and
 * ScatterElements(add) is an order of magnitude slower than it should be, while a plain loop over rows costs
 * a millisecond. So where a graph output is scattered rows, or a sum with scattered rows in it, the session
 * computes the rest of the sum straight into the output, and the rows are added on the host afterwards.
 */
import { apply, buildGraph, isNode, sameShape, sizeOf, type Graph, type Node, type Tensor, type TensorType } from "../tensor/index.ts";

/** Rows to add after the run: names are of graph inputs, of graph outputs, or of scratch values. */
export interface HostScatter {
  readonly output: string;
  readonly indices: string;
  readonly rows: string;
}

export interface PeeledGraph {
  /** What the session computes: the outputs that still need it, and the scratch values. */
  readonly graph: Graph;
  readonly scratch: ReadonlyMap<string, TensorType>;
  /** Outputs that the session does not write: their start is this input, or zeros where undefined. */
  readonly starts: ReadonlyMap<string, string | undefined>;
  readonly scatters: readonly HostScatter[];
}

/** Takes the final row scatters out of a graph; pure. Scatters that something else reads stay. */
export function peelScatters(graph: Graph): PeeledGraph {
  const uses = countUses(graph);
  const outputs = new Map<string, Tensor>();
  const scratch = new Map<string, TensorType>();
  const starts = new Map<string, string | undefined>();
  const scatters: HostScatter[] = [];
  const peeled: { output: string; nodes: Node[] }[] = [];

  for (const [name, tensor] of graph.outputs) {
    const { terms, nodes } = splitSum(tensor, uses);
    if (nodes.length === 0) {
      outputs.set(name, tensor);
      continue;
    }
    peeled.push({ output: name, nodes });
    const [first, ...others] = terms;
    if (first === undefined) starts.set(name, undefined);
    else if (others.length === 0 && isNode(first.node, "input")) starts.set(name, first.node.params.name);
    else
      outputs.set(
        name,
        others.reduce((sum, term) => apply("add", [sum, term], {})[0] as Tensor, first),
      );
  }

  const nameOf = (tensor: Tensor): string => {
    if (isNode(tensor.node, "input")) return tensor.node.params.name;
    for (const [name, output] of outputs) if (output === tensor && !peeled.some((p) => p.output === name)) return name;
    const name = `scatter:${scratch.size}`;
    scratch.set(name, { dtype: tensor.dtype, shape: tensor.shape });
    outputs.set(name, tensor);
    return name;
  };
  for (const { output, nodes } of peeled) {
    for (const { inputs } of nodes) scatters.push({ output, indices: nameOf(inputs[0] as Tensor), rows: nameOf(inputs[1] as Tensor) });
  }
  return { graph: buildGraph(Object.fromEntries(outputs)), scratch, starts, scatters };
}

function countUses(graph: Graph): ReadonlyMap<Tensor, number> {
  const uses = new Map<Tensor, number>();
  const count = (tensor: Tensor): void => void uses.set(tensor, (uses.get(tensor) ?? 0) + 1);
  for (const output of graph.outputs.values()) count(output);
  for (const node of graph.nodes) for (const input of node.inputs) count(input);
  return uses;
}

/** A sum as its terms and the scatters among them; a part without a scatter stays one term. */
function splitSum(tensor: Tensor, uses: ReadonlyMap<Tensor, number>): { terms: Tensor[]; nodes: Node[] } {
  const { node } = tensor;
  const whole = { terms: [tensor], nodes: [] };
  if (uses.get(tensor) !== 1) return whole;
  if (isNode(node, "scatterAddRows")) {
    const base = node.inputs[2];
    const rest = base === undefined ? { terms: [], nodes: [] } : splitSum(base, uses);
    return { terms: rest.terms, nodes: [...rest.nodes, node] };
  }
  if (!isNode(node, "add") || !node.inputs.every((input) => sameShape(input.shape, tensor.shape))) return whole;
  const parts = node.inputs.map((input) => splitSum(input, uses));
  if (parts.every((part) => part.nodes.length === 0)) return whole;
  return { terms: parts.flatMap((part) => part.terms), nodes: parts.flatMap((part) => part.nodes) };
}

/** How many numbers a row of `rows` has, for as many rows as `indices`. */
export function rowWidth(indices: TensorType, rows: TensorType): number {
  return sizeOf(rows.shape.slice(indices.shape.length));
}
