/** Prompts that a model makes, over iterations; what it writes is given here. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test, vi } from "vitest";
import { createCpuBackend } from "../runtime/index.ts";
import { selfRewardingConfigSchema } from "../trainers/configs.ts";
import { trainSelfRewarding } from "./self-rewarding.ts";

const given = Array.from({ length: 8 }, (_, i) => `the film number ${i} is`);
/** What the model writes at each attempt, in every iteration the same; the first are all given. */
const written = [
  ...given,
  "a novel about ships",
  "that actor who sings",
  "music from another planet",
  "comedy has its price",
  "one last dance tonight",
];

vi.mock("./policy.ts", async (load) => {
  const real = await load<typeof import("./policy.ts")>();
  const sampleAnswers: typeof real.sampleAnswers = async (policy, prompts, settings, options = {}) => {
    if (!String(prompts[0]).startsWith("Below is a list")) return real.sampleAnswers(policy, prompts, settings, options);
    return prompts.map((_, i) => [{ text: written[((options.first ?? 0) + i) % written.length], tokens: 4 }]);
  };
  return { ...real, sampleAnswers };
});

const backend = createCpuBackend();
const folder = mkdtempSync(join(tmpdir(), "spar-made-"));
afterAll(() => {
  backend.close();
  rmSync(folder, { recursive: true });
});

test("they are new to what is given and watched, and to earlier iterations", { timeout: 60_000 }, async () => {
  const data = join(folder, "prompts.jsonl");
  writeFileSync(data, given.map((prompt) => `${JSON.stringify({ prompt })}\n`).join(""));
  const config = selfRewardingConfigSchema.parse({
    model_name_or_path: fileURLToPath(new URL("../../models/tiny-reviews", import.meta.url)),
    dataset_name: data,
    num_eval_prompts: 3,
    reward_funcs: ["rule:length"],
    make_prompts: true,
    prompts_per_iteration: 2,
    num_iterations: 2,
    num_candidates: 4,
    temperature: 1,
    max_new_tokens: 6,
    max_length: 48,
    generation_batch_size: 4,
    prompt_banned_words: [],
    prompt_rouge_limit: 0.9,
    per_device_train_batch_size: 2,
    num_train_epochs: 1,
    gradient_checkpointing: false,
    output_dir: join(folder, "run"),
  });
  const tracker = { metrics() {}, samples() {}, event() {}, progress() {}, async close() {} };
  await trainSelfRewarding(config, { backend, resume: false, signal: new AbortController().signal, tracker });
  const read = (name: string): string[] =>
    readFileSync(join(config.output_dir, name, "prompts.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { prompt: string }).prompt);
  expect(read("M2")).toEqual(written.slice(8, 10));
  expect(read("M3")).toEqual(written.slice(10, 12));
});
