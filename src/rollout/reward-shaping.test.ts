import { describe, expect, it } from "vitest";
import { estimateKL } from "./estimate-kl.ts";
import { summarizeObjective } from "./objective.ts";
import { penalizeMissingEnd, shapeRewards } from "./reward-shaping.ts";
import { countStates, type Rollout } from "./rollout.ts";

const row: Rollout = {
  promptIds: Int32Array.of(1),
  completionIds: Int32Array.of(5, 2),
  ended: true,
  logprobs: Float32Array.of(-1, -2),
  referenceLogprobs: Float32Array.of(-3, -1),
  values: Float32Array.of(0, 0, 0),
  score: 10,
};
const full: Rollout = { ...row, ended: false, values: Float32Array.of(0, 0) };

describe("countStates", () => {
  it("adds the state after the end only where there is room", () => {
    expect([1, 7, 8].map((length) => countStates(length, 8))).toEqual([2, 8, 8]);
  });
});

describe("shapeRewards", () => {
  it("pays −β·KL on the way and the score at the last state", () => {
    const { kl, rewards } = shapeRewards([row, full], 0.5);
    expect(kl.map((x) => [...x])).toEqual([
      [2, -1],
      [2, -1],
    ]);
    expect(rewards.map((x) => [...x])).toEqual([
      [-1, 0.5, 10],
      [-1, 10.5],
    ]);
  });

  it("k3 never pays for differing", () => {
    const { rewards } = shapeRewards([{ ...row, score: 0 }], 1, { estimator: "k3" });
    expect([...rewards[0]]).toEqual([-(Math.exp(-2) + 1), -(Math.exp(1) - 2), 0].map((x) => expect.closeTo(x, 6)));
  });
});

describe("estimateKL", () => {
  it("clips only where asked", () => {
    expect([...estimateKL([0], [-30])]).toEqual([30]);
    expect([...estimateKL([0, -30], [-30, 0], { limit: 10 })]).toEqual([10, -10]);
    expect([...estimateKL([-30], [0], { estimator: "k3", limit: 10 })]).toEqual([10]);
    expect([...estimateKL([0], [-2], { estimator: "k2" })]).toEqual([2]);
  });
});

describe("penalizeMissingEnd", () => {
  it("is subtracted, from what has no end only", () => {
    expect(penalizeMissingEnd(3, false, 1)).toBe(2);
    expect(penalizeMissingEnd(3, true, 1)).toBe(3);
    expect(penalizeMissingEnd(3, false, null)).toBe(3);
  });
});

describe("summarizeObjective", () => {
  it("sums over tokens, averages over completions", () => {
    expect(summarizeObjective([row, { ...full, score: 20 }], 0.5)).toEqual({
      kl: 1,
      entropy: 3,
      nonScoreReward: -0.5,
      rlhfReward: 14.5,
      scores: 15,
    });
  });

  it("counts missing tokens as TRL does where asked, and leaves out missing scores", () => {
    expect(summarizeObjective([row, { ...row, score: NaN }], 0, { responseLength: 5 })).toEqual({
      kl: 1,
      entropy: 0,
      nonScoreReward: -0,
      rlhfReward: 10,
      scores: 10,
    });
  });
});
