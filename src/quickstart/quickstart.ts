/** The whole loop: the shipped model, a reward model learnt from people's labels, PPO, and a report of before and after. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InterruptedError, SparError } from "../internal/errors.ts";
import { loadRecipe, runRecipe, type Method, type TrainingOutcome } from "../recipes/index.ts";
import { loadTokenizer } from "../tokenizer/index.ts";
import { acquireRunLock, createFanOut, openRunDirectory, type RunDirectory, type SampleRow, type Tracker } from "../tracking/index.ts";
import { measureCompletions, sampleCompletions, type MeasuredSide, type Sampled } from "./completions.ts";
import { parseCurves, type Curves } from "./curves.ts";
import { loadOpenings } from "./openings.ts";
import { renderHtml } from "./report-html.ts";
import { renderMarkdown } from "./report-markdown.ts";
import type { QuickstartReport } from "./report.ts";
import { loadSentences, pairSentences, splitSentences, surroundPairs, tokenisePairs } from "./sentences.ts";

const packageFile = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The embedded language model's folder. */
export const embeddedModel = packageFile("models/tiny-reviews");
const recipeFiles = { reward: packageFile("recipes/quickstart/reward.yaml"), ppo: packageFile("recipes/quickstart/ppo.yaml") };
const openingsFile = packageFile("recipes/quickstart/openings.jsonl");

const heldOutOpenings = 256;
const heldOutSentences = 0.15;
/** How often each positive sentence is compared in training, each time with another negative one. */
const pairingRounds = 4;
/** Longest side of a pair; the policy's texts are shorter. */
const pairTokens = 48;
/** Completions of the untuned model, on training openings, that labelled sentences are put into. */
const surroundingTexts = 256;
const shownSamples = 24;

export type StageName = "model" | "reward_model" | "ppo" | "report";

export type QuickstartOptions = {
  readonly seed: number;
  /** New or empty. */
  readonly outputDir: string;
  /** spar's version, for run.json. */
  readonly version: string;
  readonly signal: AbortSignal;
  /** The language model to start from; absent: the embedded one. */
  readonly model?: string | undefined;
  /** Keys of the recipes to replace, as flags; for experiments. */
  readonly flags?: { readonly reward?: readonly string[]; readonly ppo?: readonly string[] } | undefined;
  /** Called as a stage starts; the tracker hears of its progress, and is closed when it ends. */
  readonly openStage?: (stage: StageName) => Tracker;
  /** Called when a stage has ended. */
  readonly closeStage?: (stage: StageName, seconds: number, report: StageResult) => void;
};

/** What is worth saying at the end of a stage. */
export type StageResult = { readonly samples?: readonly Sampled[]; readonly rewardModel?: QuickstartReport["reward_model"] };

export type QuickstartResult = {
  readonly report: QuickstartReport;
  readonly files: { readonly json: string; readonly markdown: string; readonly html: string };
};

/**
 * Throws `run/folder-not-empty`, `quickstart/…`, InterruptedError, and whatever the trainings throw; how it ended is in run.json.
 */
export async function runQuickstart(options: QuickstartOptions): Promise<QuickstartResult> {
  const { outputDir, seed } = options;
  await mkdir(outputDir, { recursive: true });
  if ((await readdir(outputDir)).length > 0) {
    throw new SparError("run/folder-not-empty", `quickstart: ${outputDir} is not empty: expected a new or empty folder`, {
      hint: "Choose another --output-dir, or leave it out.",
    });
  }
  const lock = acquireRunLock(outputDir);
  try {
    const directory = openRunDirectory(outputDir, {
      method: "quickstart",
      version: options.version,
      configYaml: `seed: ${seed}\noutput_dir: ${JSON.stringify(outputDir)}\n`,
      keepRows: false,
    });
    try {
      const result = await runStages(options, directory);
      await directory.close("finished");
      return result;
    } catch (error) {
      await directory.close(
        error instanceof InterruptedError ? "stopped" : "failed",
        error instanceof InterruptedError ? undefined : error,
      );
      throw error;
    }
  } finally {
    lock.release();
  }
}

