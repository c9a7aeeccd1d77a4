import { describe, expect, it } from "vitest";
import { evaluateGraph } from "../tensor/index.ts";
import { adamwGraph, adamwScalars, clipFactor, learningRateAt, sumOfSquaresGraph } from "./index.ts";

describe("AdamW", () => {
  it("makes PyTorch's update, clipping and decay included, of pieces that share a run", () => {
    const config = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    const expected = [
      { w: 0.5, m: 0, v: 0 },
      { w: -2, m: 0, v: 0 },
      { w: 1, m: 0, v: 0 },
    ];
    let state: { [name: string]: ArrayLike<number> } = { "w.0.0": [0.5], "w.0.1": [-2, 1], "m.0": [0, 0, 0], "v.0": [0, 0, 0] };
    for (let step = 1; step <= 4; step++) {
      const g = [1, 2, 3].map((i) => Math.sin(step * i) * 3);
      const clip = 0.25;
      const scalars = adamwScalars(config, { step, learningRate: 0.1, weightDecay: 0.01, clip });
      state = evaluateGraph(adamwGraph([{ sizes: [1, 2], decays: true }]), {
        ...state,
        "g.0.0": g.slice(0, 1),
        "g.0.1": g.slice(1),
        ...Object.fromEntries(Object.entries(scalars).map(([k, x]) => [k, [x]])),
      });
      for (const [i, one] of expected.entries()) {
        const clipped = g[i] * clip;
        one.w -= 0.1 * 0.01 * one.w;
        one.m = 0.9 * one.m + 0.1 * clipped;
        one.v = 0.999 * one.v + 0.001 * clipped ** 2;
        one.w -= (0.1 * (one.m / (1 - 0.9 ** step))) / (Math.sqrt(one.v / (1 - 0.999 ** step)) + 1e-8);
      }
      const got = [...Array.from(state["w.0.0"]), ...Array.from(state["w.0.1"])];
      expect(got).toEqual(expected.map(({ w }) => expect.closeTo(w, 12)));
    }
  });

  it("clips only above the limit", () => {
    expect(clipFactor(0.5, 1)).toBe(1);
    expect(clipFactor(4, 1)).toBeCloseTo(0.25, 6);
    expect(clipFactor(4, 0)).toBe(1);
    expect(clipFactor(0, 1)).toBe(1);
    expect([...evaluateGraph(sumOfSquaresGraph([[2, 1], [1]]), { "g.0.0": [1, 2], "g.0.1": [3], "g.1.0": [5] })["squares"]]).toEqual([
      5, 9, 25,
    ]);
  });
});

describe("learningRateAt", () => {
  it("warms up from zero and decays as Transformers does", () => {
    const linear = { type: "linear", peak: 1e-3, warmupSteps: 5, totalSteps: 50 } as const;
    expect([0, 1, 5, 6, 49, 50].map((n) => learningRateAt(linear, n))).toEqual(
      [0, 2e-4, 1e-3, (1e-3 * 44) / 45, 1e-3 / 45, 0].map((x) => expect.closeTo(x, 12)),
    );
    const cosine = { type: "cosine", peak: 2, warmupSteps: 0, totalSteps: 10 } as const;
    expect([0, 5, 10].map((n) => learningRateAt(cosine, n))).toEqual([2, 1, 0].map((x) => expect.closeTo(x, 12)));
    expect(learningRateAt({ type: "constant", peak: 3, warmupSteps: 5, totalSteps: 9 }, 0)).toBe(3);
    expect(learningRateAt({ type: "constant_with_warmup", peak: 3, warmupSteps: 2, totalSteps: 9 }, 1)).toBe(1.5);
  });
});
