/** The executable specification of a legal graph. Throws on the first thing that does not hold. */
import { assert } from "../internal/errors.ts";
import type { Graph } from "./graph.ts";
import { infer } from "./infer.ts";
import type { Tensor } from "./tensor.ts";
import { formatType, sameShape } from "./tensor-type.ts";

export function verifyGraph(graph: Graph): void {
  const bound = new Set<Tensor>();
  for (const [name, tensor] of graph.inputs) {
    assert(
      tensor.node.primitive === "input" && tensor.node.params && "name" in tensor.node.params && tensor.node.params.name === name,
      `input "${name}" is not an input of that name`,
    );
    bound.add(tensor);
  }
  for (const node of graph.nodes) {
    for (const x of node.inputs) assert(bound.has(x), `${node.primitive} reads ${formatType(x)} before it is made`);
    const types = infer(node.primitive, node.inputs, node.params);
    assert(types.length === node.outputs.length, `${node.primitive} has ${node.outputs.length} outputs, its rule gives ${types.length}`);
    for (const [i, output] of node.outputs.entries()) {
      assert(output.node === node && output.index === i, `${node.primitive}: output ${i} does not point back at its node`);
      assert(
        output.dtype === types[i].dtype && sameShape(output.shape, types[i].shape),
        `${node.primitive}: output ${i} is ${formatType(output)}, its rule gives ${formatType(types[i])}`,
      );
      assert(!bound.has(output), `${node.primitive}: output ${i} is bound twice`);
      bound.add(output);
    }
  }
  for (const [name, tensor] of graph.outputs) assert(bound.has(tensor), `output "${name}" is not made by the graph`);
}
