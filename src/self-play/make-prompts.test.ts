import { expect, test } from "vitest";
import { createPromptFilter, renderPattern } from "./make-prompts.ts";
import { createDuplicateFilter, measureRougeL } from "./rouge.ts";

test("ROUGE-L by hand: the longest common subsequence over the mean length", () => {
  const words = (text: string): string[] => text.split(" ");
  // police killed the gunman / the gunman killed police: LCS 2 (the gunman), F = 2·2 ÷ 8
  expect(measureRougeL(words("police killed the gunman"), words("the gunman killed police"))).toBe(0.5);
  expect(measureRougeL(words("a b c d"), words("a b c d"))).toBe(1);
  expect(measureRougeL(words("a b c d e f"), words("a c e"))).toBeCloseTo(6 / 9, 12);
  expect(measureRougeL([], [])).toBe(1);
  expect(measureRougeL([], ["a"])).toBe(0);
});

test("duplicates are near to something that was let through, not to what was not", () => {
  const isDuplicate = createDuplicateFilter(0.7, ["Write a poem about the sea."]);
  expect(isDuplicate("write a poem about the SEA!")).toBe(true);
  expect(isDuplicate("Write a poem about the wind.")).toBe(true);
  expect(isDuplicate("How do I boil an egg?")).toBe(false);
  expect(isDuplicate("How do I boil an egg")).toBe(true);
});

test("new prompts pass by length, by words and by being new", () => {
  const filter = createPromptFilter(["Write a poem about the sea."], {
    rougeLimit: 0.7,
    minWords: 3,
    maxWords: 6,
    bannedWords: ["image", "go to"],
  });
  expect(
    [
      "…",
      "Too short",
      "one two three four five six seven",
      "Describe this image to me",
      "Where should I go to?",
      "Explain images of gods",
      "Write a poem about the sea",
      "Explain images of gods",
    ].map(filter),
  ).toEqual(["empty", "short", "long", "banned", "banned", "kept", "duplicate", "duplicate"]);
});

test("the pattern shows one prompt a line, and leaves the last number open", () => {
  const text = renderPattern(["First\nprompt", "Second"]);
  expect(text).toMatch(/\n\n1\. First prompt\n2\. Second\n3\.$/);
});
