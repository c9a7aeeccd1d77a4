/**
 * The keys that all methods share: names, types and meanings of TRL 1.16's ModelConfig, ScriptArguments and
 * DatasetMixtureConfig and of Transformers' TrainingArguments, with TRL's defaults. A recipe keeps these names
 * everywhere; a method's config is this shape and its own keys.
 */

import * as z from "zod";
import { splitExamples, splitPattern } from "../data/index.ts";
import {
  booleanField,
  choiceField,
  coerceJson,
  integerField,
  jsonField,
  numberField,
  optionalIntegerField,
  optionalNumberField,
  optionalTextField,
  splitField,
  textField,
} from "./config-fields.ts";

/** One dataset of a mixture, as TRL's DatasetConfig: `path` is a hub id, a local file or folder, or a format (`json`, `csv`, `parquet`, `text`) with `data_files`. */
export const datasetSchema = z.strictObject({
  path: z.string().min(1),
  name: z.string().nullable().default(null),
  data_dir: z.string().nullable().default(null),
  data_files: z
    .union([z.string(), z.array(z.string()), z.record(z.string(), z.union([z.string(), z.array(z.string())]))])
    .nullable()
    .default(null),
  split: z.string().default("train"),
  /** Columns to keep, or a map to new names (spar's). */
  columns: z
    .union([z.array(z.string()), z.record(z.string(), z.string())])
    .nullable()
    .default(null),
  /** This dataset's share of the mixture, by its first rows; set for all or for none. */
  fraction: z.number().gte(0).nullable().default(null),
  // spar's own from here on.
  /** How often rows of this dataset are drawn, relative to the others. */
  weight: z.number().gt(0).nullable().default(null),
  /** Branch, tag or commit of a hub dataset. */
  revision: z.string().nullable().default(null),
  /** Of text files: what a row is. */
  sample_by: z.enum(["line", "paragraph", "document"]).nullable().default(null),
  /** Its name where tasks are evaluated by themselves. */
  task: z.string().nullable().default(null),
  /** Of path `label-studio`: its address, and the project's title or number. */
  url: z.string().min(1).optional(),
  project: z.union([z.string().min(1), z.number()]).optional(),
});

export const datasetKeys: readonly string[] = Object.keys(datasetSchema.shape);

export type DatasetArguments = z.output<typeof datasetSchema>;

const datasetsSchema = z.array(datasetSchema).superRefine((datasets, context) => {
  for (const [index, { path, url, project, split, data_files: files }] of datasets.entries()) {
    if (!splitPattern.test(split))
      context.addIssue({
        code: "custom",
        path: [index, "split"],
        message: `expected ${splitExamples}; found ${JSON.stringify(split)}`,
      });
    const isStudio = path === "label-studio";
    if (isStudio && (url === undefined || project === undefined))
      context.addIssue({ code: "custom", path: [index], message: "expected url and project with path: label-studio" });
    if (isStudio && files !== null)
      context.addIssue({
        code: "custom",
        path: [index],
        message: "expected no data_files with path: label-studio; an exported file is path: json",
      });
    if (!isStudio && (url !== undefined || project !== undefined))
      context.addIssue({ code: "custom", path: [index], message: "url and project are for path: label-studio" });
  }
  for (const key of ["fraction", "weight"] as const) {
    const shared = datasets.filter((dataset) => dataset[key] !== null).length;
    if (shared !== 0 && shared !== datasets.length) {
      context.addIssue({ code: "custom", message: `expected \`${key}\` on all datasets of the mixture or on none` });
    }
  }
});

/** A name alone is a data set's `path`, as TRL's parser reads `--datasets org/a org/b`; JSON may stand for one, too. */
function expandDatasets(value: unknown): unknown {
  const list = typeof value === "string" ? [value] : value;
  if (!Array.isArray(list)) return value;
  return (list as unknown[]).map((entry) => {
    const known = coerceJson(entry);
    return typeof known === "string" ? { path: known } : known;
  });
}

/** Trackers of Transformers' `report_to`; for the ones that tracking/ does not have, a run says so and goes on. */
const report = z.preprocess(
  (value) => {
    const names = value === null || value === "none" ? [] : value === "all" ? ["tensorboard", "wandb", "trackio", "mlflow"] : value;
    const list = typeof names === "string" ? [names] : names;
    return Array.isArray(list) ? list.filter((name) => name !== "none") : list;
  },
  z.array(z.string().min(1)),
);

