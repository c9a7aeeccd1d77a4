import { describe, expect, it } from "vitest";
import { buildGraph, evaluateGraph, grad, input } from "../tensor/index.ts";
import { clippedPolicyLoss, clippedValueLoss, type ClippedPolicyOptions } from "./ppo.ts";

type Policy = { ratios: number[]; advantages: number[]; weights: number[] };

function runPolicy({ ratios, advantages, weights }: Policy, options: ClippedPolicyOptions = { clipLow: 0.2 }) {
  const [logprobs, oldLogprobs, a, w] = ["new", "old", "advantages", "weights"].map((name) => input(name, "float32", [ratios.length]));
  const result = clippedPolicyLoss({ logprobs, oldLogprobs, advantages: a, weights: w }, options);
  const [gradient] = grad(result.loss, [logprobs]);
  return evaluateGraph(buildGraph({ ...result, gradient }), {
    new: ratios.map((r) => Math.log(r) - 1),
    old: ratios.map(() => -1),
    advantages,
    weights,
  });
}

describe("clippedPolicyLoss", () => {
  it("before the first update: ratio 1, KL 0, loss −mean(A), gradient −w·A", () => {
    const { loss, ratio, approximateKL, clipped, gradient } = runPolicy({ ratios: [1, 1], advantages: [2, -1], weights: [0.5, 0.5] });
    expect(loss[0]).toBeCloseTo(-0.5, 6);
    expect(ratio[0]).toBe(2);
    expect(approximateKL[0]).toBe(0);
    expect(clipped[0]).toBe(0);
    expect([...gradient]).toEqual([-1, 0.5].map((g) => expect.closeTo(g, 6)));
  });

  it("clips what has moved far enough in the wanted direction, and only that", () => {
    // A > 0: 1.5 is clipped to 1.2, 0.5 is not. A < 0: 0.5 is clipped to 0.8, 1.5 is not.
    const { loss, clipped, gradient } = runPolicy({ ratios: [1.5, 0.5, 0.5, 1.5], advantages: [1, 1, -1, -1], weights: [1, 1, 1, 1] });
    expect(loss[0]).toBeCloseTo(-1.2 - 0.5 + 0.8 + 1.5, 6);
    expect(clipped[0]).toBe(2);
    expect([...gradient]).toEqual([0, -0.5, 0, 1.5].map((g) => expect.closeTo(g, 6)));
  });

  it("clips higher above than below where asked", () => {
    expect(runPolicy({ ratios: [1.5], advantages: [1], weights: [1] }, { clipLow: 0.2, clipHigh: 0.28 }).loss[0]).toBeCloseTo(-1.28, 6);
  });

  it("dual clip bounds the loss of negative advantages by c·|A|", () => {
    const { loss, gradient } = runPolicy({ ratios: [10, 10], advantages: [-2, 2], weights: [1, 1] }, { clipLow: 0.2, dualClip: 3 });
    expect(loss[0]).toBeCloseTo(6 - 2.4, 6);
    expect([...gradient]).toEqual([0, 0].map((g) => expect.closeTo(g, 6)));
    expect(() => runPolicy({ ratios: [1], advantages: [1], weights: [1] }, { clipLow: 0.2, dualClip: 1 })).toThrow(/dualClip above 1/);
  });

  it("padding changes nothing, even where its ratio would overflow", () => {
    const policy = { ratios: [1.1, 0.7], advantages: [1, -1], weights: [0.5, 0.5] };
    const alone = runPolicy(policy);
    const padded = runPolicy({
      ratios: [...policy.ratios, Infinity],
      advantages: [...policy.advantages, 0],
      weights: [...policy.weights, 0],
    });
    for (const name of ["loss", "clipped", "approximateKL", "ratio"] as const) expect(padded[name][0]).toBe(alone[name][0]);
    expect(padded.gradient[2]).toBeCloseTo(0, 6);
  });
});

function runValue(values: number[], oldValues: number[], returns: number[], weights: number[], clip?: number) {
  const [v, o, g, w] = ["v", "o", "g", "w"].map((name) => input(name, "float32", [values.length]));
  const result = clippedValueLoss({ values: v, oldValues: o, returns: g, weights: w }, { clip });
  const [gradient] = grad(result.loss, [v]);
  const graph = buildGraph({ ...result, gradient });
  const inputs = { v: values, o: oldValues, g: returns, w: weights };
  return evaluateGraph(graph, Object.fromEntries(Object.entries(inputs).filter(([name]) => graph.inputs.has(name))));
}

describe("clippedValueLoss", () => {
  it("takes the larger of the plain and the clipped error", () => {
    // V = 1, old 0, target 2: clipped to .2 the error is 1.8. V = .1 is within reach: plain.
    const { loss, clipped, gradient } = runValue([1, 0.1], [0, 0], [2, 1], [0.5, 0.5], 0.2);
    expect(loss[0]).toBeCloseTo(0.25 * (1.8 ** 2 + 0.9 ** 2), 6);
    expect(clipped[0]).toBe(1);
    expect([...gradient]).toEqual([0, 0.5 * (0.1 - 1)].map((g) => expect.closeTo(g, 6)));
  });

  it("is half the squared error without clipping", () => {
    const { loss, clipped } = runValue([1], [0], [3], [1]);
    expect(loss[0]).toBe(2);
    expect(clipped[0]).toBe(0);
  });

  it("padding changes nothing", () => {
    const padded = runValue([1, 1e30], [0, 5], [2, 7], [1, 0], 0.2);
    expect(padded.loss[0]).toBeCloseTo(0.5 * 1.8 ** 2, 6);
    expect(padded.clipped[0]).toBe(1);
    expect(padded.gradient[1]).toBeCloseTo(0, 6);
  });
});
