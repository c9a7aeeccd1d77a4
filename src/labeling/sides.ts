import { createHash } from "node:crypto";
import { Random } from "../internal/rng.ts";

/**
 * Which candidate is shown at each position, from the left: a permutation that depends on (seed, task, annotator) and nothing else, so
 * that it is the same after a restart, and differs from person to person.
 */
export function drawSides(seed: number, task: string, annotator: string, count: number): number[] {
  const random = new Random(hashText(JSON.stringify([seed, "sides", task, annotator])));
  return random.shuffle(Array.from({ length: count }, (_, i) => i));
}

/** 32 bits of SHA-256. */
export function hashText(text: string): number {
  return createHash("sha256").update(text).digest().readInt32LE(0);
}