/** `true`, or a checkpoint folder; texts that mean a boolean are read as one. */
const resume = z.preprocess(
  (value) => (value === null || value === "" ? false : value === "true" ? true : value === "false" ? false : value),
  z.union([z.boolean(), z.string()]),
);

export type SharedDefaults = {
  learning_rate: number;
  lr_scheduler_type?: "linear" | "cosine" | "constant" | "constant_with_warmup";
  warmup_ratio?: number;
  weight_decay?: number;
  adam_beta2?: number;
  logging_steps: number;
  gradient_checkpointing: boolean;
  num_train_epochs?: number;
};

/** The shared part of a method's schema; `defaults` are the values in which TRL's methods differ. */
export function createTrainingArguments(defaults: SharedDefaults) {
  return {
    // The model
    model_name_or_path: optionalTextField("Model to start from: a folder, a .gguf file or a hub id (`org/name`, `org/name@revision`)."),
    model_revision: textField("main", "Branch, tag or commit of a hub model."),
    dtype: choiceField(
      ["auto", "float32", "bfloat16", "float16"],
      "float32",
      "Accepted for TRL's sake: weights of any storage type are read, computed with and saved in float32.",
    ),
    num_layers_unfrozen: integerField(-1, "Train only the last N layers (and the head); -1 trains all.", { min: -1 }),
    gradient_checkpointing: booleanField(
      defaults.gradient_checkpointing,
      "Recompute activations in the backward pass: less memory, more time.",
    ),

    // The data
    datasets: jsonField(
      z.preprocess(expandDatasets, datasetsSchema),
      [],
      `a list of {${datasetKeys.join(", ")}}`,
      "Datasets to mix; wins over dataset_name. As a flag: files, folders and hub ids, or JSON.",
    ),
    dataset_name: optionalTextField("Dataset: a hub id, a local file or a folder."),
    dataset_config: optionalTextField("Configuration of a hub dataset."),
    dataset_train_split: splitField("train", "Split to train on."),
    dataset_test_split: splitField("test", "Split to evaluate on."),
    test_split_size: optionalNumberField(null, "Hold out this share (below 1) or number of rows of `datasets` for evaluation.", {
      above: 0,
    }),
    train_sampling_strategy: choiceField(
      ["random", "sequential", "group_by_length"],
      "random",
      "Order of the training rows: shuffled each epoch, as they come, or rows of like length together.",
    ),

    // The run
    output_dir: textField("trainer_output", "Folder of the run: logs, checkpoints, the final model."),
    overwrite_output_dir: booleanField(false, "Start over in a folder that is not empty: what an earlier run left there is removed."),
    resume_from_checkpoint: jsonField(
      resume,
      false,
      "true, false or a checkpoint's folder",
      "Continue from the newest whole checkpoint, or from the one named.",
    ),
    run_name: optionalTextField("A name for trackers to show."),
    report_to: jsonField(
      report,
      [],
      "none, all, a tracker's name or a list of them",
      "Trackers besides the files in output_dir: tensorboard, wandb, trackio, mlflow.",
    ),
    project: textField(
      "huggingface",
      "Project of the run in W&B and Trackio, experiment in MLflow; the default leaves it to their own variables.",
    ),
    trackio_space_id: optionalTextField("A Space on the hub, owner/name, that runs Trackio; absent: its local folder."),
    logging_dir: optionalTextField("Folder of TensorBoard's files; absent: runs/ in output_dir."),
    seed: integerField(42, "Seed of every random number of the run.", { min: 0, max: 4294967295 }),
    data_seed: optionalIntegerField(null, "Seed of the data's order; absent: seed.", { min: 0, max: 4294967295 }),

    // Batches and steps
    per_device_train_batch_size: integerField(8, "Rows in a training micro-batch.", { min: 1 }),
    per_device_eval_batch_size: integerField(8, "Rows in an evaluation batch.", { min: 1 }),
    gradient_accumulation_steps: integerField(1, "Micro-batches to an optimizer step.", { min: 1 }),
    num_train_epochs: numberField(defaults.num_train_epochs ?? 3, "Passes over the data (fractions too); max_steps wins.", { above: 0 }),
    max_steps: integerField(-1, "Optimizer steps to make; -1: by num_train_epochs.", { min: -1 }),
    dataloader_drop_last: booleanField(false, "Leave out the last batch of an epoch where it is not full."),

    // The optimizer
    learning_rate: numberField(defaults.learning_rate, "Peak learning rate of AdamW.", { min: 0 }),
    lr_scheduler_type: choiceField(
      ["linear", "cosine", "constant", "constant_with_warmup"],
      defaults.lr_scheduler_type ?? "linear",
      "Course of the learning rate after warm-up.",
    ),
    warmup_steps: numberField(0, "Steps of linear warm-up; below 1: a share of all steps.", { min: 0 }),
    warmup_ratio: optionalNumberField(defaults.warmup_ratio ?? null, "Share of all steps for warm-up, where warmup_steps is 0.", {
      min: 0,
      max: 1,
    }),
    weight_decay: numberField(defaults.weight_decay ?? 0, "Decoupled weight decay (not on biases and norms).", { min: 0 }),
    adam_beta1: numberField(0.9, "Decay of AdamW's first moment.", { min: 0, below: 1 }),
    adam_beta2: numberField(defaults.adam_beta2 ?? 0.999, "Decay of AdamW's second moment.", { min: 0, below: 1 }),
    adam_epsilon: numberField(1e-8, "AdamW's epsilon.", { above: 0 }),
    max_grad_norm: numberField(1, "Clip the gradient's global norm to this; 0: no clipping.", { min: 0 }),

    // Logging, evaluation, checkpoints
    logging_strategy: choiceField(["no", "steps", "epoch"], "steps", "When to log."),
    logging_steps: numberField(defaults.logging_steps, "Log every so many steps; below 1: a share of all steps.", { above: 0 }),
    logging_first_step: booleanField(false, "Log the first step too."),
    eval_strategy: choiceField(["no", "steps", "epoch"], "no", "When to evaluate."),
    eval_steps: optionalNumberField(null, "Evaluate every so many steps; below 1: a share of all steps; absent: logging_steps.", {
      above: 0,
    }),
    eval_on_start: booleanField(false, "Evaluate before the first step."),
    save_strategy: choiceField(["no", "steps", "epoch"], "steps", "When to write checkpoints; the final model is written in any case."),
    save_steps: numberField(500, "Checkpoint every so many steps; below 1: a share of all steps.", { above: 0 }),
    save_total_limit: optionalIntegerField(null, "Keep only the newest so many checkpoints.", { min: 1 }),
    save_only_model: booleanField(false, "Leave the training state out of checkpoints; such a run cannot be resumed."),
  };
}

