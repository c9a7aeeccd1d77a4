import { expect, test } from "vitest";
import { countTimes } from "./saving.ts";

test.each([
  ["no", 5, 20, 2, 0],
  ["steps", 5, 20, 2, 4],
  ["steps", 6, 20, 2, 3],
  ["steps", 500, 20, 2, 0],
  ["steps", 0.25, 20, 2, 4],
  ["steps", 0.01, 20, 2, 20],
  ["epoch", 5, 20, 2, 2],
  ["epoch", 5, 21, 2.1, 3],
] as const)("%s of %s: in %s steps, %s epochs, %s times", (strategy, every, steps, epochs, times) => {
  expect(countTimes(strategy, every, steps, epochs)).toBe(times);
});
