/**
 * Symbolic tensors. A `Tensor` is a handle on one output of a `Node`; nodes point at the tensors they
 * read, so a graph is whatever can be reached from its outputs. Nothing here holds memory: values
 * exist only in `runtime` (fast) and in `evaluate.ts` (the slow reference).
 */
import { SparError } from "../internal/errors.ts";
import type { PrimitiveName, PrimitiveParams } from "./primitive.ts";
import { infer } from "./infer.ts";

export type DType = "float32" | "int32" | "int64" | "bool" | "uint8";
export type Shape = readonly number[];
export type TensorType = { readonly dtype: DType; readonly shape: Shape };

export type TensorData = Float32Array | Int32Array | BigInt64Array | Uint8Array;

export interface Tensor extends TensorType {
  /** Increases with every tensor made: creation order is a topological order. */
  readonly id: number;
  readonly node: Node;
  /** Which of the node's outputs this is. */
  readonly index: number;
}

export interface Node<P extends PrimitiveName = PrimitiveName> {
  readonly primitive: P;
  readonly params: PrimitiveParams[P];
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** Forward nodes of one segment are computed again in the backward pass instead of being kept (see grad.ts). */
  readonly segment: number | undefined;
}

let nextId = 0;
let currentSegment: number | undefined;
let nextSegment = 0;

/** Makes a node after inferring (and thereby checking) its output types; returns its outputs. */
export function apply<P extends PrimitiveName>(primitive: P, inputs: readonly Tensor[], params: PrimitiveParams[P]): readonly Tensor[] {
  const types = infer(primitive, inputs, params);
  const outputs: Tensor[] = [];
  const node = { primitive, params, inputs, outputs, segment: currentSegment } as Node;
  for (const [index, type] of types.entries()) outputs.push({ ...type, id: nextId++, node, index });
  return outputs;
}

/**
 * Runs `body`; what it builds will be recomputed in the backward pass rather than stored
 * (gradient checkpointing, Chen et al. 2016, arXiv 1604.06174).
 */
export function recomputed<T>(body: () => T): T {
  const outer = currentSegment;
  currentSegment = outer ?? nextSegment++;
  try {
    return body();
  } finally {
    currentSegment = outer;
  }
}

/** True for a node of primitive `name`, and narrows its parameters. */
export function isNode<P extends PrimitiveName>(node: Node, name: P): node is Node<P> {
  return (node.primitive as PrimitiveName) === name;
}

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, d) => product * d, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

export function formatType(type: TensorType): string {
  return `${type.dtype}[${type.shape.join(", ")}]`;
}

export function shapeError(operation: string, expected: string, got: readonly TensorType[]): SparError {
  return new SparError("tensor/shape-mismatch", `${operation}: expected ${expected}, got ${got.map(formatType).join(" and ")}`);
}

const bytesOf: Record<DType, number> = { float32: 4, int32: 4, int64: 8, bool: 1, uint8: 1 };

export function byteLengthOf(type: TensorType): number {
  return sizeOf(type.shape) * bytesOf[type.dtype];
}
