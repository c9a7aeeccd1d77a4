/**
 * Symbolic tensors. A `Tensor` is a handle on one output of a `Node`; nodes point at the tensors they
 * read, so a graph is whatever can be reached from its outputs. Nothing here holds memory: values
 * exist only in `runtime` (fast) and in `evaluate.ts` (the slow reference).
 */
import type { PrimitiveName, PrimitiveParams } from "./primitive.ts";
import { infer } from "./infer.ts";
import type { TensorType } from "./tensor-type.ts";

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