async function runStages(options: QuickstartOptions, directory: RunDirectory): Promise<QuickstartResult> {
  const { outputDir, seed, signal } = options;
  const base = options.model ?? embeddedModel;
  const stages: { name: StageName; seconds: number }[] = [];
  const silent = createFanOut([]);

  const runStage = async <T>(
    name: StageName,
    body: (tracker: Tracker) => Promise<T>,
    describe: (value: T) => StageResult = () => ({}),
  ): Promise<T> => {
    const started = performance.now();
    const tracker = options.openStage?.(name) ?? silent;
    directory.event({ code: "stage/started", message: name });
    let value: T;
    try {
      value = await body(tracker);
    } catch (error) {
      await tracker.close("failed", error);
      throw signal.aborted && !(error instanceof SparError)
        ? new InterruptedError(`Stopped in stage ${name}; what was done so far is in ${outputDir}.`)
        : error;
    }
    await tracker.close("finished");
    if (signal.aborted)
      throw new InterruptedError(`Stopped in stage ${name}; what was done so far is in ${outputDir}.`, {
        hint: "The quickstart starts over when it is run again.",
      });
    const seconds = (performance.now() - started) / 1000;
    stages.push({ name, seconds: round(seconds, 1) });
    directory.event({ code: "stage/finished", message: name, seconds });
    options.closeStage?.(name, seconds, describe(value));
    return value;
  };

  const train = async (method: Method, tracker: Tracker, flags: readonly string[]): Promise<TrainingOutcome> => {
    const recipe = await loadRecipe({ method, configPath: recipeFiles[method as keyof typeof recipeFiles], flags });
    return runRecipe(recipe, {
      version: options.version,
      signal,
      trackers: [{ name: "quickstart", tracker: keepOpen(tracker) }],
      parent: directory.record.id,
    });
  };

  const rewardFolder = join(outputDir, "reward");
  const policyFolder = join(outputDir, "ppo");
  const dataFolder = join(outputDir, "data");
  const ppoFlags = [
    "--sft_model_path",
    base,
    "--reward_model_path",
    rewardFolder,
    "--dataset_name",
    join(dataFolder, "openings"),
    "--output_dir",
    policyFolder,
    "--seed",
    String(seed),
    ...(options.flags?.ppo ?? []),
  ];
  const maxNewTokens = await readResponseLength(ppoFlags);
  const openings = await loadOpenings(openingsFile, heldOutOpenings, seed);
  const sample = (folder: string, prompts: readonly string[], tracker: Tracker): Promise<Sampled[]> =>
    sampleCompletions(folder, prompts, {
      maxNewTokens,
      seed,
      signal,
      onProgress: (done) => tracker.progress({ stage: "sampling", done, total: prompts.length, unit: "completions" }),
    });

  const { before, written } = await runStage(
    "model",
    // Held-out openings first: they are the same rows, with the same random numbers, as after the tuning.
    async (tracker) => {
      const samples = await sample(base, [...openings.heldOut, ...openings.train.slice(0, surroundingTexts)], tracker);
      return { before: samples.slice(0, heldOutOpenings), written: samples.slice(heldOutOpenings) };
    },
    ({ before: samples }) => ({ samples }),
  );

  const rewardModel = await runStage(
    "reward_model",
    async (tracker) => {
      const { train: known, heldOut } = splitSentences(await loadSentences(), heldOutSentences, seed);
      const tokenizer = await loadTokenizer(base);
      const pairs = {
        train: surroundPairs(pairSentences(known, pairingRounds, seed), tokenizer, {
          maxTokens: pairTokens,
          surroundings: written.map(({ ids }) => ids),
          seed,
        }),
        test: tokenisePairs(pairSentences(heldOut, 1, seed), tokenizer, pairTokens),
      };
      await mkdir(join(dataFolder, "reward"), { recursive: true });
      for (const [split, rows] of Object.entries(pairs)) await writeRows(join(dataFolder, "reward", `${split}.jsonl`), rows);
      const flags = [
        "--model_name_or_path",
        base,
        "--dataset_name",
        join(dataFolder, "reward"),
        "--output_dir",
        rewardFolder,
        "--seed",
        String(seed),
        ...(options.flags?.reward ?? []),
      ];
      const { metrics } = await train("reward", tracker, flags);
      return {
        train_pairs: pairs.train.length,
        heldout_pairs: pairs.test.length,
        heldout_accuracy: round(metrics["eval_accuracy"] ?? NaN, 4),
      };
    },
    (measured) => ({ rewardModel: measured }),
  );

  const outcome = await runStage("ppo", async (tracker) => {
    await mkdir(join(dataFolder, "openings"), { recursive: true });
    await writeRows(
      join(dataFolder, "openings", "train.jsonl"),
      openings.train.map((prompt) => ({ prompt })),
    );
    await writeRows(
      join(dataFolder, "openings", "test.jsonl"),
      openings.heldOut.map((prompt) => ({ prompt })),
    );
    return train("ppo", tracker, ppoFlags);
  });

  const { after, sides } = await runStage("report", async (tracker) => {
    const tuned = await sample(policyFolder, openings.heldOut, tracker);
    const models = { base, rewardModel: rewardFolder };
    return { after: tuned, sides: { before: await measureCompletions(before, models), after: await measureCompletions(tuned, models) } };
  });
  directory.samples([...listSamples(0, before, sides.before), ...listSamples(outcome.steps, after, sides.after)]);

  const report: QuickstartReport = {
    path: "rlhf",
    seed,
    seconds: round(
      stages.reduce((sum, stage) => sum + stage.seconds, 0),
      1,
    ),
    stages,
    reward_model: rewardModel,
    before: sides.before.summary,
    after: { ...sides.after.summary, kl: sides.after.kl },
    samples: pickSamples(before, after),
  };
  const files = { json: join(outputDir, "report.json"), markdown: join(outputDir, "report.md"), html: join(outputDir, "report.html") };
  await writeFile(files.json, `${JSON.stringify(report, undefined, 2)}\n`);
  await writeFile(files.markdown, renderMarkdown(report));
  await writeFile(
    files.html,
    renderHtml({ report, sides, completions: { before, after }, curves: await loadCurves(policyFolder), version: options.version }),
  );
  return { report, files };
}

