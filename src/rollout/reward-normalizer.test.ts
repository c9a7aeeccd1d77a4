import { describe, expect, it } from "vitest";
import { clipScores, createReferenceNormalizer, createRunningNormalizer, measureScores } from "./reward-normalizer.ts";

describe("createReferenceNormalizer", () => {
  it("gives the reference's scores mean 0 and deviation 1", () => {
    const scores = [1, 2, 3, 6];
    const after = measureScores(createReferenceNormalizer(measureScores(scores)).normalize(scores));
    expect(after.mean).toBeCloseTo(0, 12);
    expect(after.std).toBeCloseTo(1, 12);
  });

  it("is calm about constant scores and missing ones", () => {
    const normalizer = createReferenceNormalizer(measureScores([5, 5, NaN]));
    expect([...normalizer.normalize([5, 7, NaN])]).toEqual([0, 2, NaN]);
    expect(measureScores([])).toEqual({ mean: 0, std: 1, count: 0 });
  });
});

describe("createRunningNormalizer", () => {
  it("knows after some batches what it would know of all at once", () => {
    const batches = [[1, 5, 2], [9], [NaN, 4, 4.5, -3]];
    const normalizer = createRunningNormalizer({ subtractMean: true });
    const last = batches.map((batch) => normalizer.normalize(batch)).at(-1);
    const whole = measureScores(batches.flat());
    expect(normalizer.moments.mean).toBeCloseTo(whole.mean, 12);
    expect(normalizer.moments.std).toBeCloseTo(whole.std, 12);
    expect(last?.[1]).toBeCloseTo((4 - whole.mean) / whole.std, 5);
    expect(last?.[0]).toBeNaN();
  });

  it("only scales where the mean is to stay, and goes on from a checkpoint", () => {
    const first = createRunningNormalizer({ subtractMean: false });
    expect(first.normalize([1, 3])[1]).toBeCloseTo(3 / Math.SQRT2, 6);
    const resumed = createRunningNormalizer({
      subtractMean: false,
      moments: JSON.parse(JSON.stringify(first.moments)) as typeof first.moments,
    });
    expect(resumed.normalize([8])).toEqual(first.normalize([8]));
  });
});

describe("clipScores", () => {
  it("clips on both sides, or not at all", () => {
    expect([...clipScores([-9, 0.5, 9], 2)]).toEqual([-2, 0.5, 2]);
    expect([...clipScores([-9, 9], null)]).toEqual([-9, 9]);
  });
});
