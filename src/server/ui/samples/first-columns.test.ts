import { expect, test } from "vitest";
import { pickFirstColumns } from "./first-columns.ts";

/** A column a word: a letter is a prompt. */
const columnsOf = (...prompts: readonly string[]) =>
  prompts.map((letters, i) => ({ name: i, texts: [...letters].map((prompt) => ({ prompt, text: `${prompt}${i}`, scores: {} })) }));
const pick = (...prompts: readonly string[]): number[] => pickFirstColumns(columnsOf(...prompts)).map(({ name }) => name);

test.each([
  ["nothing", [], []],
  ["one column", ["abc"], [0]],
  ["before and after of the same prompts", ["abc", "abc"], [0, 1]],
  ["the ends where all steps share their prompts", ["abc", "abc", "abc"], [0, 2]],
  ["the last alone where each step draws its own", ["abc", "def", "ghi"], [2]],
  ["the last alone where two share nothing", ["abc", "def"], [1]],
  ["the one step that drew the same, in whatever order", ["abc", "fed", "ghi", "def"], [1, 3]],
  ["most shared before earliest", ["abxy", "abcx", "abcd"], [1, 2]],
  ["a chance meeting is no comparison", ["abcd", "efga", "hija"], [2]],
  ["a short column counts by its own length", ["a", "abcd"], [0, 1]],
  ["a prompt that comes often is met as often", ["abcd", "aaaa"], [1]],
] as const)("%s", (_, prompts, expected) => {
  expect(pick(...prompts)).toEqual(expected);
});

test("prompts of messages are compared by what they say", () => {
  const talk = (text: string) => ({ texts: [{ prompt: [{ role: "user", content: "hi" }], text, scores: {} }] });
  expect(pickFirstColumns([talk("a"), talk("b")])).toHaveLength(2);
});
