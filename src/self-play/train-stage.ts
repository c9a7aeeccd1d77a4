/** A training as a stage: a run in a folder of its own, with its config, metrics and checkpoints. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import type { DatasetSpec } from "../data/index.ts";
import { InterruptedError } from "../internal/errors.ts";
import type { Backend } from "../runtime/index.ts";
import { createFanOut, openRunDirectory, readRunRecord } from "../tracking/index.ts";
import { dpoConfigSchema, sftConfigSchema, type TrainingContext } from "../trainers/configs.ts";
import { trainDPO, trainSFT } from "../trainers/index.ts";
import { trainingShapes } from "./row-shapes.ts";
import { readSummary } from "./rows-file.ts";
import type { Stage } from "./stage.ts";

export interface TrainingStageOptions {
  readonly name: string;
  /** The stage's folder; the model goes into `output` in it. */
  readonly folder: string;
  readonly output: string;
  readonly method: "sft" | "dpo";
  /** Where training starts (and, for DPO, the reference). */
  readonly model: string;
  /** JSON lines to train on, joined in this order. */
  readonly data: readonly string[];
  /** The other keys of the method. */
  readonly keys: { readonly [key: string]: unknown };
  /** The run that this is a stage of. */
  readonly root: string;
  readonly context: TrainingContext;
  readonly backend: Backend;
}

const summaryOf = (output: string): string => `${output}-training.json`;

export function createTrainingStage(options: TrainingStageOptions): Stage {
  const { name, folder, output, method, model, data, keys } = options;
  const { output_dir: _out, resume_from_checkpoint: _resume, overwrite_output_dir: _over, report_to: _report, ...settings } = keys;
  return {
    name,
    folder,
    settings: { method, settings },
    reads: [model, ...data],
    writes: [output, summaryOf(output)],
    run: ({ resume }) => train(options, resume),
  };
}

/** Optimizer steps of a training that is done. */
export async function readTrainingSteps(folder: string, output: string): Promise<number> {
  return (await readSummary<{ steps: number }>(join(folder, summaryOf(output)), trainingShapes)).steps;
}

async function train(
  { folder, output, method, model, data, keys, root, context, backend }: TrainingStageOptions,
  resume: boolean,
): Promise<void> {
  const target = join(folder, output);
  const values = {
    ...keys,
    model_name_or_path: model,
    model_revision: "main",
    datasets: data.map((file): Partial<DatasetSpec> => ({ path: "json", data_files: file })),
    dataset_name: null,
    output_dir: target,
    resume_from_checkpoint: false,
    overwrite_output_dir: false,
    report_to: [],
  };
  const parent = readRunRecord(root);
  const open = (config: object): ReturnType<typeof openRunDirectory> =>
    openRunDirectory(target, {
      method,
      version: parent?.spar ?? "unknown",
      configYaml: `# Every key resolved. The same run again: spar ${method} --config <this file> --output_dir <another folder>\n${stringify(config, { lineWidth: 0 })}`,
      keepRows: resume,
      ...(parent === undefined ? {} : { parent: parent.id }),
    });
  const run = async <C extends object>(
    config: C,
    trainer: (config: C, context: TrainingContext) => ReturnType<typeof trainSFT>,
  ): Promise<void> => {
    const directory = open(config);
    const upward = createFanOut([{ name: "run", tracker: directory }]);
    try {
      const outcome = await trainer(config, {
        backend,
        signal: context.signal,
        resume,
        ...(context.readControl && { readControl: context.readControl }),
        resumedAt: (step) => {
          if (resume) directory.truncateAfter(step);
        },
        tracker: {
          metrics: (row) => upward.metrics(row),
          samples: (rows) => upward.samples(rows),
          event(event) {
            upward.event(event);
            if (event.level === "warning" || event.level === "error") context.tracker.event(event);
          },
          progress(progress) {
            directory.progress(progress);
            context.tracker.progress(progress);
          },
          close: async () => {},
        },
      });
      await directory.close(outcome.status);
      if (outcome.status === "stopped")
        throw new InterruptedError(`Stopped after step ${outcome.steps} of ${target}.`, {
          hint: "The same command with --resume goes on.",
        });
      const { steps, metrics } = outcome;
      await writeFile(join(folder, summaryOf(output)), `${JSON.stringify({ steps, metrics }, undefined, 2)}\n`);
    } catch (error) {
      await directory.close(
        error instanceof InterruptedError ? "stopped" : "failed",
        error instanceof InterruptedError ? undefined : error,
      );
      throw error;
    }
  };
  if (method === "sft") await run(sftConfigSchema.parse(values), trainSFT);
  else await run(dpoConfigSchema.parse(values), trainDPO);
}
