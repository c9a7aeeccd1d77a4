import { describe, expect, it } from "vitest";
import {
  loadSentences,
  normaliseText,
  pairSentences,
  parseSentences,
  splitSentences,
  surroundPairs,
  tokenisePairs,
  type Sentence,
} from "./sentences.ts";

describe("loadSentences", () => {
  it("finds 3,000 sentences, half of them positive", async () => {
    const sentences = await loadSentences();
    expect(sentences.length).toBe(3000);
    expect(sentences.filter(({ positive }) => positive).length).toBe(1500);
    expect(sentences.every(({ text }) => text !== "" && text === text.toLowerCase())).toBe(true);
  });
});

describe("parseSentences", () => {
  it("leaves the empty element out", () => {
    expect(
      parseSentences(
        [
          { text: "Good.", class: 1 },
          { text: "", class: null },
        ],
        "x.json",
      ),
    ).toEqual([{ text: "good .", positive: true }]);
  });
  it("names the file where it is no list", () => {
    expect(() => parseSentences({}, "x.json")).toThrow(/x\.json: expected a list/);
  });
});

describe("normaliseText", () => {
  it.each([
    ["Wow... Loved this place.", "wow . . . loved this place ."],
    ['It\u2019s "good", really!', 'it\'s " good " , really !'],
    ["Cost $3.50  (cheap)", "cost $3.50 ( cheap )"],
    ["  ", ""],
  ])("%j", (text, expected) => {
    expect(normaliseText(text)).toBe(expected);
  });
});

describe("splitSentences", () => {
  const make = (n: number): Sentence[] => Array.from({ length: n }, (_, i) => ({ text: `sentence ${i}`, positive: i % 2 === 0 }));

  it("puts no text on both sides, whatever stands there twice", () => {
    const { train, heldOut } = splitSentences([...make(100), ...make(100)], 0.2, 1);
    expect(heldOut.length).toBe(20);
    expect(train.length).toBe(80);
    const known = new Set(train.map(({ text }) => text));
    expect(heldOut.some(({ text }) => known.has(text))).toBe(false);
    expect(heldOut.filter(({ positive }) => positive).length).toBe(10);
  });
  it("drops texts that were labelled both ways, also where a third label agrees with the first", () => {
    const both: Sentence[] = [true, false, true].map((positive) => ({ text: "so so", positive }));
    const { train, heldOut } = splitSentences([...make(10), ...both], 0, 1);
    expect([...train, ...heldOut].some(({ text }) => text === "so so")).toBe(false);
  });
  it("depends on the seed alone", () => {
    expect(splitSentences(make(50), 0.2, 3)).toEqual(splitSentences(make(50), 0.2, 3));
    expect(splitSentences(make(50), 0.2, 3)).not.toEqual(splitSentences(make(50), 0.2, 4));
  });
});

describe("pairSentences", () => {
  it("sets every positive one against a negative one, each round anew", () => {
    const sentences: Sentence[] = Array.from({ length: 20 }, (_, i) => ({ text: String(i), positive: i < 10 }));
    const pairs = pairSentences(sentences, 3, 7);
    expect(pairs.length).toBe(30);
    expect(pairs.every(({ chosen, rejected }) => Number(chosen) < 10 && Number(rejected) >= 10)).toBe(true);
    for (const round of [0, 1, 2]) expect(new Set(pairs.slice(10 * round, 10 * round + 10).map(({ chosen }) => chosen)).size).toBe(10);
  });
  it("makes as many as the rarer side has", () => {
    const sentences: Sentence[] = ["a", "b", "c"].map((text, i) => ({ text, positive: i === 0 }));
    expect(pairSentences(sentences, 1, 1).length).toBe(1);
  });
});

const tokenizer = { encode: (text: string) => text.split(" ").map(Number), eosId: 1 };

describe("tokenisePairs", () => {
  it("closes what is whole and cuts what is longer", () => {
    expect(tokenisePairs([{ chosen: "5 6", rejected: "5 6 7 8" }], tokenizer, 3)).toEqual([
      { chosen: "5 6", rejected: "5 6 7 8", chosen_ids: [5, 6, 1], rejected_ids: [5, 6, 7] },
    ]);
  });
});

describe("surroundPairs", () => {
  const pairs = Array.from({ length: 200 }, () => ({ chosen: "5 6", rejected: "7 8" }));
  const options = { maxTokens: 8, surroundings: [[20, 21, 22, 1, 23]], seed: 3 };

  it("keeps each sentence whole, alone or amid what the model wrote, within the limit", () => {
    const sides = surroundPairs(pairs, tokenizer, options).map(({ chosen_ids }) => chosen_ids.join(" "));
    expect(sides.every((side) => side.includes("5 6") && side.split(" ").length <= 8)).toBe(true);
    const alone = sides.filter((side) => side === "5 6 1").length;
    expect(alone).toBeGreaterThan(60);
    expect(alone).toBeLessThan(140);
    expect(sides.some((side) => side.startsWith("5 6 2"))).toBe(true);
    expect(sides.some((side) => /2\d 5 6$/.test(side))).toBe(true);
    expect(sides.every((side) => side === "5 6 1" || !side.split(" ").includes("1"))).toBe(true);
  });
  it("draws for each side by itself, from the seed", () => {
    const made = surroundPairs(pairs, tokenizer, options);
    expect(made.some(({ chosen_ids, rejected_ids }) => chosen_ids.length !== rejected_ids.length)).toBe(true);
    expect(surroundPairs(pairs, tokenizer, options)).toEqual(made);
    expect(surroundPairs(pairs, tokenizer, { ...options, seed: 4 })).not.toEqual(made);
  });
  it("leaves a sentence without room alone", () => {
    expect(surroundPairs([{ chosen: "2 3 4 5 6 7 8 9", rejected: "2" }], tokenizer, options)[0].chosen_ids).toEqual([
      2, 3, 4, 5, 6, 7, 8, 9,
    ]);
  });
});
