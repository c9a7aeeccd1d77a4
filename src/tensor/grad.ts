/**
 * Reverse-mode differentiation on the static graph: one walk backwards, one `vjp` row a node.
 */
import { SparError } from "../internal/errors.ts";
import { apply, isNode, type Node, type Tensor } from "./tensor.ts";
import { formatType, sameShape, sizeOf } from "./tensor-type.ts";
import { vjp } from "./vjp.ts";
import * as t from "./ops.ts";

/** Sums `gradient` down to `shape`, undoing NumPy's broadcasting: the only place that knows of it. */
function unbroadcast(gradient: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(gradient.shape, shape)) return gradient;
  const extra = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((d, i) => (i < extra || (shape[i - extra] === 1 && d !== 1) ? [i] : []));
  return t.reshape(t.sum(gradient, axes), shape);
}

/**
 * a + b, where scattered rows keep the other side as their base (the dense sum is then done in place), and neighbouring
 * slices are joined instead of padded and added.
 */
export function accumulate(a: Tensor, b: Tensor): Tensor {
  const joined = joinNeighbours(a, b) ?? joinNeighbours(b, a);
  if (joined !== undefined) return joined;
  for (const [scattered, base] of [
    [a, b],
    [b, a],
  ]) {
    const { node } = scattered;
    if (isNode(node, "scatterAddRows")) {
      const [indices, rows, own] = node.inputs;
      return apply("scatterAddRows", [indices, rows, own === undefined ? base : accumulate(own, base)], node.params)[0];
    }
  }
  return t.add(a, b);
}

/** Two padded tensors as one, where `second` begins at the place along the axis where `first` ends. */
function joinNeighbours({ node: first }: Tensor, { node: second }: Tensor): Tensor | undefined {
  if (!isNode(first, "pad") || !isNode(second, "pad") || first.params.axis !== second.params.axis) return undefined;
  const { axis, before } = first.params;
  if (before + first.inputs[0].shape[axis] !== second.params.before) return undefined;
  const parts = [first, second].flatMap(({ inputs: [x] }) =>
    isNode(x.node, "concat") && x.node.params.axis === axis ? x.node.inputs : [x],
  );
  const whole = t.concat(parts, axis);
  const { after } = second.params;
  return before === 0 && after === 0 ? whole : t.pad(whole, axis, before, after);
}

/**
 * Gradients of the scalar `loss` with respect to `wrt`, each of its tensor's shape (zeros where the loss
 * does not depend on it).
 *
 * Throws `tensor/no-derivative` rather than stop silently at what cannot be differentiated.
 * Nodes built under `recomputed` are built a second time for the backward pass, from what enters their
 * segment, so that their results need not be kept.
 */
export function grad(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (sizeOf(loss.shape) !== 1 || loss.dtype !== "float32") {
    throw new SparError("tensor/not-scalar", `grad: expected a float32 scalar loss, got ${formatType(loss)}`);
  }
  const { nodes, depends } = nodesBetween(wrt, loss);
  const gradients = new Map<Tensor, Tensor>([[loss, t.constant(Float32Array.of(1), loss.shape)]]);
  const rebuilt = new Rebuilder(nodes);

  for (const node of nodes.toReversed()) {
    const all = node.outputs.map((output) => gradients.get(output));
    const first = all.find((g) => g !== undefined);
    if (first === undefined) continue;
    const row = vjp[node.primitive] as
      | ((node: Node, dy: Tensor | undefined, all: readonly (Tensor | undefined)[]) => readonly (Tensor | undefined)[])
      | "none";
    if (row === "none")
      throw new SparError("tensor/no-derivative", `grad: ${node.primitive} has no derivative, and the loss depends on it`);
    if (node.primitive !== "tokenLogprobs" && all.some((g, i) => i > 0 && g !== undefined)) {
      throw new SparError("tensor/no-derivative", `grad: only the first output of ${node.primitive} can be differentiated`);
    }
    const source = rebuilt.node(node, first);
    const contributions = row(source, all[0], all);
    for (const [i, contribution] of contributions.entries()) {
      const x = node.inputs[i];
      if (x === undefined || x.dtype !== "float32" || !depends.has(x)) continue;
      if (contribution === undefined)
        throw new SparError("tensor/no-derivative", `grad: ${node.primitive} has no derivative with respect to its input ${i}`);
      const reduced = unbroadcast(contribution, x.shape);
      const known = gradients.get(x);
      gradients.set(x, known === undefined ? reduced : accumulate(known, reduced));
    }
    for (const output of node.outputs) if (!wrt.includes(output)) gradients.delete(output);
  }
  return wrt.map((x) => gradients.get(x) ?? t.expand(t.scalar(0), x.shape));
}

/** The nodes on a path (that nothing detached cuts) from `wrt` to `loss`, in creation order, and every tensor that depends on `wrt`. */
function nodesBetween(wrt: readonly Tensor[], loss: Tensor): { nodes: Node[]; depends: ReadonlySet<Tensor> } {
  const seen = new Set<Node>();
  const pending = [loss.node];
  while (pending.length > 0) {
    const node = pending.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const x of node.inputs) pending.push(x.node);
  }
  const depends = new Set<Tensor>(wrt);
  const nodes = [...seen]
    .sort((a, b) => a.outputs[0].id - b.outputs[0].id)
    .filter((node) => {
      if (isNode(node, "detach") || !node.inputs.some((x) => depends.has(x))) return false;
      for (const output of node.outputs) depends.add(output);
      return true;
    });
  return { nodes, depends };
}

/** Gives, for a node of a recomputed segment, its copy in the backward pass; builds a segment's copies when first asked. */
class Rebuilder {
  readonly #segments = new Map<number, Node[]>();
  readonly #copies = new Map<Node, Node>();

  constructor(forward: readonly Node[]) {
    for (const node of forward) {
      if (node.segment === undefined) continue;
      const nodes = this.#segments.get(node.segment) ?? [];
      nodes.push(node);
      this.#segments.set(node.segment, nodes);
    }
  }

  node(node: Node, after: Tensor): Node {
    if (node.segment === undefined) return node;
    if (!this.#copies.has(node)) this.#copySegment(node.segment, after);
    return this.#copies.get(node) as Node;
  }

  #copySegment(segment: number, after: Tensor): void {
    // What enters the segment is made to depend on the gradient that arrives, so that no scheduler runs the
    // copies early and no optimiser merges them with the originals.
    const nothing = t.mul(firstElement(after), 0);
    const nodes = this.#segments.get(segment) as Node[];
    const inside = new Set(nodes);
    const entered = new Map<Tensor, Tensor>();
    for (const node of nodes) {
      const inputs = node.inputs.map((x) => {
        const copy = this.#copies.get(x.node);
        if (copy !== undefined && inside.has(x.node)) return copy.outputs[x.index];
        if (x.dtype !== "float32" || isNode(x.node, "input") || isNode(x.node, "constant")) return x;
        const known = entered.get(x) ?? t.add(x, nothing);
        entered.set(x, known);
        return known;
      });
      this.#copies.set(node, apply(node.primitive, inputs, node.params)[0].node);
    }
  }
}

function firstElement(x: Tensor): Tensor {
  const flat = t.reshape(x, [sizeOf(x.shape)]);
  return t.reshape(t.slice(flat, 0, 0, 1), []);
}
