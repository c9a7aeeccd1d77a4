/** What lowering writes to: the nodes and initializers of a model on its way. */
import type { Node, PrimitiveName, Shape, Tensor, TensorData } from "../tensor/index.ts";
import type { AttributeValue, OnnxInitializer, OnnxNode } from "./model.ts";

type Attributes = { readonly [name: string]: AttributeValue };

/** How one primitive is lowered: writes the nodes that make `outputs` from `inputs`. */
export type Row<P extends PrimitiveName> = (node: Node<P>, inputs: readonly string[], outputs: readonly string[], to: NodeWriter) => void;

export const microsoft = "com.microsoft";
export const int = (value: number | boolean): AttributeValue => ({ int: Number(value) });

/** Names of values that no tensor has are made here. */
export class NodeWriter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers = new Map<string, OnnxInitializer>();
  readonly used: ReadonlySet<Tensor>;
  /** Names of inputs that are given to the session as initializers, which a kernel may keep in a form of its own. */
  readonly constants: ReadonlySet<string>;
  #next = 0;

  constructor(used: ReadonlySet<Tensor>, constants: ReadonlySet<string>) {
    this.used = used;
    this.constants = constants;
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

  /** float32 zeros; equal shapes share one initializer. */
  zeros(shape: Shape): string {
    const name = `zeros[${shape.join(",")}]`;
    return this.constant(name, "float32", shape, new Float32Array(shape.reduce((product, size) => product * size, 1)));
  }

  constant(name: string, dtype: OnnxInitializer["dtype"], shape: Shape, data: TensorData | undefined): string {
    this.initializers.set(name, { name, dtype, shape, data });
    return name;
  }
}
