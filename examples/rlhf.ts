/**
 * RLHF as a program: a reward model from comparisons, PPO against it, and what the policy writes before and after.
 * The same with a report, held-out measurements and more data is `spar quickstart`.
 *
 * After `npm run build`: node examples/rlhf.ts (Node 22.18 or newer; examples/README.md says how on Node 20).
 */
import { pathToFileURL } from "node:url";
import {
  configSchemas,
  createCpuBackend,
  createGenerator,
  loadModel,
  loadTokenizer,
  measureSentiment,
  trainPPO,
  trainReward,
  type Tracker,
} from "spar";

export interface Options {
  /** Folder of the language model to start from. */
  model: string;
  /** Comparisons `{chosen, rejected}`, and prompts, as files. */
  pairs: string;
  prompts: string;
  /** Two runs' folders are made below it. */
  output: string;
  rewardSteps: number;
  episodes: number;
}

export const defaults: Options = {
  model: "models/tiny-reviews",
  pairs: "recipes/tiny/data/pairs.jsonl",
  prompts: "recipes/tiny/data/prompts.jsonl",
  output: `runs/rlhf-${Date.now()}`,
  rewardSteps: 60,
  episodes: 1024,
};

export interface Outcome {
  before: string[];
  after: string[];
  /** Share of completions that VADER, which nothing was trained on, finds positive. */
  positiveBefore: number;
  positiveAfter: number;
}

export async function runRLHF(
  { model, pairs, prompts, output, rewardSteps, episodes }: Options,
  log: (line: string) => void,
): Promise<Outcome> {
  const context = { tracker: createLogTracker(log), signal: new AbortController().signal, resume: false };
  const openings = ["the film is", "this movie", "the story", "the acting was", "in the end ,", "the director"];
  const before = await complete(model, openings);

  // A config has the keys of a recipe; `parse` fills in the defaults.
  const reward = configSchemas.reward.parse({
    model_name_or_path: model,
    datasets: [{ path: "json", data_files: pairs }],
    output_dir: `${output}/reward`,
    max_steps: rewardSteps,
    learning_rate: 1e-3,
    per_device_train_batch_size: 16,
    gradient_checkpointing: false,
  });
  await trainReward(reward, context);

  const ppo = configSchemas.ppo.parse({
    sft_model_path: model,
    reward_model_path: reward.output_dir,
    datasets: [{ path: "json", data_files: prompts }],
    output_dir: `${output}/ppo`,
    total_episodes: episodes,
    response_length: 24,
    temperature: 1,
    learning_rate: 3e-4,
    per_device_train_batch_size: 64,
    num_mini_batches: 2,
    stop_token: "eos",
  });
  await trainPPO(ppo, context);

  const after = await complete(ppo.output_dir, openings);
  const [positiveBefore, positiveAfter] = (await Promise.all([before, after].map((texts) => measureSentiment(texts)))).map(
    (report) => report.positiveShare,
  );
  return { before, after, positiveBefore, positiveAfter };
}

/** Ten completions of each opening, the same random numbers each time. */
async function complete(folder: string, openings: readonly string[]): Promise<string[]> {
  const backend = createCpuBackend();
  const tokenizer = await loadTokenizer(folder);
  const generator = createGenerator(await loadModel(folder, backend, { head: "lm" }), backend, { tokenizer, maxBatch: 64 });
  const stopIds = tokenizer.eosId === undefined ? [] : [tokenizer.eosId];
  const requests = openings.map((opening) => ({ promptIds: tokenizer.encode(opening), candidates: 10 }));
  const completions = await generator.generate(requests, { maxNewTokens: 24, temperature: 1, stopIds, seed: 7 });
  generator.release();
  backend.close();
  return completions.map(({ request, text }) => openings[request] + (text ?? ""));
}

/** A tracker hears everything a run has to say; this one passes on warnings and each row's most telling numbers. */
function createLogTracker(log: (line: string) => void): Tracker {
  const wanted = ["loss", "accuracy", "objective/scores", "objective/kl"];
  return {
    metrics: (row) =>
      log(
        `step ${row.step}  ${wanted
          .filter((name) => name in row)
          .map((name) => `${name} ${Number(row[name]).toFixed(3)}`)
          .join("  ")}`,
      ),
    event: (event) => (event.level === "warning" ? log(event.message) : undefined),
    samples: () => {},
    progress: () => {},
    close: async () => {},
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { before, after, positiveBefore, positiveAfter } = await runRLHF(defaults, console.log);
  for (let i = 0; i < before.length; i += 10) console.log(`\nbefore: ${before[i]}\nafter:  ${after[i]}`);
  console.log(`\npositive by VADER: ${Math.round(100 * positiveBefore)} % before, ${Math.round(100 * positiveAfter)} % after`);
}
