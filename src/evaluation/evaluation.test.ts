import { describe, expect, it } from "vitest";
import { bootstrapInterval, intervalOfShare, mean } from "./interval.ts";
import { computePerplexity } from "./perplexity.ts";
import { measureRewardAccuracy } from "./reward-accuracy.ts";
import { measureSentiment } from "./sentiment.ts";
import { measureTexts } from "./text-statistics.ts";

describe("intervalOfShare", () => {
  it("is Wilson's", () => {
    // 8 of 10: the textbook's .490 to .943.
    expect(intervalOfShare(8, 10)).toEqual([expect.closeTo(0.4902, 4), expect.closeTo(0.9433, 4)]);
    const z2 = 3.841458820694124;
    expect(intervalOfShare(0, 10)).toEqual([0, expect.closeTo(z2 / (10 + z2), 10)]);
    expect(intervalOfShare(10, 10)).toEqual([expect.closeTo(10 / (10 + z2), 10), 1]);
    expect(intervalOfShare(0, 0)).toEqual([0, 1]);
    expect(() => intervalOfShare(3, 2)).toThrow(/got 3 of 2/);
  });
});

describe("bootstrapInterval", () => {
  const values = Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? 1 : 0));

  it("is near the normal interval of a mean, and the same for the same seed", () => {
    const [low, high] = bootstrapInterval(values, mean, { seed: 7 });
    expect(Math.abs(low - (0.5 - 1.96 * 0.025))).toBeLessThan(0.006);
    expect(Math.abs(high - (0.5 + 1.96 * 0.025))).toBeLessThan(0.006);
    expect(bootstrapInterval(values, mean, { seed: 7 })).toEqual([low, high]);
    expect(bootstrapInterval(values, mean, { seed: 8, resamples: 50 })).not.toEqual([low, high]);
  });

  it("has no width for equal cases, and no bounds for none", () => {
    expect(bootstrapInterval([2, 2, 2], mean)).toEqual([2, 2]);
    expect(bootstrapInterval([], mean)).toEqual([NaN, NaN]);
  });
});

describe("computePerplexity", () => {
  it("counts tokens, not texts", () => {
    // 1 token of ½, 3 tokens of ⅛: (½ · ⅛³)^(−¼) = 2^2.5
    expect(
      computePerplexity([
        { logprobSum: -Math.log(2), tokens: 1 },
        { logprobSum: -3 * Math.log(8), tokens: 3 },
      ]),
    ).toBeCloseTo(2 ** 2.5, 10);
    expect(computePerplexity([])).toBeNaN();
  });
});

describe("measureRewardAccuracy", () => {
  it("counts wins (a tie is none), and finds a scorer that only counts tokens", () => {
    const pairs = { chosen: [3, 1, 2, 5], rejected: [1, 3, 2, 4], chosenLengths: [3, 1, 2, 5], rejectedLengths: [1, 3, 2, 4] };
    const { accuracy, lengthCorrelation } = measureRewardAccuracy(pairs);
    expect(accuracy).toBe(0.5);
    expect(lengthCorrelation).toBeCloseTo(1, 12);
    expect(measureRewardAccuracy({ ...pairs, chosenLengths: [2, 2, 2, 2], rejectedLengths: [2, 2, 2, 2] }).lengthCorrelation).toBeNull();
  });
});

describe("measureTexts", () => {
  it("counts by hand", () => {
    // Words: great ×3 | a good film | (none). Unigrams 6, 4 different; bigrams 4, 3 different.
    expect(measureTexts(["Great, great, GREAT!", "a good film", "…"])).toEqual({
      meanWords: 2,
      distinct1: 4 / 6,
      distinct2: 3 / 4,
      repetition: 2 / 6,
      repeatedTrigrams: 0,
      empty: 1 / 3,
    });
    expect(measureTexts(["a b c a b c"]).repeatedTrigrams).toBe(0.25);
  });
});

describe("measureSentiment", () => {
  it("gives the share of positive texts with its interval", async () => {
    const report = await measureSentiment(["I loved it.", "What a wonderful cast!", "Terrible.", "A film."]);
    expect(report.positiveShare).toBe(0.5);
    expect(report.interval).toEqual(intervalOfShare(2, 4));
    expect(report.scores.map(Math.sign)).toEqual([1, 1, -1, 0]);
    expect(report.meanScore).toBeCloseTo(report.scores.reduce((a, b) => a + b, 0) / 4, 12);
  });
});
