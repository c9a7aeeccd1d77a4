/** The newest figures of a run for the table of all runs: from the end of metrics.jsonl, however long it is. */
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import type { RunSummary } from "./protocol.ts";

type LastValues = Pick<RunSummary, "step" | "loss" | "reward" | "rewardKey">;

const tailBytes = 64 * 1024;
const lossKeys = ["loss", "loss/policy_avg"];
/** The first of these that a run has is what it is about. */
const rewardKeys = [
  "objective/scores",
  "reward",
  "outside/mean_score",
  "outside/win_rate",
  "rewards/margins",
  "gain/gain",
  "accuracy",
  "mean_token_accuracy",
];

const known = new Map<string, { readonly stamp: string; readonly values: LastValues }>();
const maxKnown = 10_000;

export async function readLastValues(folder: string): Promise<LastValues> {
  const none = { step: null, loss: null, reward: null, rewardKey: null };
  const path = join(folder, "metrics.jsonl");
  try {
    const { size, mtimeMs, ino } = await stat(path);
    const stamp = `${size} ${mtimeMs} ${ino}`;
    const earlier = known.get(folder);
    if (earlier?.stamp === stamp) return earlier.values;
    const file = await open(path, "r");
    try {
      const tail = Buffer.alloc(Math.min(size, tailBytes));
      await file.read(tail, 0, tail.length, size - tail.length);
      const values = findLastValues(tail.toString("utf8"));
      if (known.size >= maxKnown) known.clear();
      known.set(folder, { stamp, values });
      return values;
    } finally {
      await file.close();
    }
  } catch {
    return none;
  }
}

/** `text`: the end of a file of rows, of which the first may be torn. */
function findLastValues(text: string): LastValues {
  const last = new Map<string, number>();
  for (const line of text.split("\n").reverse()) {
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch {
      continue;
    }
    if (typeof row !== "object" || row === null) continue;
    for (const [key, value] of Object.entries(row)) if (typeof value === "number" && !last.has(key)) last.set(key, value);
  }
  const pick = (keys: readonly string[]): string | null => keys.find((key) => last.has(key)) ?? null;
  const lossKey = pick(lossKeys);
  const rewardKey = pick(rewardKeys);
  return {
    step: last.get("step") ?? null,
    loss: lossKey === null ? null : last.get(lossKey)!,
    reward: rewardKey === null ? null : last.get(rewardKey)!,
    rewardKey,
  };
}
