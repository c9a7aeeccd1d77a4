import { describe, expect, test } from "vitest";
import { choosePair, type GradedAnswer } from "./choose-pairs.ts";

const answers = (...list: [text: string, tokens: number, score: number | null][]): GradedAnswer[] =>
  list.map(([text, tokens, score]) => ({ text, tokens, score }));
const plain = { tieWithin: 0, lengthTier: 0 };
const texts = (pair: ReturnType<typeof choosePair>): unknown => (typeof pair === "string" ? pair : [pair.chosen.text, pair.rejected.text]);

describe("choosePair", () => {
  test("takes the best and the worst, the first of equals", () => {
    expect(texts(choosePair(answers(["a", 1, 2], ["b", 1, 5], ["c", 1, 5], ["d", 1, 0]), plain))).toEqual(["b", "d"]);
  });
  test("a tie is no pair", () => {
    expect(choosePair(answers(["a", 1, 3], ["b", 9, 3]), plain)).toBe("tie");
    expect(choosePair(answers(["a", 1, 3], ["b", 9, 3.5]), { ...plain, tieWithin: 0.5 })).toBe("tie");
    expect(choosePair(answers(["a", 1, 3], ["a", 1, 5]), plain)).toBe("tie");
  });
  test("the same words as best and worst: the pair with other words that lies furthest apart", () => {
    const pairOf = (...list: [string, number, number][]): unknown => {
      const pair = choosePair(answers(...list), plain);
      return typeof pair === "string" ? pair : [pair.chosen.text, pair.chosen.score, pair.rejected.text, pair.rejected.score];
    };
    expect(pairOf(["same", 1, 5], ["same", 1, 0], ["other", 1, 3])).toEqual(["other", 3, "same", 0]);
    expect(pairOf(["same", 1, 5], ["other", 1, 2], ["same", 1, 0])).toEqual(["same", 5, "other", 2]);
    const options = { tieWithin: 3, lengthTier: 0 };
    expect(choosePair(answers(["same", 1, 5], ["same", 1, 0], ["other", 1, 3]), options)).toBe("tie");
    const tiers = answers(["same", 9, 5], ["same", 9, 0], ["short", 2, 4.9], ["long", 20, 0.1]);
    expect(texts(choosePair(tiers, { tieWithin: 0, lengthTier: 0.1 }))).toEqual(["short", "long"]);
  });
  test("voids and empty answers are in no pair", () => {
    expect(choosePair(answers(["a", 1, null], ["b", 1, 2]), plain)).toBe("void");
    expect(choosePair(answers(["", 1, 0], ["b", 1, 2], ["c", 1, null]), plain)).toBe("void");
    expect(texts(choosePair(answers(["", 1, 0], ["b", 1, 2], ["c", 1, 1]), plain))).toEqual(["b", "c"]);
  });
  test("with a tier, the shortest of the good and the longest of the bad", () => {
    const list = answers(["best", 90, 5], ["good and short", 20, 4.6], ["bad and long", 70, 1.4], ["worst", 10, 1]);
    expect(texts(choosePair(list, { ...plain, lengthTier: 0.1 }))).toEqual(["good and short", "bad and long"]);
    expect(texts(choosePair(list, { ...plain, lengthTier: 0.05 }))).toEqual(["best", "worst"]);
  });
});
