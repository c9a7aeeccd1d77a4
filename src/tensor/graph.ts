/** A graph: everything reachable from named outputs, in creation (= topological) order. */
import { SparError } from "../internal/errors.ts";
import { isNode, type Node, type Tensor } from "./tensor.ts";
import { sameShape } from "./tensor-type.ts";

export interface Graph {
  /** Named inputs, in creation order. */
  readonly inputs: ReadonlyMap<string, Tensor>;
  /** All nodes but inputs, each after what it reads. */
  readonly nodes: readonly Node[];
  readonly outputs: ReadonlyMap<string, Tensor>;
}

/** Collects the graph of some outputs; two different inputs of one name are an error. */
export function buildGraph(outputs: { readonly [name: string]: Tensor }): Graph {
  const seen = new Set<Node>();
  const pending = Object.values(outputs).map((tensor) => tensor.node);
  while (pending.length > 0) {
    const node = pending.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const input of node.inputs) pending.push(input.node);
  }
  const ordered = [...seen].sort((a, b) => a.outputs[0].id - b.outputs[0].id);
  const inputs = new Map<string, Tensor>();
  for (const node of ordered) {
    if (!isNode(node, "input")) continue;
    const { name } = node.params;
    const known = inputs.get(name);
    if (known !== undefined) {
      const same = known.dtype === node.params.dtype && sameShape(known.shape, node.params.shape);
      throw new SparError(
        "tensor/duplicate-input",
        `buildGraph: two different inputs are named "${name}"${same ? "" : " (and their types differ)"}; make it once and pass it on`,
      );
    }
    inputs.set(name, node.outputs[0]);
  }
  return { inputs, nodes: ordered.filter((node) => node.primitive !== "input"), outputs: new Map(Object.entries(outputs)) };
}
