/**
 * One PPO update of 32 completions of 16 + 64 tokens, 4 epochs: generation, reward model, reference, values, training.
 * The counterpart of peers/ppo.py; `--separate 1` gives the value function a model of its own, as TRL's has. Needs `npm run build`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configSchemas, createCpuBackend, loadModel, loadTokenizer, saveModel, trainPPO } from "../dist/index.js";
import { readArguments, report } from "./measure.mjs";

const args = readArguments({ steps: 1, completions: 32, micro: 8, prompt: 16, completion: 64, epochs: 4, separate: 0 });
const folder = mkdtempSync(join(tmpdir(), "spar-bench-"));
try {
  const scoreFolder = join(folder, "score");
  await makeScoreModel(scoreFolder);
  const updates = Math.max(1, args.warmup) + args.steps;
  writeFileSync(
    join(folder, "prompts.jsonl"),
    (await makePrompts(updates * args.completions)).map((prompt) => `${JSON.stringify({ prompt })}\n`).join(""),
  );
  const config = configSchemas.ppo.parse({
    model_name_or_path: args.model,
    reward_model_path: scoreFolder,
    value_model_path: args.separate ? scoreFolder : null,
    datasets: [{ path: "json", data_files: join(folder, "prompts.jsonl") }],
    output_dir: join(folder, "out"),
    per_device_train_batch_size: args.micro,
    gradient_accumulation_steps: args.completions / args.micro,
    num_ppo_epochs: args.epochs,
    local_rollout_forward_batch_size: args.completions,
    total_episodes: updates * args.completions,
    response_length: args.completion,
    temperature: 1,
    learning_rate: 1e-6,
    num_sample_generations: 0,
    save_strategy: "no",
    report_to: "none",
  });
  const backend = createCpuBackend({ threads: args.threads });
  const ends = [];
  const tracker = { metrics: () => ends.push(performance.now()), samples() {}, event() {}, progress() {}, close: async () => {} };
  await trainPPO(config, { tracker, signal: new AbortController().signal, resume: false, backend });
  const seconds = ends.slice(1).map((end, i) => (end - ends[i]) / 1000);
  report("ppo", seconds.slice(Math.max(1, args.warmup) - 1), {
    tokens: args.completions * args.completion,
    settings: {
      completions: args.completions,
      micro_batch: args.micro,
      prompt: args.prompt,
      completion: args.completion,
      epochs: args.epochs,
      value_model: args.separate ? "separate" : "head on the trunk",
      threads: args.threads,
    },
  });
  backend.close();
} finally {
  rmSync(folder, { recursive: true });
}

async function makeScoreModel(target) {
  const { mkdirSync } = await import("node:fs");
  mkdirSync(target);
  const backend = createCpuBackend({ threads: args.threads });
  await saveModel(await loadModel(args.model, backend, { head: "score" }), target);
  backend.close();
}

/** Texts of exactly so many tokens. */
async function makePrompts(count) {
  const tokenizer = await loadTokenizer(args.model);
  const prompts = [];
  for (let seed = 1; prompts.length < count; seed++) {
    const ids = Array.from({ length: args.prompt * 2 }, (_, t) => (seed * 7919 + t * 104729) % (tokenizer.vocabSize - 1));
    const encoded = tokenizer.encode(tokenizer.decode(ids)).slice(0, args.prompt);
    const text = tokenizer.decode(encoded);
    if (tokenizer.encode(text).length === args.prompt) prompts.push(text);
    if (seed > 1000 * count) throw new Error("no texts of this many tokens found");
  }
  return prompts;
}
