import type { Rule } from "./rule.ts";

const checks: { readonly [kind: string]: (text: string) => boolean } = {
  // TRL's think_format_reward: one block of thoughts, closed, then the answer.
  think: (text) => /^<think>(?!.*<think>)(.*?)<\/think>.*$/s.test(text),
  json: (text) => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  },
  // Begins like a sentence and ends like one, quotes and brackets aside.
  sentence: (text) => /^\s*["'“‘«([]?[\p{Lu}\p{Lo}\p{N}]/u.test(text) && /[.!?…。！？]["'”’»)\]]*\s*$/u.test(text),
};

export const formatRule: Rule = {
  name: "format",
  description:
    "1 where the completion has the form, else 0: think (<think>…</think>, then an answer), json, or sentence (capital at the start, full stop at the end).",
  options: [{ name: "kind", description: "the form", kind: Object.keys(checks), default: "think" }],
  create:
    ({ kind }) =>
    (row) =>
      checks[kind](row.completion) ? 1 : 0,
};
