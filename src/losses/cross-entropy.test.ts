import { describe, expect, it } from "vitest";
import { buildGraph, evaluateGraph, grad, input } from "../tensor/index.ts";
import { crossEntropy, crossEntropyMetrics } from "./cross-entropy.ts";
import { temperedLogprobs } from "./token-logprobs.ts";

/** Logits that are log-probs already: rows (½, ¼, ¼) and (⅛, ⅛, ¾). */
const logits = [0.5, 0.25, 0.25, 0.125, 0.125, 0.75].map(Math.log);

function run(values: number[], labels: number[], weights: number[], width = 3) {
  const m = labels.length;
  const x = input("logits", "float32", [m, width]);
  const y = input("labels", "int32", [m]);
  const w = input("weights", "float32", [m]);
  const result = crossEntropy(x, y, w);
  const { entropy, accuracy } = crossEntropyMetrics(result, y, w);
  const [gradient] = grad(result.loss, [x]);
  return evaluateGraph(buildGraph({ loss: result.loss, logprobs: result.logprobs, entropy, accuracy, gradient }), {
    logits: values,
    labels,
    weights,
  });
}

describe("crossEntropy", () => {
  it("is the weighted sum of −log p, with its gradient w·(p − onehot)", () => {
    const { loss, logprobs, gradient, entropy, accuracy } = run(logits, [0, 1], [0.5, 0.5]);
    expect(loss[0]).toBeCloseTo(0.5 * Math.log(2) + 0.5 * Math.log(8), 12);
    expect([...logprobs]).toEqual([expect.closeTo(-Math.log(2), 12), expect.closeTo(-Math.log(8), 12)]);
    expect([...gradient]).toEqual([-0.25, 0.125, 0.125, 0.0625, -0.4375, 0.375].map((g) => expect.closeTo(g, 12)));
    const entropies = [1.5 * Math.log(2), 0.25 * Math.log(8) + 0.75 * Math.log(4 / 3)];
    expect(entropy[0]).toBeCloseTo((entropies[0] + entropies[1]) / 2, 12);
    expect(accuracy[0]).toBe(0.5);
  });

  it("padding of weight 0 changes nothing, whatever its logits and label", () => {
    const alone = run(logits, [0, 1], [0.5, 0.5]);
    const padded = run([...logits, 500, -500, 30], [0, 1, 2], [0.5, 0.5, 0]);
    for (const name of ["loss", "entropy", "accuracy"] as const) expect(padded[name][0]).toBeCloseTo(alone[name][0], 12);
    expect(padded.gradient.slice(6).every((g) => Math.abs(g) === 0)).toBe(true);
  });

  it("micro-batches with the whole batch's weights add up to the batch", () => {
    const whole = run(logits, [0, 1], [1 / 3, 2 / 3]);
    const first = run(logits.slice(0, 3), [0], [1 / 3]);
    const second = run(logits.slice(3), [1], [2 / 3]);
    expect(first.loss[0] + second.loss[0]).toBeCloseTo(whole.loss[0], 12);
    expect([...first.gradient, ...second.gradient]).toEqual([...whole.gradient].map((g) => expect.closeTo(g, 12)));
  });
});

describe("temperedLogprobs", () => {
  it("divides logits by the temperature: p^(1/T) renormalised", () => {
    const x = input("x", "float32", [1, 3]);
    const { logprobs } = temperedLogprobs(x, input("y", "int32", [1]), 0.5);
    // (¼, 1⁄16, 1⁄16) sums to 3⁄8
    expect(evaluateGraph(buildGraph({ logprobs }), { x: logits.slice(0, 3), y: [0] }).logprobs[0]).toBeCloseTo(Math.log(2 / 3), 12);
  });
});
