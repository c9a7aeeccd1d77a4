import { describe, expect, it } from "vitest";
import { evaluateGraph } from "../tensor/index.ts";
import { adamwGraph, adamwScalars, clipFactor, learningRateAt, sumOfSquaresGraph } from "./index.ts";

describe("AdamW", () => {
  it("makes PyTorch's update, clipping and decay included", () => {
    const config = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    let [w, m, v] = [0.5, 0, 0];
    let state = { "w.0": [0.5], "m.0": [0], "v.0": [0] } as { [name: string]: ArrayLike<number> };
    for (let step = 1; step <= 4; step++) {
      const g = Math.sin(step) * 3;
      const clip = 0.25;
      const scalars = adamwScalars(config, { step, learningRate: 0.1, weightDecay: 0.01, clip });
      state = evaluateGraph(adamwGraph([{ size: 1, decays: true }]), {
        ...state,
        "g.0": [g],
        ...Object.fromEntries(Object.entries(scalars).map(([k, x]) => [k, [x]])),
      });
      const clipped = g * clip;
      w -= 0.1 * 0.01 * w;
      m = 0.9 * m + 0.1 * clipped;
      v = 0.999 * v + 0.001 * clipped ** 2;
      w -= (0.1 * (m / (1 - 0.9 ** step))) / (Math.sqrt(v / (1 - 0.999 ** step)) + 1e-8);
      expect(state["w.0"][0]).toBeCloseTo(w, 12);
    }
  });

  it("clips only above the limit", () => {
    expect(clipFactor(0.5, 1)).toBe(1);
    expect(clipFactor(4, 1)).toBeCloseTo(0.25, 6);
    expect(clipFactor(4, 0)).toBe(1);
    expect(clipFactor(0, 1)).toBe(1);
    expect([...evaluateGraph(sumOfSquaresGraph([3, 1]), { "g.0": [1, 2, 3], "g.1": [5] })["squares"]]).toEqual([14, 25]);
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