async function readResponseLength(flags: readonly string[]): Promise<number> {
  const recipe = await loadRecipe({ method: "ppo", configPath: recipeFiles.ppo, flags });
  if (recipe.method !== "ppo") throw new Error("spar bug: the recipe of PPO is one of another method");
  return recipe.config.response_length;
}

async function loadCurves(folder: string): Promise<Curves> {
  return parseCurves(await readFile(join(folder, "metrics.jsonl"), "utf8"));
}

/** The stage goes on after its training: the run must not close what the stage's owner gave. */
function keepOpen(tracker: Tracker): Tracker {
  return {
    metrics: (row) => tracker.metrics(row),
    samples: (rows) => tracker.samples(rows),
    event: (event) => tracker.event(event),
    progress: (progress) => tracker.progress(progress),
    close: async () => {},
  };
}

/** The first held-out openings (they are in random order) whose completions differ: nobody chose them. */
export function pickSamples(before: readonly Sampled[], after: readonly Sampled[]): { prompt: string; before: string; after: string }[] {
  return before
    .map(({ prompt, text }, i) => ({ prompt, before: text, after: after[i].text }))
    .filter((sample) => sample.before !== sample.after)
    .slice(0, shownSamples);
}

function listSamples(step: number, sampled: readonly Sampled[], side: MeasuredSide): SampleRow[] {
  return sampled.map(({ prompt, text }, i) => ({
    step,
    prompt,
    completion: text,
    scores: { reward_model: side.scores[i], vader: side.outside[i] },
  }));
}

async function writeRows(path: string, rows: readonly object[]): Promise<void> {
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
