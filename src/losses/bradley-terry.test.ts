import { describe, expect, it } from "vitest";
import { buildGraph, evaluateGraph, grad, input } from "../tensor/index.ts";
import { bradleyTerry } from "./bradley-terry.ts";

function run(chosen: number[], rejected: number[], weights: number[], options: { margins?: number[]; centering?: number } = {}) {
  const tensor = (name: string) => input(name, "float32", [chosen.length]);
  const [c, r, w, m] = ["chosen", "rejected", "weights", "margins"].map(tensor);
  const result = bradleyTerry(c, r, w, { margins: options.margins === undefined ? undefined : m, centering: options.centering });
  const [dc, dr] = grad(result.loss, [c, r]);
  const values = { chosen, rejected, weights, ...(options.margins === undefined ? {} : { margins: options.margins }) };
  return evaluateGraph(buildGraph({ ...result, dc, dr }), values);
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

describe("bradleyTerry", () => {
  it("is ln 2 for equal scores, and pushes them apart by w/2", () => {
    const { loss, dc, dr, accuracy } = run([0, 3], [0, 3], [0.5, 0.5]);
    expect(loss[0]).toBeCloseTo(Math.log(2), 6);
    expect([...dc]).toEqual([-0.25, -0.25].map((g) => expect.closeTo(g, 6)));
    expect([...dr]).toEqual([0.25, 0.25].map((g) => expect.closeTo(g, 6)));
    expect(accuracy[0]).toBe(0);
  });

  it("takes the margin off the difference", () => {
    const { loss, margin, accuracy } = run([2], [1], [1], { margins: [0.25] });
    expect(loss[0]).toBeCloseTo(-Math.log(sigmoid(0.75)), 6);
    expect(margin[0]).toBe(1);
    expect(accuracy[0]).toBe(1);
  });

  it("adds c·(r_c + r_r)²", () => {
    const { loss, dc } = run([2], [1], [1], { centering: 0.01 });
    expect(loss[0]).toBeCloseTo(-Math.log(sigmoid(1)) + 0.09, 6);
    expect(dc[0]).toBeCloseTo(sigmoid(1) - 1 + 0.06, 6);
  });

  it("stays finite for hopeless pairs", () => {
    const { loss, dc } = run([-400], [400], [1]);
    expect(loss[0]).toBeCloseTo(800, 9);
    expect(dc[0]).toBeCloseTo(-1, 9);
  });

  it("pairs of weight 0 change nothing", () => {
    const { loss, dc, accuracy } = run([1, 90], [0, -90], [1, 0], { centering: 0.1 });
    expect(loss[0]).toBeCloseTo(-Math.log(sigmoid(1)) + 0.1, 6);
    expect(dc[1]).toBeCloseTo(0, 6);
    expect(accuracy[0]).toBe(1);
  });
});
