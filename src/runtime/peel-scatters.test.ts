import { describe, expect, test } from "vitest";
import { add, apply, buildGraph, input, mul, sum, type Tensor } from "../tensor/index.ts";
import { addRows } from "./host-scatter.ts";
import { peelScatters, rowWidth } from "./peel-scatters.ts";

const ids = input("ids", "int32", [5]);
const rows = input("rows", "float32", [5, 3]);
const dense = input("dense", "float32", [7, 3]);
const scatter = (updates: Tensor, base?: Tensor): Tensor =>
  apply("scatterAddRows", base === undefined ? [ids, updates] : [ids, updates, base], { rows: 7 })[0] as Tensor;

describe("peelScatters", () => {
  test("a graph without scatters stays", () => {
    const graph = buildGraph({ y: mul(dense, dense) });
    expect(peelScatters(graph)).toMatchObject({ scatters: [], graph: { outputs: graph.outputs } });
  });

  test("inputs only: no session is needed", () => {
    const peeled = peelScatters(buildGraph({ y: scatter(rows) }));
    expect(peeled.graph.outputs.size).toBe(0);
    expect(peeled.scatters).toEqual([{ output: "y", indices: "ids", rows: "rows" }]);
    expect([...peeled.starts]).toEqual([["y", undefined]]);
  });

  test("computed rows go to scratch, and a base that is an input is copied by the host", () => {
    const peeled = peelScatters(buildGraph({ y: scatter(mul(rows, 2), dense) }));
    expect([...peeled.starts]).toEqual([["y", "dense"]]);
    expect([...peeled.scratch]).toEqual([["scatter:0", { dtype: "float32", shape: [5, 3] }]]);
    expect([...peeled.graph.outputs.keys()]).toEqual(["scatter:0"]);
    expect(peeled.graph.inputs.has("dense")).toBe(false);
  });

  test("through sums: what is left is one sum into the output", () => {
    const product = mul(dense, dense);
    const doubled = mul(rows, 2);
    const y = add(add(product, scatter(doubled)), add(dense, scatter(rows)));
    const peeled = peelScatters(buildGraph({ y, doubled }));
    expect(peeled.graph.nodes.map((node) => node.primitive).toSorted()).toEqual(["add", "constant", "mul", "mul"].toSorted());
    expect(peeled.scatters).toEqual([
      { output: "y", indices: "ids", rows: "doubled" },
      { output: "y", indices: "ids", rows: "rows" },
    ]);
    expect(peeled.scratch.size).toBe(0);
    expect(peeled.starts.size).toBe(0);
  });

  test("scatters stay where something else reads them, or the sum broadcasts", () => {
    const read = scatter(rows);
    expect(peelScatters(buildGraph({ y: read, norm: sum(mul(read, read)) })).scatters).toEqual([]);
    expect(peelScatters(buildGraph({ y: read, z: read })).scatters).toEqual([]);
    expect(peelScatters(buildGraph({ y: add(read, input("bias", "float32", [3])) })).scatters).toEqual([]);
    expect(peelScatters(buildGraph({ y: mul(read, 2) })).scatters).toEqual([]);
  });
});

describe("addRows", () => {
  test("adds repeated rows in order", () => {
    const target = Float32Array.of(1, 1, 10, 10);
    addRows(target, Int32Array.of(1, 0, 1), Float32Array.of(1, 2, 3, 4, 5, 6), 2);
    expect([...target]).toEqual([4, 5, 16, 18]);
  });

  test("writes nothing where an index is outside", () => {
    const target = new Float32Array(4);
    expect(() => addRows(target, Int32Array.of(0, -1), new Float32Array(4).fill(1), 2)).toThrow("got -1 at position 1");
    expect([...target]).toEqual([0, 0, 0, 0]);
    expect(rowWidth({ dtype: "int32", shape: [2, 3] }, { dtype: "float32", shape: [2, 3, 4, 5] })).toBe(20);
  });
});
