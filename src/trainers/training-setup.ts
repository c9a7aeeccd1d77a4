/** What every training begins with: model, tokenizer, data, and where to go on from. */
import { loadDataset, specFromName, splitDataset, type Dataset, type DatasetSpec, type PrepareOptions } from "../data/index.ts";
import { resolveModel } from "../hub/index.ts";
import { SparError } from "../internal/errors.ts";
import { freeModel, loadModel, saveModel, type HeadKind, type LanguageModel } from "../models/index.ts";
import { createCpuBackend, type Backend } from "../runtime/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { loadRunTokenizer, type TokenizerKeys } from "./run-tokenizer.ts";
import type { TrainingArguments } from "./training-arguments.ts";
import type { TrainingContext } from "./training-context.ts";
import { findResumePoint } from "./training-loop.ts";

export interface TrainingDatasets {
  readonly train: Dataset;
  readonly evaluation: Dataset | undefined;
}

export interface Training {
  readonly backend: Backend;
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  /** Of the model that the run starts from, also where it goes on from a checkpoint. */
  readonly folder: string;
  readonly datasets: TrainingDatasets;
  readonly resumePoint: { path: string; step: number } | undefined;
  /** Writes the model and the tokenizer as the recipe made it into an existing folder. */
  save(folder: string): Promise<void>;
  /** Gives back what was opened here. */
  close(): Promise<void>;
}

/** A hub id is downloaded, with progress; a folder is itself. */
export async function findModel(idOrPath: string, context: TrainingContext, revision = "main"): Promise<string> {
  return resolveModel(idOrPath, {
    revision,
    onProgress: ({ done, total }) =>
      context.tracker.progress({ stage: `downloading ${idOrPath}`, done, ...(total === undefined ? {} : { total }), unit: "bytes" }),
  });
}

/** Opens everything; where something fails, what was opened before is given back. */
export async function openTraining(
  config: TrainingArguments & TokenizerKeys,
  context: TrainingContext,
  { head, model: name = config.model_name_or_path }: { head: HeadKind; model?: string | null },
): Promise<Training> {
  const backend = context.backend ?? createCpuBackend();
  const undo: (() => unknown)[] = context.backend === undefined ? [() => backend.close()] : [];
  const close = async (): Promise<void> => {
    for (const step of undo.toReversed()) await step();
  };
  try {
    const datasets = await loadTrainingDatasets(config);
    undo.push(() => Promise.all([datasets.train.close(), datasets.evaluation?.close()]));
    const folder = await findModel(name as string, context, config.model_revision);
    const { tokenizer, writeChanges } = await loadRunTokenizer(folder, config, (name) => findModel(name, context));
    const resumePoint = await findResumePoint(config.output_dir, context.resume);
    const loaded = await loadModel(resumePoint?.path ?? folder, backend, { head, seed: config.seed });
    // The tokenizer's files are copied from here at each save; a checkpoint may be rotated away meanwhile.
    const model = { ...loaded, folder };
    undo.push(() => freeModel(model));
    const save = async (target: string): Promise<void> => {
      await saveModel(model, target, { padTokenId: tokenizer.padId });
      await writeChanges(target);
    };
    return { backend, model, tokenizer, folder, datasets, resumePoint, save, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The data sets to train on: `datasets`, or the one of `dataset_name`. */
export function trainingSpecs(config: TrainingArguments): DatasetSpec[] {
  if (config.datasets.length > 0 || config.dataset_name === null) return [...config.datasets];
  return [specFromName({ dataset_name: config.dataset_name, dataset_config: config.dataset_config }, config.dataset_train_split)];
}

/** Training and evaluation data; evaluation only where `eval_strategy` asks for it. */
export async function loadTrainingDatasets(config: TrainingArguments): Promise<TrainingDatasets> {
  const train = await loadDataset(trainingSpecs(config), { seed: config.seed });
  const evaluates = config.eval_strategy !== "no" || config.eval_on_start;
  if (config.test_split_size !== null) {
    // Held out also where nothing is evaluated, as TRL does: the same recipe trains on the same rows.
    const { train: kept, test } = splitDataset(train, config.test_split_size, config.seed);
    return { train: kept, evaluation: evaluates ? test : undefined };
  }
  if (!evaluates) return { train, evaluation: undefined };
  if (config.datasets.length > 0 || config.dataset_name === null) {
    throw new SparError("recipe/invalid", "eval_strategy asks for evaluation, but there is no evaluation data", {
      hint: "set test_split_size (a share or a number of rows of datasets), or use dataset_name with dataset_test_split",
    });
  }
  return {
    train,
    evaluation: await loadDataset(
      [specFromName({ dataset_name: config.dataset_name, dataset_config: config.dataset_config }, config.dataset_test_split)],
      { seed: config.seed },
    ),
  };
}

/** What preparing data needs of a run. */
export function prepareOptions(context: TrainingContext, { tokenizer }: { tokenizer: Tokenizer }, role?: "evaluation"): PrepareOptions {
  const { tracker, signal } = context;
  return {
    tokenizer,
    signal,
    ...(role === undefined ? {} : { role }),
    onEvent: (event) => tracker.event(event),
    onProgress: (progress) => tracker.progress(progress),
  };
}

/**
 * Refuses rows that end beyond the table of positions that a model like GPT-2 has: the engine would stop in the middle of the run.
 * `lengths`: positions that each row takes.
 */
export function checkPositions({ config }: LanguageModel, lengths: ArrayLike<number>): void {
  const [all, most] = [Array.from(lengths), config.maxPositions];
  const over = all.filter((length) => length > most);
  if (config.hasPositionTable !== true || over.length === 0) return;
  const longest = over.reduce((a, b) => Math.max(a, b));
  throw new SparError(
    "data/too-long",
    `preparing data: ${over.length} of ${all.length} rows are longer than the model: up to ${longest} tokens, the model has ${most} positions`,
    { hint: `set max_length to at most ${most}` },
  );
}
