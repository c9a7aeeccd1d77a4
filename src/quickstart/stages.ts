/** What both paths of the quickstart share: the folder and its record, stages with their time, trainings as stages. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { InterruptedError, SparError } from "../internal/errors.ts";
import { loadRecipe, runRecipe, type Method, type TrainingOutcome } from "../recipes/index.ts";
import { acquireRunLock, createFanOut, openRunDirectory, type RunDirectory, type SampleRow, type Tracker } from "../tracking/index.ts";
import { sampleCompletions, type MeasuredSide, type Sampled } from "./completions.ts";
import type { JudgeReport, RewardModelReport } from "./report.ts";

/** A file of spar's package. */
export const packageFile = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The embedded language model's folder. */
export const embeddedModel = packageFile("models/tiny-reviews");
export const openingsFile = packageFile("recipes/quickstart/openings.jsonl");

export const heldOutOpenings = 256;
export const heldOutSentences = 0.15;
const shownSamples = 24;

export type StageName = "model" | "reward_model" | "ppo" | "self_rewarding" | "spin" | "report";

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
  readonly flags?: { readonly [recipe in "reward" | "ppo" | "self-rewarding" | "spin"]?: readonly string[] } | undefined;
  /** Called as a stage starts; the tracker hears of its progress, and is closed when it ends. */
  readonly openStage?: (stage: StageName) => Tracker;
  /** Called when a stage has ended. */
  readonly closeStage?: (stage: StageName, seconds: number, report: StageResult) => void;
};

/** What is worth saying at the end of a stage. */
export type StageResult = {
  readonly samples?: readonly Sampled[];
  readonly rewardModel?: RewardModelReport;
  readonly judge?: JudgeReport;
};

export type ReportFiles = { readonly json: string; readonly markdown: string; readonly html: string };

export interface StagedQuickstart {
  readonly directory: RunDirectory;
  /** Those that are done. */
  readonly stages: readonly { readonly name: StageName; readonly seconds: number }[];
  runStage<T>(name: StageName, body: (tracker: Tracker) => Promise<T>, describe?: (value: T) => StageResult): Promise<T>;
  /** Runs a recipe in `output` in the quickstart's folder. */
  train(method: Method, recipe: string, tracker: Tracker, flags: readonly string[]): Promise<TrainingOutcome>;
  sample(
    folder: string,
    prompts: readonly string[],
    tracker: Tracker,
    settings: { maxNewTokens: number; seed?: number },
  ): Promise<Sampled[]>;
}

/**
 * Throws `run/folder-not-empty`, InterruptedError, and whatever the body throws; how it ended is in run.json.
 */
export async function withQuickstart<T>(
  options: QuickstartOptions,
  path: string,
  body: (quickstart: StagedQuickstart) => Promise<T>,
): Promise<T> {
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
      configYaml: `path: ${path}\nseed: ${seed}\noutput_dir: ${JSON.stringify(outputDir)}\n`,
      keepRows: false,
    });
    try {
      const result = await body(createStages(options, directory));
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

function createStages(options: QuickstartOptions, directory: RunDirectory): StagedQuickstart {
  const { outputDir, seed, signal } = options;
  const stages: { name: StageName; seconds: number }[] = [];
  const silent = createFanOut([]);
  const interrupted = (name: StageName): InterruptedError =>
    new InterruptedError(`Stopped in stage ${name}; what was done so far is in ${outputDir}.`, {
      hint: "The quickstart starts over when it is run again.",
    });
  return {
    directory,
    stages,
    async runStage(name, body, describe = () => ({})) {
      const started = performance.now();
      const tracker = options.openStage?.(name) ?? silent;
      directory.event({ code: "stage/started", message: name });
      let value: Awaited<ReturnType<typeof body>>;
      try {
        value = await body(tracker);
      } catch (error) {
        await tracker.close("failed", error);
        // A run inside a stage would advise --resume, which the quickstart does not have.
        throw error instanceof InterruptedError || (signal.aborted && !(error instanceof SparError)) ? interrupted(name) : error;
      }
      await tracker.close("finished");
      if (signal.aborted) throw interrupted(name);
      const seconds = (performance.now() - started) / 1000;
      stages.push({ name, seconds: round(seconds, 1) });
      directory.event({ code: "stage/finished", message: name, seconds });
      options.closeStage?.(name, seconds, describe(value));
      return value;
    },
    async train(method, configPath, tracker, flags) {
      const recipe = await loadRecipe({ method, configPath, flags });
      return runRecipe(recipe, {
        version: options.version,
        signal,
        trackers: [{ name: "quickstart", tracker: keepOpen(tracker) }],
        parent: directory.record.id,
      });
    },
    sample: (folder, prompts, tracker, settings) =>
      sampleCompletions(folder, prompts, {
        maxNewTokens: settings.maxNewTokens,
        seed: settings.seed ?? seed,
        signal,
        onProgress: (done) => tracker.progress({ stage: "sampling", done, total: prompts.length, unit: "completions" }),
      }),
  };
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

/** Rows of samples.jsonl; `scorer` names what gave the side's scores. */
export function listSamples(step: number, scorer: string, sampled: readonly Sampled[], side: MeasuredSide): SampleRow[] {
  return sampled.map(({ prompt, text }, i) => ({
    step,
    prompt,
    completion: text,
    scores: { [scorer]: side.scores[i], vader: side.outside[i] },
  }));
}

export function sumSeconds(stages: StagedQuickstart["stages"]): number {
  return round(
    stages.reduce((sum, stage) => sum + stage.seconds, 0),
    1,
  );
}

export async function writeRows(path: string, rows: readonly object[]): Promise<void> {
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
