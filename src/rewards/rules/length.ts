import { splitWords } from "../words.ts";
import type { RewardRow } from "../reward.ts";
import type { Rule } from "./rule.ts";

const counters: { readonly [unit: string]: (row: RewardRow) => number } = {
  // Code points, so that an emoji is one character.
  characters: ({ completion }) => Array.from(completion).length,
  words: ({ completion }) => splitWords(completion).length,
  tokens: (row) => row.completion_ids.length,
};

export const lengthRule: Rule = {
  name: "length",
  description: "The completion's length; with a target, how near it comes: 1 at the target, falling by 1 for each target's length off.",
  options: [
    { name: "unit", description: "what is counted", kind: Object.keys(counters), default: "characters" },
    { name: "target", description: "the wanted length; absent: longer is better", kind: "number", optional: true },
  ],
  create({ unit, target }) {
    const count = counters[unit];
    return (row) => (target === undefined ? count(row) : 1 - Math.abs(count(row) - Number(target)) / Math.max(1, Number(target)));
  },
};
