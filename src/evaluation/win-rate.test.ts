import { describe, expect, test } from "vitest";
import { Random } from "../internal/rng.ts";
import type { Comparison, Verdict } from "../rewards/index.ts";
import { controlForLength } from "./length-control.ts";
import { measureWinRate, type JudgedPair } from "./win-rate.ts";

const said = (verdict: Verdict | null, orders: Comparison["orders"] = [verdict, verdict]): Comparison => ({
  verdict,
  orders,
  preference: null,
  retries: 0,
});
const pairs = (verdicts: readonly (Verdict | null)[]): JudgedPair[] =>
  verdicts.map((verdict, i) => ({ comparison: said(verdict), lengthA: 10 + (i % 3), lengthB: 10 }));

/** Verdicts drawn from logit P = quality + effect·tanh(Δ/σ), with answers of a that are longer by `bias` characters. */
function simulate(n: number, { quality, effect, bias }: { quality: number; effect: number; bias: number }) {
  const random = new Random(1);
  const lengths = Array.from({ length: n }, () => Math.round(bias + 40 * random.normal()));
  const mean = lengths.reduce((sum, value) => sum + value, 0) / n;
  const deviation = Math.sqrt(lengths.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n);
  return lengths.map((difference) => {
    const p = 1 / (1 + Math.exp(-quality - effect * Math.tanh(difference / deviation)));
    return { outcome: random.uniform() < p ? 1 : 0, lengthA: 500 + difference, lengthB: 500 };
  });
}

describe("win rate", () => {
  test("ties count half, voids nowhere but in n", () => {
    const rate = measureWinRate(pairs(["a", "a", "b", "tie", null]));
    expect(rate).toMatchObject({ n: 5, voids: 1, win: 2, tie: 1, lose: 1, win_rate: 0.625, position_bias: 0, self_agreement: 1 });
    expect(rate.interval?.[0]).toBeLessThan(0.625);
    expect(rate.interval?.[1]).toBeGreaterThan(0.625);
  });

  test("nothing but voids has no rate, and no prompts neither", () => {
    expect(measureWinRate(pairs([null, null]))).toMatchObject({ n: 2, voids: 2, win_rate: null, interval: null, length_controlled: null });
    expect(measureWinRate([])).toMatchObject({ n: 0, win_rate: null, self_agreement: null });
  });

  test("a model against itself has one half, and its interval holds it", () => {
    const rate = measureWinRate(pairs(Array.from({ length: 40 }, () => "tie" as const)));
    expect(rate).toMatchObject({ win_rate: 0.5, interval: [0.5, 0.5], tie: 40 });
    expect(rate.length_controlled).toBeCloseTo(0.5, 6);
  });

  test("the interval covers the true rate about as often as it says", () => {
    const random = new Random(5);
    let covered = 0;
    for (let round = 0; round < 60; round++) {
      const { interval } = measureWinRate(pairs(Array.from({ length: 60 }, () => (random.uniform() < 0.7 ? "a" : "b"))), { seed: round });
      if (interval !== null && interval[0] <= 0.7 && interval[1] >= 0.7) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(51);
  });
});

describe("length control", () => {
  test("takes away what length alone won", () => {
    const cases = simulate(3000, { quality: 0, effect: 2, bias: 60 });
    const raw = cases.reduce((sum, { outcome }) => sum + outcome, 0) / cases.length;
    expect(raw).toBeGreaterThan(0.75);
    expect(controlForLength(cases)).toBeGreaterThan(0.44);
    expect(controlForLength(cases)).toBeLessThan(0.56);
  });

  test("leaves what quality won, and changes sides with the models", () => {
    const cases = simulate(3000, { quality: 1, effect: 1.5, bias: -30 });
    const controlled = controlForLength(cases);
    expect(controlled).toBeGreaterThan(0.69);
    expect(controlled).toBeLessThan(0.77);
    const swapped = cases.map(({ outcome, lengthA, lengthB }) => ({ outcome: 1 - outcome, lengthA: lengthB, lengthB: lengthA }));
    expect(controlForLength(swapped)).toBeCloseTo(1 - controlled, 6);
  });

  test("equal lengths change nothing, and verdicts that length separates stay finite", () => {
    const equal = [1, 1, 1, 0].map((outcome) => ({ outcome, lengthA: 7, lengthB: 9 }));
    expect(controlForLength(equal)).toBeCloseTo(0.75, 3);
    const separated = [-3, -2, 2, 3].map((difference) => ({ outcome: Number(difference > 0), lengthA: 10 + difference, lengthB: 10 }));
    expect(controlForLength(separated)).toBeCloseTo(0.5, 6);
    const won = Array.from({ length: 20 }, (_, i) => ({ outcome: 1, lengthA: i, lengthB: 10 }));
    expect(controlForLength(won)).toBeGreaterThan(0.98);
    expect(controlForLength(won)).toBeLessThan(1);
    expect(controlForLength([])).toBeNaN();
  });
});
