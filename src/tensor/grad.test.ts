import { describe, expect, it } from "vitest";
import { evaluateGraph } from "./evaluate.ts";
import { buildGraph } from "./graph.ts";
import { grad } from "./grad.ts";
import { caseValues, opCases } from "./op-cases.ts";
import * as t from "./ops.ts";
import { recomputed, type Tensor } from "./tensor.ts";
import { sizeOf } from "./tensor-type.ts";
import { verifyGraph } from "./verify.ts";
import { vjp } from "./vjp.ts";

/** A scalar that weighs every element differently, so that no gradient can hide. */
function weigh(outputs: readonly Tensor[]): Tensor {
  return outputs
    .filter((y) => y.dtype === "float32")
    .map((y) =>
      t.sum(
        t.mul(
          y,
          t.constant(
            Float32Array.from({ length: sizeOf(y.shape) }, (_, i) => Math.sin(i + 1)),
            y.shape,
          ),
        ),
      ),
    )
    .reduce((a, b) => t.add(a, b));
}

describe("every derivative equals finite differences", () => {
  for (const opCase of opCases) {
    if (vjp[opCase.primitive] === "none" && opCase.primitive !== "constant") continue;
    it(opCase.name, () => {
      const xs = opCase.inputs.map(({ dtype, shape }, i) => t.input(`x${i}`, dtype, shape));
      const loss = weigh(opCase.build(xs));
      const wrt = xs.filter((x, i) => x.dtype === "float32" && opCase.inputs[i].fixed !== true);
      const gradients = grad(loss, wrt);
      const graph = buildGraph({ loss, ...Object.fromEntries(gradients.map((g, i) => [`g${i}`, g])) });
      verifyGraph(graph);
      const values = Object.fromEntries(opCase.inputs.map((x, i) => [`x${i}`, caseValues(x, i)]));
      const results = evaluateGraph(graph, values);
      const forward = buildGraph({ loss });
      for (const [g, x] of wrt.entries()) {
        const name = (x.node.params as { name: string }).name;
        if (!forward.inputs.has(name)) continue;
        for (let k = 0; k < sizeOf(x.shape); k++) {
          const at = (delta: number): number => {
            const moved = Float64Array.from(values[name]);
            moved[k] += delta;
            const used = Object.fromEntries(Object.entries({ ...values, [name]: moved }).filter(([n]) => forward.inputs.has(n)));
            return evaluateGraph(forward, used).loss[0];
          };
          const numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
          expect(results[`g${g}`][k], `${name}[${k}]`).toBeCloseTo(numeric, 5);
        }
      }
    });
  }
});

describe("grad", () => {
  it("has a case for every primitive", () => {
    const covered = new Set(opCases.map((c) => c.primitive));
    expect(Object.keys(vjp).filter((p) => p !== "input" && !covered.has(p as never))).toEqual([]);
  });

  it("sums the paths of a tensor used twice, and keeps scattered rows on a dense base", () => {
    const table = t.input("table", "float32", [4, 2]);
    const ids = t.input("ids", "int32", [3]);
    const tied = t.matmul(t.gather(table, ids), table, { transB: true });
    const [g] = grad(t.sum(t.mul(tied, tied)), [table]);
    expect(g.node.primitive).toBe("scatterAddRows");
    expect(g.node.inputs.length).toBe(3);
  });

  it("gives zeros where the loss does not depend on a tensor, and refuses a loss that is no scalar", () => {
    const x = t.input("x", "float32", [2]);
    const y = t.input("y", "float32", [3]);
    const [g] = grad(t.sum(x), [y]);
    expect([...evaluateGraph(buildGraph({ g }), {}).g]).toEqual([0, 0, 0]);
    expect(() => grad(x, [x])).toThrow(/expected a float32 scalar loss, got float32\[2\]/);
  });

  it("refuses what has no derivative instead of giving zeros", () => {
    const x = t.input("x", "float32", [2, 4]);
    expect(() => grad(t.sum(t.cumsum(x, 1)), [x])).toThrow(/cumsum has no derivative/);
    const bias = t.input("bias", "float32", [1, 1, 2, 2]);
    const q = t.input("q", "float32", [1, 1, 2, 8]);
    expect(() => grad(t.sum(t.attention(q, q, q, bias, 1)), [bias])).toThrow(/attention has no derivative with respect to its input 3/);
  });

  it("takes what is detached for a constant", () => {
    const x = t.input("x", "float32", [2]);
    const [gradient] = grad(t.sum(t.mul(x, t.detach(t.exp(x)))), [x]);
    expect([...evaluateGraph(buildGraph({ gradient }), { x: [0, 1] }).gradient]).toEqual([1, Math.E]);
    const [none] = grad(t.sum(t.detach(x)), [x]);
    expect([...evaluateGraph(buildGraph({ none }), {}).none]).toEqual([0, 0]);
  });

  it("recomputes a segment: the same gradients, and nothing inside the segment is read by the backward pass", () => {
    const x = t.input("x", "float32", [2, 3]);
    const w = t.input("w", "float32", [3, 3]);
    const layer = (h: Tensor): Tensor => t.tanh(t.linear(t.tanh(h), w));
    const values = { x: caseValues({ dtype: "float32", shape: [2, 3] }, 0), w: caseValues({ dtype: "float32", shape: [3, 3] }, 1) };
    const plain = grad(t.sum(layer(layer(x))), [x, w]);
    const first = recomputed(() => layer(x));
    const second = recomputed(() => layer(first));
    const lean = grad(t.sum(second), [x, w]);
    const a = evaluateGraph(buildGraph({ x: plain[0], w: plain[1] }), values);
    const b = evaluateGraph(buildGraph({ x: lean[0], w: lean[1] }), values);
    expect(b).toEqual(a);
    const backward = buildGraph({ x: lean[0], w: lean[1] }).nodes.filter((n) => n.outputs[0].id > second.id);
    const kept = new Set(backward.flatMap((n) => n.inputs).filter((y) => y.id <= second.id && y.node.segment !== undefined));
    expect([...kept]).toEqual([first]);
  });
});
