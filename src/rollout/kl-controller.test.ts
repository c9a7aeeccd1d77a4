import { describe, expect, it } from "vitest";
import { createAdaptiveKLController, createFixedKLController } from "./kl-controller.ts";

describe("KL controllers", () => {
  it("fixed stays", () => {
    const controller = createFixedKLController(0.05);
    controller.update(100, 64);
    expect(controller.coefficient).toBe(0.05);
  });

  it("adaptive moves by the clipped relative error, times episodes over horizon", () => {
    const controller = createAdaptiveKLController({ coefficient: 0.2, target: 6, horizon: 10000 });
    controller.update(6.6, 500);
    expect(controller.coefficient).toBeCloseTo(0.2 * (1 + 0.1 * 0.05), 12);
    controller.update(60, 500);
    expect(controller.coefficient).toBeCloseTo(0.2 * 1.005 * 1.01, 12);
    controller.update(-1, 500);
    expect(controller.coefficient).toBeCloseTo(0.2 * 1.005 * 1.01 * 0.99, 12);
  });

  it("never turns negative, and ignores what is no number", () => {
    const controller = createAdaptiveKLController({ coefficient: 0.2, target: 6, horizon: 10 });
    controller.update(NaN, 500);
    expect(controller.coefficient).toBe(0.2);
    controller.update(0, 500);
    expect(controller.coefficient).toBe(0);
    expect(() => createAdaptiveKLController({ coefficient: 0.2, target: 0, horizon: 10 })).toThrow(/above 0/);
  });
});
