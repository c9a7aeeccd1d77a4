/** A model may end at once: what becomes of its empty answers. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createCpuBackend } from "../runtime/index.ts";
import type { RunEvent } from "../tracking/index.ts";
import { selfRewardingConfigSchema, spinConfigSchema, type TrainingContext } from "../trainers/configs.ts";
import { trainSelfRewarding } from "./self-rewarding.ts";
import { trainSPIN } from "./spin.ts";

/** Which of the answers to a prompt, by the prompt, have no words. */
const silence = vi.hoisted(() => ({ isSilent: (_prompt: string, _i: number): boolean => false }));
vi.mock("./policy.ts", async (original) => {
  const policy = await original<typeof import("./policy.ts")>();
  const sampleAnswers: typeof policy.sampleAnswers = async (opened, prompts, ...rest) =>
    (await policy.sampleAnswers(opened, prompts, ...rest)).map((answers, p) =>
      answers.map((answer, i) => (silence.isSilent(prompts[p] as string, i) ? { text: i === 0 ? "" : " ", tokens: 1 } : answer)),
    );
  return { ...policy, sampleAnswers };
});

const backend = createCpuBackend();
let folder: string;
let shared: object;
let events: RunEvent[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-empty-"));
  const data = join(folder, "data.jsonl");
  const rows = Array.from({ length: 12 }, (_, i) => ({ prompt: `the film number ${i}`, completion: ` is a work of ${i} ideas .` }));
  writeFileSync(data, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  shared = {
    model_name_or_path: fileURLToPath(new URL("../../models/tiny-reviews", import.meta.url)),
    dataset_name: data,
    num_eval_prompts: 4,
    num_iterations: 1,
    max_length: 48,
    max_new_tokens: 6,
    generation_batch_size: 3,
    per_device_train_batch_size: 4,
    num_train_epochs: 1,
    gradient_checkpointing: false,
    seed: 7,
  };
});
afterAll(() => {
  backend.close();
  rmSync(folder, { recursive: true });
});

function createContext(): TrainingContext {
  events = [];
  const tracker = { metrics() {}, samples() {}, event: (event: RunEvent) => void events.push(event), progress() {}, async close() {} };
  return { backend, resume: false, signal: new AbortController().signal, tracker };
}
const read = <T>(...path: string[]): T[] =>
  readFileSync(join(...path), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
const told = (): (RunEvent | undefined)[] => events.filter(({ code }) => code === "self-play/empty-answers");

test("SPIN: they are in no pair, neither of those trained on nor of those set apart, and are counted", { timeout: 60_000 }, async () => {
  const config = spinConfigSchema.parse({ ...shared, output_dir: join(folder, "spin") });
  silence.isSilent = (prompt) => /[02468]$/.test(prompt);
  await trainSPIN(config, createContext());
  const pairs = [
    ...read<{ prompt: string; rejected: string }>(config.output_dir, "iteration-0", "pairs.jsonl"),
    ...read<{ prompt: string; rejected: string }>(config.output_dir, "iteration-0", "eval-pairs.jsonl"),
  ];
  expect(pairs.map(({ prompt }) => prompt).sort()).toEqual([1, 11, 3, 5, 7, 9].map((i) => `the film number ${i}`));
  expect(pairs.every(({ rejected }) => rejected.trim() !== "")).toBe(true);
  // Twelve prompts, half of them without an answer, of which four are set apart.
  expect(told().map((event) => event?.["answers"])).toEqual([8, 4]);
  expect(told().reduce((sum, event) => sum + (event?.["count"] as number), 0)).toBe(6);
});

test("SPIN: an opponent that says nothing at all ends the run with a reason", { timeout: 60_000 }, async () => {
  silence.isSilent = () => true;
  const config = spinConfigSchema.parse({ ...shared, output_dir: join(folder, "silent") });
  await expect(trainSPIN(config, createContext())).rejects.toMatchObject({
    code: "self-play/no-pairs",
    message: "iteration 0: expected answers of the opponent, got 8 empty ones",
  });
});

test("self-rewarding: neither best nor worst, and counted", { timeout: 60_000 }, async () => {
  silence.isSilent = (_prompt, i) => i < 2;
  const config = selfRewardingConfigSchema.parse({
    ...shared,
    reward_funcs: ["rule:length"],
    num_candidates: 6,
    output_dir: join(folder, "rewarding"),
  });
  await trainSelfRewarding(config, createContext());
  const pairs = read<{ chosen: string; rejected: string }>(config.output_dir, "M2", "pairs.jsonl");
  expect(pairs.length).toBeGreaterThan(0);
  for (const { chosen, rejected } of pairs) expect([chosen.trim(), rejected.trim()]).not.toContain("");
  expect(told()).toMatchObject([{ count: 16, answers: 48, level: "warning", message: "M2: 16 of 48 answers are empty, and in no pair" }]);
});
