/** Openings of reviews: what the policy learns on, and what it is measured on. */
import { readFile } from "node:fs/promises";
import { SparError } from "../internal/errors.ts";
import { Random } from "../internal/rng.ts";

export interface Openings {
  readonly train: readonly string[];
  /** Never trained on. */
  readonly heldOut: readonly string[];
}

/** Splits the shipped openings by `seed`. Throws `quickstart/openings-missing`. */
export async function loadOpenings(path: string, heldOut: number, seed: number): Promise<Openings> {
  let lines: string[];
  try {
    lines = (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  } catch (cause) {
    throw new SparError("quickstart/openings-missing", `Reading the openings ${path}: ${(cause as Error).message}`, {
      hint: "The file is part of spar's package: install it again.",
      cause,
    });
  }
  const prompts = new Random(seed).shuffle([...new Set(lines.map((line) => (JSON.parse(line) as { prompt: string }).prompt))]);
  if (prompts.length <= heldOut)
    throw new SparError(
      "quickstart/openings-missing",
      `Reading the openings ${path}: expected more than ${heldOut}, got ${prompts.length}`,
    );
  return { heldOut: prompts.slice(0, heldOut), train: prompts.slice(heldOut) };
}
