import { expect, test } from "vitest";
import type { LabelRow } from "../data/index.ts";
import { correlate, measureBias, testFairCoin } from "./bias.ts";
import { measurePace } from "./pace.ts";

const label = (over: Partial<LabelRow>): LabelRow => ({
  id: "i",
  task: "t",
  annotator: "anna",
  prompt: "Q",
  candidates: [{ text: "long answer" }, { text: "short" }],
  choice: "a",
  order: [0, 1],
  milliseconds: 5000,
  guidelines_version: 0,
  given: "2026-01-01T00:00:00.000Z",
  ...over,
});

test("the exact binomial test, as R's binom.test gives it", () => {
  expect(testFairCoin(5, 10)).toBe(1);
  expect(testFairCoin(8, 10)).toBeCloseTo(0.109375, 12);
  expect(testFairCoin(0, 10)).toBeCloseTo(0.001953125, 12);
  expect(testFairCoin(60, 100)).toBeCloseTo(0.05688793, 7);
  expect(testFairCoin(1, 1)).toBe(1);
  // Far beyond where 2^-n is a number.
  expect(testFairCoin(5200, 10_000)).toBeCloseTo(6.593515598672442e-5, 14);
});

test("sides are those of the screen, lengths left minus right", () => {
  const labels = [
    label({ choice: "a", order: [0, 1] }),
    label({ choice: "a", order: [1, 0] }),
    label({ choice: "b", order: [1, 0], milliseconds: 900 }),
    label({ choice: "tie" }),
  ];
  expect(measureBias(labels, "anna")).toMatchObject({ annotator: "anna", left: 2, right: 1, binomialP: 1, tooFast: 0.25 });
  // Left and longer, right and longer, left and shorter.
  expect(measureBias(labels, null).lengthCorrelation).toBeCloseTo(correlate([1, 0, 1], [6, -6, -6])!, 12);
  expect(correlate([1, 0, 1], [6, -6, -6])).toBeCloseTo(0.5, 12);
  expect(measureBias([], null)).toEqual({ annotator: null, left: 0, right: 0, binomialP: null, lengthCorrelation: null, tooFast: 0 });
  expect(measureBias([label({})], null).lengthCorrelation).toBeNull();
});

test("pace: over the last 20 labels, without breaks and undos", () => {
  expect(measurePace([])).toEqual({ perHour: null, medianSeconds: null });
  expect(measurePace([label({ milliseconds: 4000 })])).toEqual({ perHour: null, medianSeconds: 4 });
  const at = (minutes: number, milliseconds: number, over: Partial<LabelRow> = {}): LabelRow =>
    label({ given: new Date(minutes * 60_000).toISOString(), milliseconds, ...over });
  expect(measurePace([at(0, 1000), at(1, 3000), at(2, 8000)])).toEqual({ perHour: 60, medianSeconds: 3 });
  // A lunch of an hour between the second and the third.
  expect(measurePace([at(0, 1000), at(1, 3000), at(61, 8000), at(62, 2000), at(62.1, 0, { undoes: "i" })])).toEqual({
    perHour: 60,
    medianSeconds: 2.5,
  });
});
