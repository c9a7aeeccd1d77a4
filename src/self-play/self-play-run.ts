/** What both methods stand on: where they start, their stages, their time, and the model they leave. */
import { copyFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { writeIntoFolder } from "../checkpoint/index.ts";
import type { Content } from "../data/index.ts";
import { readModelConfig } from "../models/index.ts";
import { createCpuBackend, type Backend } from "../runtime/index.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizer/index.ts";
import type { TrainingArguments, TrainingContext } from "../trainers/configs.ts";
import { findModel } from "../trainers/index.ts";
import { isModelFile } from "./content-hash.ts";
import { createPromptEncoder } from "./policy.ts";
import { createRowReporter, type RowReporter } from "./report-rows.ts";
import { createStageRunner, type Stage, type StageRunner, type StageTime } from "./stage.ts";

/** What a stage's time is counted as. */
export type Work = "generation" | "judging" | "training";

export interface SelfPlayRun {
  readonly context: TrainingContext;
  readonly backend: Backend;
  /** The run's folder. */
  readonly root: string;
  /** Folder of the model that everything starts from. */
  readonly base: string;
  readonly tokenizer: Tokenizer;
  readonly findModel: (name: string) => Promise<string>;
  /** Runs a stage, or finds it done; its time counts as `work` in the clock. */
  stage(stage: Stage, clock?: Clock, work?: Work): Promise<StageTime>;
  progress(stage: string, total: number): (done: number) => void;
  /** A model's row, with its samples; once, however often the run is resumed. */
  report: RowReporter["report"];
}

/** Opens what a run needs, and gives it back whatever happens. */
export async function withSelfPlayRun<T>(
  config: TrainingArguments,
  context: TrainingContext,
  body: (run: SelfPlayRun) => Promise<T>,
): Promise<T> {
  const backend = context.backend ?? createCpuBackend();
  try {
    const find = (name: string): Promise<string> => findModel(name, context);
    const base = await findModel(config.model_name_or_path as string, context, config.model_revision);
    const root = config.output_dir;
    const rows = createRowReporter({ root, context });
    const runner: StageRunner = createStageRunner({ root, context, onStart: rows.startNew });
    const result = await body({
      context,
      backend,
      root,
      base,
      tokenizer: await loadTokenizer(base),
      findModel: find,
      async stage(stage, clock, work) {
        const time = await runner.run(stage);
        if (clock !== undefined && work !== undefined) clock.add(work, time);
        return time;
      },
      progress: (stage, total) => (done) => context.tracker.progress({ stage, done: Math.min(done, total), total }),
      report: rows.report,
    });
    rows.finish();
    return result;
  } finally {
    if (context.backend === undefined) backend.close();
  }
}

export interface Clock {
  add(work: Work, time: StageTime): void;
  /** Rows of metrics.jsonl: seconds and their shares, and the largest resident memory in MB. */
  describe(): { [metric: string]: number };
}

export function createClock(): Clock {
  const seconds = { generation: 0, judging: 0, training: 0 };
  let memory = 0;
  return {
    add(work, time) {
      seconds[work] += time.seconds;
      memory = Math.max(memory, time.memory);
    },
    describe() {
      const total = seconds.generation + seconds.judging + seconds.training;
      const names = Object.keys(seconds) as Work[];
      return {
        ...Object.fromEntries(names.map((name) => [`seconds/${name}`, seconds[name]])),
        "seconds/total": total,
        ...Object.fromEntries(names.map((name) => [`share/${name}`, total === 0 ? 0 : seconds[name] / total])),
        memory_mb: memory,
      };
    },
  };
}

/** Leaves out prompts that are too long, or that leave no room for an answer; says how many. */
export function keepFittingPrompts<T extends { readonly prompt: Content }>(
  rows: readonly T[],
  { tokenizer, context }: SelfPlayRun,
  { maxPromptLength, maxPositions }: { readonly maxPromptLength: number | null; readonly maxPositions: number },
): T[] {
  const encode = createPromptEncoder(tokenizer);
  const longest = Math.min(maxPromptLength ?? Infinity, maxPositions - 1);
  const kept = rows.filter(({ prompt }) => {
    const { length } = encode(prompt);
    return length > 0 && length <= longest;
  });
  if (kept.length < rows.length) {
    const message = `${rows.length - kept.length} of ${rows.length} prompts are empty or have more than ${longest} tokens, and were left out`;
    context.tracker.event({ code: "data/rows-dropped", level: "warning", message });
  }
  return kept;
}

/** Says how many answers had no words, and so are in no pair; nothing where all have. */
export function reportEmptyAnswers({ context }: Pick<SelfPlayRun, "context">, name: string, empty: number, of: number): void {
  if (empty === 0) return;
  // One in a hundred is chance; a model that often says nothing has lost its tongue.
  const level = empty > of / 10 ? "warning" : "info";
  const message = `${name}: ${empty} of ${of} answers are empty, and in no pair`;
  context.tracker.event({ code: "self-play/empty-answers", level, message, count: empty, answers: of });
}

/** The model's files, out of a stage's folder into the run's own. */
export async function leaveModel(from: string, root: string): Promise<void> {
  const names = (await readdir(from)).filter(isModelFile);
  await writeIntoFolder(root, async (aside) => {
    for (const name of names) await copyFile(join(from, name), join(aside, name));
  });
}

/** Longest sequence of a model in tokens, by its config. */
export async function readPositions(folder: string): Promise<{ maxPositions: number }> {
  const config = await readModelConfig(folder);
  const value = config["max_position_embeddings"] ?? config["n_positions"];
  return { maxPositions: typeof value === "number" ? value : Infinity };
}

/** All texts of a setting that may be paths: what is no path hashes as nothing. */
export function listLocalFiles(values: readonly unknown[]): string[] {
  return values.flatMap((value): string[] => {
    if (typeof value === "string") return [value];
    if (Array.isArray(value)) return listLocalFiles(value);
    return typeof value === "object" && value !== null ? listLocalFiles(Object.values(value)) : [];
  });
}