/** Keys of text handling that the methods on texts and pairs share. */
export const tokenizationArguments = {
  chat_template_path: optionalTextField("Chat template: a jinja file, or a model whose template to take."),
  eos_token: optionalTextField("End token; absent: the tokenizer's."),
  pad_token: optionalTextField("Padding token; absent: the tokenizer's, else its end token."),
  max_length: optionalIntegerField(1024, "Longest sequence in tokens; null: no limit.", { min: 1 }),
};

/** A model given by its config alone is only for `pretrain`; every other method needs one to start from. */
export function requireOneOf(keys: readonly string[], meaning: string) {
  return (config: { [key: string]: unknown }, context: z.RefinementCtx): void => {
    if (keys.some((key) => config[key] !== null && config[key] !== undefined)) return;
    context.addIssue({ code: "custom", path: [keys[0]], message: `${keys.join(" or ")} is missing: ${meaning}` });
  };
}

/** Every training run needs data. */
export function requireData(config: { datasets: readonly unknown[]; dataset_name: string | null }, context: z.RefinementCtx): void {
  if (config.datasets.length > 0 || config.dataset_name !== null) return;
  context.addIssue({ code: "custom", path: ["datasets"], message: "datasets or dataset_name is missing: the data to train on" });
}

/** The keys that every method's config has. */
export type TrainingArguments = z.output<z.ZodObject<ReturnType<typeof createTrainingArguments>>>;
