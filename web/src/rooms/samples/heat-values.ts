/** Numbers behind the colours of a heat map. */
import type { Heat } from "../../../../src/server/ui/samples/protocol.ts";

/** What is coloured: what a token changes, or where the score stands after it. */
export type HeatMeasure = "change" | "score";

/** The number that each token is coloured by. */
export function listValues({ before, tokens }: Heat, by: HeatMeasure): number[] {
  return tokens.map(({ score }, i) => (by === "score" ? score : score - (i === 0 ? (before ?? score) : tokens[i - 1].score)));
}

/** What the strongest colour stands for: nearly all values lie within, so that one outlier does not bleach the rest. */
export function findScale(all: readonly Heat[], by: HeatMeasure): number {
  const sizes = all.flatMap((heat) => listValues(heat, by).map(Math.abs)).sort((a, b) => a - b);
  const high = sizes[Math.floor(0.97 * (sizes.length - 1))] ?? 0;
  return high > 0 ? Number(high.toPrecision(2)) : 1;
}
