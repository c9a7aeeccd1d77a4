/** A few steps of the real training on chosen rows, watched: what a run will take, measured. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Row } from "../data/index.ts";
import { InterruptedError, SparError } from "../internal/errors.ts";
import { trainMethod, type ResolvedRecipe } from "../recipes/index.ts";
import type { Backend } from "../runtime/index.ts";
import { watchBackend, type WatchingBackend } from "./watching-backend.ts";

export interface TrialStep {
  readonly seconds: number;
  /** Part of it: making graphs ready. */
  readonly compileSeconds: number;
  /** Part of it: clipping and AdamW. */
  readonly optimizerSeconds: number;
}

export interface Trial {
  readonly steps: readonly TrialStep[];
  /** From the start to the first step: loading the model, preparing rows. */
  readonly startSeconds: number;
  /** To make one step graph ready, and what its first run takes longer than the next ones. */
  readonly compileSeconds: number;
  /** By which the process grows for a step graph that is kept (on average), and how many were made. */
  readonly graphBytes: number;
  readonly graphs: number;
  /** Bytes of all buffers, and of the intermediate values of the largest graph. */
  readonly bufferBytes: number;
  readonly intermediateBytes: number;
}

export interface TrialOptions {
  readonly backend: Backend;
  /** In the order in which they are trained on; a step takes `batch` × `accumulation` of them. */
  readonly rows: readonly Row[];
  /** So many, or fewer where they take longer than `enoughSeconds`; `leastSteps` in any case. */
  readonly steps: number;
  readonly leastSteps: number;
  readonly enoughSeconds: number;
  readonly accumulation: number;
  /** More may not be taken: throws `doctor/memory`. */
  readonly memoryLimit: number;
  readonly signal?: AbortSignal | undefined;
}

class TrialOver extends Error {}

/** Trains a copy of the model in memory; nothing is written but a temporary data file. Throws what the training throws. */
export async function runTrial(recipe: ResolvedRecipe, options: TrialOptions): Promise<Trial> {
  const folder = await mkdtemp(join(tmpdir(), "spar-doctor-"));
  const watching = watchBackend(options.backend, (bytes) => {
    if (bytes > options.memoryLimit) throw notEnoughMemory(bytes, options.memoryLimit);
  });
  const steps: TrialStep[] = [];
  const started = performance.now();
  let startSeconds = 0;
  let mark: { at: number; compile: number; optimizer: number } | undefined;
  try {
    const data = join(folder, "rows.jsonl");
    await writeFile(data, options.rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const outcome = trainMethod(shorten(recipe, options, data, join(folder, "out")), {
      backend: watching,
      resume: false,
      signal: new AbortController().signal,
      tracker: { metrics() {}, samples() {}, event() {}, progress() {}, async close() {} },
      // Asked at every step boundary, the first time before the first step.
      readControl() {
        const now = { at: performance.now(), ...sumSeconds(watching) };
        if (mark === undefined) startSeconds = (now.at - started) / 1000;
        else {
          steps.push({
            seconds: (now.at - mark.at) / 1000,
            compileSeconds: now.compile - mark.compile,
            optimizerSeconds: now.optimizer - mark.optimizer,
          });
        }
        mark = now;
        if (options.signal?.aborted === true) throw new InterruptedError("doctor: stopped");
        const spent = steps.reduce((sum, { seconds }) => sum + seconds, 0);
        if (steps.length >= (spent > options.enoughSeconds ? options.leastSteps : options.steps)) throw new TrialOver();
        return undefined;
      },
    });
    await outcome.catch((error: unknown) => {
      if (!(error instanceof TrialOver)) throw error;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const stepGraphs = watching.graphs.filter(({ label }) => !isOptimizer(label));
  return {
    steps,
    startSeconds,
    compileSeconds: median(stepGraphs.map(({ compileSeconds, runSeconds: [first, ...later] }) => compileSeconds + longerBy(first, later))),
    graphBytes: meanOf(stepGraphs.map(({ compileBytes }) => compileBytes)),
    graphs: stepGraphs.length,
    bufferBytes: watching.peakBytes,
    intermediateBytes: Math.max(0, ...watching.graphs.map(({ peakBytes }) => peakBytes)),
  };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** The upper one of two. */
export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** The first run of a graph lays out its memory. */
const longerBy = (first: number | undefined, later: readonly number[]): number =>
  first === undefined || later.length === 0 ? 0 : Math.max(0, first - Math.max(...later));

const isOptimizer = (label: string): boolean => label === "adamw" || label === "norm";

function sumSeconds({ graphs }: WatchingBackend): { compile: number; optimizer: number } {
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  return {
    compile: sum(graphs.map(({ compileSeconds }) => compileSeconds)),
    optimizer: sum(graphs.filter(({ label }) => isOptimizer(label)).map(({ runSeconds }) => sum(runSeconds))),
  };
}

/** The same training, on the given rows and without leaving anything. One step more than is run, so that nothing is saved at an end. */
function shorten(recipe: ResolvedRecipe, { steps, accumulation, rows }: TrialOptions, data: string, output: string): ResolvedRecipe {
  const dataset = {
    path: "json",
    name: null,
    data_dir: null,
    data_files: data,
    split: "train",
    columns: null,
    fraction: null,
    weight: null,
    revision: null,
    sample_by: null,
    task: null,
  };
  const changes = {
    datasets: [dataset],
    dataset_name: null,
    output_dir: output,
    max_steps: steps + 1,
    train_sampling_strategy: "sequential",
    save_strategy: "no",
    eval_strategy: "no",
    eval_on_start: false,
    logging_strategy: "no",
    gradient_accumulation_steps: accumulation,
    report_to: [],
    resume_from_checkpoint: false,
  };
  if (recipe.method === "pretrain") {
    // A tokenizer of so little text has fewer tokens than the real one; the model keeps its size.
    const size = recipe.config.tokenizer_name_or_path === null ? { vocab_size: recipe.config.vocab_size } : {};
    return {
      ...recipe,
      config: { ...recipe.config, ...changes, validation_share: 1 / rows.length, model_config: { ...size, ...recipe.config.model_config } },
    } as ResolvedRecipe;
  }
  if (recipe.method === "ppo") return { ...recipe, config: { ...recipe.config, ...changes, num_sample_generations: 0 } } as ResolvedRecipe;
  return { ...recipe, config: { ...recipe.config, ...changes } } as ResolvedRecipe;
}

/** `what`: whose bytes `needed` are, with its verb. */
export function notEnoughMemory(needed: number, available: number, what = "the run needs"): SparError {
  const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return new SparError(
    "doctor/memory",
    `${what} at least ${gigabytes(needed)} besides the program itself; ${gigabytes(available)} are free`,
    {
      hint: "lower per_device_train_batch_size and raise gradient_accumulation_steps, lower max_length, or set gradient_checkpointing: true",
    },
  );
}
