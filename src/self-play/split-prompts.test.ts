import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadTokenizer } from "../tokenizer/index.ts";
import type { RunEvent } from "../tracking/index.ts";
import { selfRewardingConfigSchema } from "../trainers/configs.ts";
import type { SelfPlayRun } from "./self-play-run.ts";
import { reportRepeats, splitPrompts } from "./split-prompts.ts";

const base = fileURLToPath(new URL("../../models/tiny-reviews", import.meta.url));
let root: string;
let events: RunEvent[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "spar-split-"));
  events = [];
});
afterEach(() => rmSync(root, { recursive: true }));

async function split(learnt: readonly string[], watched: readonly string[] | null, count: number): Promise<[string[], string[]]> {
  const put = (name: string, prompts: readonly string[]): string => {
    const path = join(root, name);
    writeFileSync(path, prompts.map((prompt) => `${JSON.stringify({ prompt })}\n`).join(""));
    return path;
  };
  const config = selfRewardingConfigSchema.parse({
    model_name_or_path: base,
    dataset_name: put("learnt.jsonl", learnt),
    eval_dataset: watched && put("watched.jsonl", watched),
    num_eval_prompts: count,
    output_dir: root,
  });
  const tracker = { metrics() {}, samples() {}, event: (event: RunEvent) => void events.push(event), progress() {}, async close() {} };
  const run: Partial<SelfPlayRun> = {
    root,
    base,
    tokenizer: await loadTokenizer(base),
    context: { tracker, signal: new AbortController().signal, resume: false },
    async stage(stage) {
      await stage.run({ resume: false });
      return { seconds: 0, memory: 0 };
    },
  };
  mkdirSync(join(root, "data"), { recursive: true });
  await splitPrompts(config, run as SelfPlayRun);
  const read = (name: string): string[] =>
    readFileSync(join(root, "data", name), "utf8")
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { prompt: string }).prompt);
  return [read("prompts.jsonl"), read("eval.jsonl")];
}

const prompts = Array.from({ length: 6 }, (_, i) => `the film number ${i} is`);

test("what eval_dataset watches is not learnt on, and its number is told", async () => {
  const [learnt, watched] = await split([...prompts, prompts[0]], [prompts[0], "another", prompts[1], prompts[5]], 3);
  expect(watched).toEqual([prompts[0], "another", prompts[1]]);
  // The last one of eval_dataset is not watched.
  expect(learnt.toSorted()).toEqual(prompts.slice(2));
  expect(events).toEqual([
    {
      code: "data/rows-dropped",
      level: "warning",
      message: "3 of 7 prompts are watched on too (eval_dataset), and were left out of those learnt on",
    },
  ]);
  await expect(split(prompts, prompts, 6)).rejects.toMatchObject({
    code: "self-play/few-prompts",
    message: "expected prompts to learn on, got 6 that are all in eval_dataset too",
  });
});

test("without an overlap nothing is left out, and the order is the same with one", async () => {
  const [alone] = await split(prompts, ["another"], 1);
  expect(events).toEqual([]);
  expect(alone.toSorted()).toEqual(prompts);
  const [learnt] = await split(prompts, [prompts[3]], 1);
  expect(learnt).toEqual(alone.filter((prompt) => prompt !== prompts[3]));
});

test("rows set apart whose prompts are learnt on in other rows are counted", async () => {
  const [learnt, watched] = await split([...prompts, ...prompts], null, 2);
  expect(learnt).toHaveLength(10);
  const repeated = watched.filter((prompt) => learnt.includes(prompt)).length;
  expect(repeated).toBeGreaterThan(0);
  expect(events).toMatchObject([{ code: "self-play/repeated-prompts", count: repeated, of: 2 }]);
  events = [];
  await split(prompts, null, 2);
  expect(events).toEqual([]);
  await expect(split(prompts, null, 6)).rejects.toMatchObject({ code: "self-play/few-prompts" });
});

test("messages are the same by what they say", () => {
  const told: RunEvent[] = [];
  const context = { tracker: { event: (event: RunEvent) => void told.push(event) } } as unknown as SelfPlayRun["context"];
  const asked = (content: string): { prompt: { role: string; content: string }[] } => ({ prompt: [{ role: "user", content }] });
  reportRepeats({ context }, [asked("a"), asked("b")], [asked("b"), asked("c")]);
  expect(told).toMatchObject([{ count: 1, of: 2 }]);
});
