import { expect, test } from "vitest";
import { editDistance, findNearest } from "./nearest.ts";

test("edit distance", () => {
  expect(editDistance("", "abc")).toBe(3);
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(editDistance("seed", "sede")).toBe(1); // Neighbours swapped.
  expect(editDistance("same", "same")).toBe(0);
});

test("nearest word, or none where nothing is near", () => {
  expect(findNearest("lerning_rate", ["learning_rate", "max_length"])).toBe("learning_rate");
  expect(findNearest("banana", ["learning_rate", "max_length"])).toBeUndefined();
  expect(findNearest("x", ["y", "ab"])).toBe("y");
});
