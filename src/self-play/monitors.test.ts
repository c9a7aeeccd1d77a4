import { describe, expect, test } from "vitest";
import { findOutsideWarnings, findStopReason, findWarnings, measureWins, summarizeJudgements, type Watched } from "./monitors.ts";

const first: Watched = { mean_length: 100, distinct_2: 0.8, outside_score: 0.2, outside_voids: 0, win_rate: null, win_interval: null };
const calm = { answers: 8, voids: 0, retries: 0, mean_score: 3, self_agreement: 1, ties: 0.1 };

describe("stop rules", () => {
  const rules = { withoutGain: true, lengthGrowth: 2, distinct2: 0.5 };
  test.each([
    [{ mean_length: 201 }, /2\.01 times as long as M1's, more than stop_length_growth 2/],
    [{ distinct_2: 0.39 }, /distinct-2 is 0\.49 of M1's/],
    [{ outside_score: 0.3 }, /0\.300 after 0\.300: no gain/],
  ])("%o", (change, reason) => {
    const previous = { ...first, outside_score: 0.3 };
    expect(findStopReason({ first, previous, current: { ...first, outside_score: 0.4, ...change } }, rules)).toMatch(reason);
  });
  test("nothing to stop for", () => {
    expect(findStopReason({ first, previous: first, current: { ...first, outside_score: 0.3 } }, rules)).toBeUndefined();
    const off = { withoutGain: false, lengthGrowth: null, distinct2: null };
    expect(findStopReason({ first, previous: first, current: { ...first, mean_length: 900, distinct_2: 0.1 } }, off)).toBeUndefined();
  });
});

test("warnings come from half as much length again, and from what the judge does not say", () => {
  expect(findWarnings("M2", first, { ...first, mean_length: 150 }, calm)).toEqual([]);
  const codes = findWarnings("M3", first, { ...first, mean_length: 151, distinct_2: 0.3 }, { ...calm, ties: 0.6, voids: 0.3 }).map(
    ({ code }) => code,
  );
  expect(codes).toEqual(["self-play/length-growth", "self-play/diversity-loss", "self-play/many-ties", "self-play/many-voids"]);
});

test("judgements: voids, and how often a judge agrees with itself", () => {
  const summary = summarizeJudgements([
    { score: 4, judgements: [4, 4, 4], retries: 0 },
    { score: 3.5, judgements: [3, 4, null], retries: 1 },
    { score: null, judgements: [null, null, null], retries: 3 },
  ]);
  expect(summary).toEqual({ answers: 3, voids: 1 / 3, retries: 4 / 9, mean_score: 3.75, self_agreement: 3 / 4 });
  expect(summarizeJudgements([{ score: 1, judgements: [1], retries: 0 }]).self_agreement).toBeNull();
});

test("wins count ties half and voids not at all", () => {
  const comparison = (verdict: "a" | "b" | "tie" | null) => ({
    verdict,
    orders: [verdict, verdict] as const,
    preference: null,
    retries: 0,
  });
  const { win_rate, win_interval } = measureWins(
    [comparison("a"), comparison("tie"), comparison(null), comparison("b"), comparison("a")],
    1,
  );
  expect(win_rate).toBe(2.5 / 4);
  expect(win_interval?.[0]).toBeLessThan(2.5 / 4);
  expect(measureWins([comparison(null)], 1)).toEqual({ win_rate: null, win_interval: null });
});

test("what the outside judge left unsaid is told, and so is a stop rule that cannot hold", () => {
  const warn = (voids: number | null, score: number | null, withoutGain = false): string[] =>
    findOutsideWarnings("M2", { outside_voids: voids, outside_score: score }, { withoutGain }).map(({ message }) => message);
  expect(warn(null, null)).toEqual([]);
  expect(warn(0.2, 3, true)).toEqual([]);
  expect(warn(0.25, 3)).toEqual(["M2: the outside judge left 25 % of the answers without a judgement: its figures are about the others"]);
  expect(warn(1, null, true)).toEqual([
    "M2: the outside judge left 100 % of the answers without a judgement: its figures are about the others",
    "M2: no grade by the outside judge, so stop_without_gain cannot say whether there is a gain",
  ]);
});
