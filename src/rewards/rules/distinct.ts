import { measureDistinct, splitWords } from "../words.ts";
import type { Rule } from "./rule.ts";

export const distinctRule: Rule = {
  name: "distinct",
  description:
    "Different n-grams ÷ n-grams of words in the completion: 1 where nothing repeats. Does not apply to completions shorter than n words.",
  options: [{ name: "n", description: "words in an n-gram", kind: "count", default: 2 }],
  create:
    ({ n }) =>
    (row) =>
      measureDistinct([splitWords(row.completion)], Number(n)) ?? null,
};

export const repetitionRule: Rule = {
  name: "repetition",
  description: "A penalty for repeating oneself: −scale × the share of n-grams of words that were there before.",
  options: [
    { name: "n", description: "words in an n-gram", kind: "count", default: 3 },
    { name: "scale", description: "the penalty where all is repetition", kind: "number", default: 1 },
  ],
  create:
    ({ n, scale }) =>
    (row) => {
      const distinct = measureDistinct([splitWords(row.completion)], Number(n));
      return distinct === undefined || distinct === 1 ? 0 : -Number(scale) * (1 - distinct);
    },
};
