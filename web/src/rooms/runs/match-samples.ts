/** Samples of two steps or two runs, prompt by prompt. */
import type { ShownSample } from "../../../../src/server/ui/runs/protocol.ts";

/** For each row the one of `others` with the same prompt; where a prompt stands several times, the first for the first. */
export function matchSamples(rows: readonly ShownSample[], others: readonly ShownSample[]): (ShownSample | undefined)[] {
  const waiting = new Map<string, ShownSample[]>();
  for (const other of others) {
    const same = waiting.get(other.prompt) ?? [];
    waiting.set(other.prompt, same);
    same.push(other);
  }
  return rows.map(({ prompt }) => waiting.get(prompt)?.shift());
}
