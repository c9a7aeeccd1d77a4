/** A graph as stable text: names count from the graph's own start, so equal graphs print equally. */
import type { Graph } from "./graph.ts";
import type { Tensor } from "./tensor.ts";
import { formatType, type TensorData } from "./tensor-type.ts";

function formatParam(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "string") return String(value);
  if (ArrayBuffer.isView(value)) {
    const data = value as TensorData;
    return data.length <= 4 ? `{${[...data].join(", ")}}` : `{${[...data.subarray(0, 3)].join(", ")}, … ${data.length}}`;
  }
  return `[${(value as readonly unknown[]).join(", ")}]`;
}

export function printGraph(graph: Graph): string {
  const names = new Map<Tensor, string>();
  const lines: string[] = [];
  for (const [name, tensor] of graph.inputs) {
    names.set(tensor, name);
    lines.push(`input ${name}: ${formatType(tensor)}`);
  }
  for (const [i, node] of graph.nodes.entries()) {
    for (const output of node.outputs) names.set(output, node.outputs.length === 1 ? `%${i}` : `%${i}.${output.index}`);
    const params = Object.entries(node.params).filter(([key]) => !(node.primitive === "constant" && key !== "data"));
    const shown = params.length === 0 ? "" : ` {${params.map(([key, value]) => `${key}: ${formatParam(value)}`).join(", ")}}`;
    const args = node.inputs.map((x) => names.get(x)).join(", ");
    lines.push(`${node.outputs.map((o) => `${names.get(o)}: ${formatType(o)}`).join(", ")} = ${node.primitive}(${args})${shown}`);
  }
  for (const [name, tensor] of graph.outputs) lines.push(`output ${name} = ${names.get(tensor)}`);
  return lines.join("\n");
}
