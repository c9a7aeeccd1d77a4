/** What is wrong with a recipe, line by line. */
import { expect } from "vitest";
import { SparError } from "../src/internal/errors.ts";

/** The listed problems of the error that `promise` must reject with. */
export async function problemsOf(promise: Promise<unknown>, code = "recipe/invalid"): Promise<string[]> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SparError);
  expect((error as SparError).code).toBe(code);
  return (error as SparError).message
    .split("\n")
    .slice(1)
    .map((line) => line.trim());
}
