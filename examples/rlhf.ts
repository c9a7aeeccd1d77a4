/**
 * RLHF as a program: the model's own answers, ranked; a reward model from these comparisons; PPO against it; and what the policy writes
 * before and after. The same with a report and held-out measurements is `spar quickstart`.
 *
 * After `npm run build`: node examples/rlhf.ts (Node 22.18 or newer; examples/README.md says how on Node 20).
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
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
  /** File of prompts, rows of `{prompt}`: the policy learns on them; the first `compared` get answers to compare. */
  prompts: string;
  compared: number;
  /** Answers to each of those: the best goes before the worst. */
  candidates: number;
  /** Stands in for whoever compares answers: a higher number is better. */
  judge: (text: string) => number;
  /** The comparisons and two runs' folders are made below it. */
  output: string;
  rewardSteps: number;
  episodes: number;
  seed: number;
}

export const defaults: Omit<Options, "judge"> = {
  model: "models/tiny-reviews",
  prompts: "recipes/quickstart/openings.jsonl",
  compared: 768,
  candidates: 8,
  output: `runs/rlhf-${Date.now()}`,
  rewardSteps: 80,
  episodes: 2048,
  seed: 1,
};

export interface Outcome {
  before: string[];
  after: string[];
  /** Share of completions that VADER, which nothing was trained on, finds positive. */
  positiveBefore: number;
  positiveAfter: number;
}

export async function runRLHF(
  { model, prompts, compared, candidates, judge, output, rewardSteps, episodes, seed }: Options,
  log: (line: string) => void,
): Promise<Outcome> {
  const context = { tracker: createLogTracker(log), signal: new AbortController().signal, resume: false };
  const openings = ["the film is", "this movie", "the story", "the acting was", "in the end ,", "the director"];
  const before = await complete(model, openings, 40, 7);

  // 1. Comparisons. What the reward model will have to judge is what this model writes, so it learns from that.
  const rows = readFileSync(prompts, "utf8").trim().split("\n").slice(0, compared);
  const asked = rows.map((line) => (JSON.parse(line) as { prompt: string }).prompt);
  const answers = await complete(model, asked, candidates, seed);
  const pairs = asked.flatMap((prompt, i) => {
    const own = answers.slice(i * candidates, (i + 1) * candidates).map((text) => text.slice(prompt.length));
    const ranked = own.filter((answer) => answer.trim() !== "").sort((a, b) => judge(b) - judge(a));
    const [chosen, rejected] = [ranked[0], ranked.at(-1)];
    return chosen !== undefined && rejected !== undefined && judge(chosen) > judge(rejected) ? [{ prompt, chosen, rejected }] : [];
  });
  mkdirSync(output, { recursive: true });
  writeFileSync(`${output}/pairs.jsonl`, pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(""));
  log(`${pairs.length} comparisons`);

  // 2. A reward model. A config has the keys of a recipe; `parse` fills in the defaults.
  const reward = configSchemas.reward.parse({
    model_name_or_path: model,
    datasets: [{ path: "json", data_files: `${output}/pairs.jsonl` }],
    output_dir: `${output}/reward`,
    max_steps: rewardSteps,
    learning_rate: 1e-3,
    per_device_train_batch_size: 16,
    center_rewards_coefficient: 0.01,
    gradient_checkpointing: false,
    seed,
  });
  await trainReward(reward, context);

  // 3. PPO: each nat away from the start costs kl_coef of reward.
  const ppo = configSchemas.ppo.parse({
    sft_model_path: model,
    reward_model_path: reward.output_dir,
    datasets: [{ path: "json", data_files: prompts }],
    output_dir: `${output}/ppo`,
    total_episodes: episodes,
    response_length: 24,
    temperature: 1,
    learning_rate: 5e-4,
    per_device_train_batch_size: 64,
    num_mini_batches: 2,
    kl_coef: 0.2,
    stop_token: "eos",
    seed,
  });
  await trainPPO(ppo, context);

  const after = await complete(ppo.output_dir, openings, 40, 7);
  const [positiveBefore, positiveAfter] = (await Promise.all([before, after].map((texts) => measureSentiment(texts)))).map(
    (report) => report.positiveShare,
  );
  return { before, after, positiveBefore, positiveAfter };
}

/**
 * A judge for the defaults, learnt from people: 3,000 sentences labelled as positive or negative (Kotzias et al. 2015; npm's `sentiment`
 * has them among its fixtures). How much more often a word stands in positive ones, summed over a text's words.
 */
export function learnJudge(): (text: string) => number {
  const folder = join(dirname(createRequire(import.meta.url).resolve("sentiment/package.json")), "test/fixtures");
  const wordsOf = (text: string): Set<string> => new Set(text.toLowerCase().match(/[a-z']+/g));
  const counts = new Map<string, [negative: number, positive: number]>();
  for (const site of ["imdb", "yelp", "amazon"]) {
    for (const row of JSON.parse(readFileSync(join(folder, `${site}.json`), "utf8")) as { text: string; class: 0 | 1 }[]) {
      for (const word of wordsOf(row.text)) {
        const count = counts.get(word) ?? [1, 1];
        count[row.class]++;
        counts.set(word, count);
      }
    }
  }
  // Only words that were seen often, and nearly three times as often on one side: `and` would say nothing, at great length.
  const weigh = ([negative, positive] = [1, 1]): number => {
    const weight = Math.log(positive / negative);
    return negative + positive < 12 || Math.abs(weight) < 1 ? 0 : weight;
  };
  return (text) => [...wordsOf(text)].reduce((sum, word) => sum + weigh(counts.get(word)), 0);
}

/** Openings with what the model makes of them, `candidates` of each, one after the other; one seed, one outcome. */
async function complete(folder: string, openings: readonly string[], candidates: number, seed: number): Promise<string[]> {
  const backend = createCpuBackend();
  const tokenizer = await loadTokenizer(folder);
  const generator = createGenerator(await loadModel(folder, backend, { head: "lm" }), backend, { tokenizer, maxBatch: 64 });
  const stopIds = tokenizer.eosId === undefined ? [] : [tokenizer.eosId];
  const requests = openings.map((opening) => ({ promptIds: tokenizer.encode(opening), candidates }));
  const completions = await generator.generate(requests, { maxNewTokens: 24, temperature: 1, stopIds, seed });
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
  const { before, after, positiveBefore, positiveAfter } = await runRLHF({ ...defaults, judge: learnJudge() }, console.log);
  for (let i = 0; i < before.length; i += 40) console.log(`\nbefore: ${before[i]}\nafter:  ${after[i]}`);
  console.log(`\npositive by VADER: ${Math.round(100 * positiveBefore)} % before, ${Math.round(100 * positiveAfter)} % after`);
}
