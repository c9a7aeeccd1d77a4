import { describe, expect, it } from "vitest";
import { Random } from "../internal/rng.ts";
import { computeTargets, estimateAdvantages, type AdvantageOptions } from "./advantages.ts";
import { countStates, type Rollout } from "./rollout.ts";

const options: AdvantageOptions = { klCoef: 0.05, gamma: 1, lambda: 0.95, whitenRewards: false, whitenAdvantages: true };

function drawRollout(random: Random, length: number, responseLength: number, score = random.normal()): Rollout {
  const draw = (n: number): Float32Array => Float32Array.from({ length: n }, () => random.normal());
  return {
    promptIds: Int32Array.of(1),
    completionIds: new Int32Array(length).fill(7),
    ended: length < responseLength,
    logprobs: draw(length),
    referenceLogprobs: draw(length),
    values: draw(countStates(length, responseLength)),
    score,
  };
}

/** Steps 4 to 6 of TRL 0.12.2's PPOTrainer on padded arrays, written as it writes them. */
function computePadded(rows: readonly Rollout[], width: number, { klCoef, gamma, lambda, whitenRewards }: AdvantageOptions) {
  const pad = (row: ArrayLike<number>, filler: number): number[] => Array.from({ length: width }, (_, t) => row[t] ?? filler);
  const last = rows.map((row) => row.completionIds.length - 1);
  const logprobs = rows.map((row) => pad(row.logprobs, 1));
  const reference = rows.map((row) => pad(row.referenceLogprobs, 1));
  const values = rows.map((row) => pad(row.values, 0));
  const mask = rows.map((_, i) => pad([], 0).map((_x, t) => t <= last[i]));
  const maskP1 = rows.map((_, i) => pad([], 0).map((_x, t) => t <= last[i] + 1));
  let rewards = rows.map((_, i) => logprobs[i].map((x, t) => -klCoef * (x - reference[i][t])));
  for (const [i, row] of rows.entries()) rewards[i][last[i] + 1 < width ? last[i] + 1 : last[i]] += row.score;
  const whitened = (x: number[][], keep: boolean[][], shift: boolean): number[][] => {
    const known = x.flatMap((row, i) => row.filter((_, t) => keep[i][t]));
    const mean = known.reduce((a, b) => a + b, 0) / known.length;
    const variance = known.reduce((a, b) => a + (b - mean) ** 2, 0) / (known.length - 1);
    return x.map((row, i) => row.map((y, t) => (keep[i][t] ? (y - mean) / Math.sqrt(variance + 1e-8) + (shift ? 0 : mean) : 0)));
  };
  if (whitenRewards) rewards = whitened(rewards, maskP1, false);
  const raw = rows.map(() => new Array<number>(width).fill(0));
  for (const i of rows.keys()) {
    let carried = 0;
    for (let t = width - 1; t >= 0; t--) {
      carried = rewards[i][t] + gamma * (t < width - 1 ? values[i][t + 1] : 0) - values[i][t] + gamma * lambda * carried;
      raw[i][t] = carried;
    }
  }
  return { rewards, returns: raw.map((row, i) => row.map((a, t) => a + values[i][t])), advantages: whitened(raw, mask, true) };
}

describe("estimateAdvantages", () => {
  it("equals the sum Σ (γλ)^k Δ over what is left", () => {
    const random = new Random(3);
    const rows = [6, 1, 4].map((length) => drawRollout(random, length, length));
    const rewards = rows.map((row) => row.logprobs);
    const values = rows.map((row) => row.values);
    const [gamma, lambda] = [0.97, 0.9];
    const { advantages, returns } = estimateAdvantages(rewards, values, { gamma, lambda });
    for (const [i, row] of rewards.entries()) {
      for (const t of row.keys()) {
        let expected = 0;
        for (let k = t; k < row.length; k++)
          expected += (gamma * lambda) ** (k - t) * (row[k] + gamma * (values[i][k + 1] ?? 0) - values[i][k]);
        expect(advantages[i][t]).toBeCloseTo(expected, 5);
        expect(returns[i][t]).toBeCloseTo(expected + values[i][t], 5);
      }
    }
  });

  it("λ = 1 and γ = 1: returns are the rewards still to come", () => {
    const { returns } = estimateAdvantages([Float32Array.of(1, 2, 3)], [Float32Array.of(9, -4, 5)], { gamma: 1, lambda: 1 });
    expect([...returns[0]]).toEqual([6, 5, 3]);
  });
});

describe("computeTargets", () => {
  for (const whitenRewards of [false, true]) {
    it(`equals TRL's padded computation${whitenRewards ? ", rewards whitened" : ""}`, () => {
      const random = new Random(5);
      const width = 8;
      // Short, of full length, one token, and one short of full: the corners of the p1 mask.
      const rows = [5, 8, 1, 7].map((length) => drawRollout(random, length, width));
      const padded = computePadded(rows, width, { ...options, whitenRewards });
      const targets = computeTargets(rows, { ...options, whitenRewards });
      for (const i of rows.keys()) {
        for (const name of ["rewards", "returns", "advantages"] as const) {
          const row = targets[name][i];
          expect([...row]).toEqual(padded[name][i].slice(0, row.length).map((x) => expect.closeTo(x, 5)));
          if (name !== "returns") expect(padded[name][i].slice(row.length).every((x) => Math.abs(x) === 0)).toBe(true);
        }
      }
    });
  }

  it("a constant reward on constant values gives advantage 0 and no NaN", () => {
    const row: Rollout = {
      promptIds: Int32Array.of(1),
      completionIds: Int32Array.of(5, 6, 2),
      ended: true,
      logprobs: Float32Array.of(-1, -1, -1),
      referenceLogprobs: Float32Array.of(-1, -1, -1),
      values: Float32Array.of(1, 1, 1),
      score: 1,
    };
    const { advantages } = computeTargets([row, { ...row }], options);
    expect(advantages.flatMap((a) => [...a])).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it("a row without a score has no pull and leaves the others as they are", () => {
    const random = new Random(9);
    const rows = [3, 5].map((length) => drawRollout(random, length, 6));
    const unscored = drawRollout(random, 4, 6, NaN);
    const alone = computeTargets(rows, { ...options, whitenRewards: true });
    const mixed = computeTargets([rows[0], unscored, rows[1]], { ...options, whitenRewards: true });
    expect([mixed.advantages[0], mixed.advantages[2]]).toEqual(alone.advantages);
    expect([mixed.returns[0], mixed.returns[2]]).toEqual(alone.returns);
    expect([...mixed.advantages[1]]).toEqual([0, 0, 0, 0]);
    expect(mixed.returns[1]).toEqual(unscored.values);
    expect([...mixed.rewards[1]]).toEqual([0, 0, 0, 0, 0]);
  });

  it("names the array whose length does not fit", () => {
    const row = drawRollout(new Random(1), 4, 9);
    expect(() => computeTargets([{ ...row, values: new Float32Array(3) }], options)).toThrow(/expected 4 or 5 values, got 3/);
    expect(() => computeTargets([{ ...row, referenceLogprobs: new Float32Array(3) }], options)).toThrow(/4 referenceLogprobs/);
    expect(() => computeTargets([{ ...row, completionIds: new Int32Array(0) }], options)).toThrow(/at least one token/);
  });
});
