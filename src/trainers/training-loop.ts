/**
 * The loop that all trainers share: learning rate, logging, evaluation, checkpoints, stopping and resuming.
 * What one step does is the method's own business.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  findNewestCheckpoint,
  listBrokenCheckpoints,
  loadTrainingState,
  readCheckpointStep,
  retireLaterCheckpoints,
  rotateCheckpoints,
  saveTrainingState,
  writeCheckpoint,
  writeIntoFolder,
  type JsonValue,
} from "../checkpoint/index.ts";
import { SparError } from "../internal/errors.ts";
import { learningRateAt } from "../optim/index.ts";
import { MetricAverager } from "./metric-averager.ts";
import type { TrainingArguments } from "./training-arguments.ts";
import type { TrainingContext, TrainingOutcome } from "./training-context.ts";

export interface StepReport {
  /** Loss and norm of this step; averaged (loss) or as they are (norm) when logged. */
  readonly loss: number;
  readonly gradNorm: number;
  /** Other values of this step, averaged between logs. */
  readonly metrics: { readonly [name: string]: number };
  /** Values that are counters or states: logged as they stand. */
  readonly latest?: { readonly [name: string]: number };
  /** Tokens worked on, for the display of speed. */
  readonly tokens: number;
}

export interface TrainingMethod {
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  /** One update; `step` counts from 1. */
  step(step: number, learningRate: number): Promise<StepReport>;
  /** Metrics with their `eval_` names. */
  evaluate?: () => Promise<{ [name: string]: number }>;
  /** Writes the model into an existing folder. */
  save(folder: string): Promise<void>;
  /** What must come back for a resumed run to be the same run; the model itself aside. */
  buffers(): Iterable<readonly [name: string, data: Float32Array]>;
  getState(): { [key: string]: JsonValue };
  restore(state: { readonly [key: string]: JsonValue }, read: (name: string, target: Float32Array) => Promise<void>): Promise<void>;
  /** Whether rows carry `loss`, `grad_norm` and `learning_rate` (PPO has names of its own). Default true. */
  readonly logsLoss?: boolean;
}

/** The checkpoint to go on from, if any. Throws `run/no-checkpoint` where a named one is not whole. */
export async function findResumePoint(outputDir: string, resume: boolean | string): Promise<{ path: string; step: number } | undefined> {
  if (resume === false) return undefined;
  if (resume === true) return findNewestCheckpoint(outputDir);
  const step = await readCheckpointStep(resume);
  if (step === undefined) {
    throw new SparError("run/no-checkpoint", `resume_from_checkpoint: ${resume} is not a whole checkpoint`, {
      hint: "name a checkpoint-N folder, or use --resume for the newest one",
    });
  }
  return { path: resume, step };
}

/** Absolute steps from a setting that below 1 is a share of all steps. */
function stepsOf(setting: number, total: number): number {
  return setting < 1 ? Math.max(1, Math.ceil(setting * total)) : Math.floor(setting);
}

/** How many steps a run has, as Transformers counts: epochs round up, `max_steps` wins. */
export function planSteps(config: TrainingArguments, batchesPerEpoch: number): { totalSteps: number; stepsPerEpoch: number } {
  const stepsPerEpoch = Math.ceil(batchesPerEpoch / config.gradient_accumulation_steps);
  const totalSteps = config.max_steps > 0 ? config.max_steps : Math.ceil(config.num_train_epochs * stepsPerEpoch);
  return { totalSteps, stepsPerEpoch };
}

export async function runTrainingLoop(
  config: TrainingArguments,
  context: TrainingContext,
  method: TrainingMethod,
  resumePoint: { path: string; step: number } | undefined,
): Promise<TrainingOutcome> {
  const { tracker, signal } = context;
  const { totalSteps, stepsPerEpoch } = method;
  const outputDir = config.output_dir;
  const due = (strategy: "no" | "steps" | "epoch", every: number, step: number): boolean => {
    if (strategy === "no") return false;
    return strategy === "epoch" ? step % stepsPerEpoch === 0 || step === totalSteps : step % every === 0;
  };
  const logEvery = stepsOf(config.logging_steps, totalSteps);
  const evalEvery = stepsOf(config.eval_steps ?? config.logging_steps, totalSteps);
  const saveEvery = stepsOf(config.save_steps, totalSteps);
  const warmup =
    config.warmup_steps > 0
      ? config.warmup_steps < 1
        ? Math.ceil(config.warmup_steps * totalSteps)
        : config.warmup_steps
      : Math.ceil((config.warmup_ratio ?? 0) * totalSteps);
  const schedule = { type: config.lr_scheduler_type, peak: config.learning_rate, warmupSteps: warmup, totalSteps };

  const averager = new MetricAverager();
  let done = 0;
  let lastMetrics: { [name: string]: number } = {};
  let savedAt = -1;

  if (resumePoint !== undefined) {
    const { state, buffers } = await loadTrainingState(resumePoint.path).catch((cause: unknown) => {
      if (!(cause instanceof SparError) || cause.code !== "file/not-found") throw cause;
      const message = `cannot resume: ${resumePoint.path} holds a model without the state of its training`;
      throw new SparError("run/no-training-state", message, {
        hint: "save_only_model leaves it out; train on from the model with another output_dir",
        cause,
      });
    });
    const saved = state as { loop: { averages: JsonValue }; method: { [key: string]: JsonValue } };
    await method.restore(saved.method, (name, target) => buffers.readInto(name, target, { allowNonFinite: true }));
    await buffers.close();
    averager.restore(saved.loop.averages);
    done = resumePoint.step;
    savedAt = done;
  }
  context.resumedAt?.(resumePoint === undefined ? -1 : done);
  if (context.resume !== false) await reportPassedCheckpoints(outputDir, done, context);
  if (done > totalSteps) {
    const wanted = config.max_steps > 0 ? `max_steps ${config.max_steps}` : `the ${totalSteps} steps that the recipe asks for`;
    const message = `the run has made ${done} steps already, more than ${wanted}: nothing is trained, and the model stays that of step ${done}`;
    tracker.event({ code: "run/beyond-end", level: "warning", message, step: done });
  }

  const saveCheckpoint = async (step: number, state = method.getState()): Promise<string> => {
    const path = join(outputDir, `checkpoint-${step}`);
    if (savedAt === step) return path;
    await writeCheckpoint(outputDir, step, async (folder) => {
      await method.save(folder);
      if (!config.save_only_model)
        await saveTrainingState(folder, { buffers: method.buffers(), state: { loop: { averages: averager.state }, method: state } });
    });
    savedAt = step;
    await rotateCheckpoints(outputDir, config.save_total_limit ?? undefined);
    tracker.event({ code: "checkpoint/saved", message: `saved ${path}`, step, path });
    return path;
  };

  const evaluate = async (step: number): Promise<void> => {
    if (method.evaluate === undefined) return;
    const metrics = await method.evaluate();
    tracker.metrics({ step, epoch: step / stepsPerEpoch, ...metrics });
    lastMetrics = { ...lastMetrics, ...metrics };
  };

  /** True where the run should end now, after saving. */
  const obeyControl = async (step: number): Promise<boolean> => {
    for (;;) {
      if (signal.aborted) return true;
      const request = context.readControl?.();
      if (request === "stop") return true;
      if (request === "save") await saveCheckpoint(step);
      if (request !== "pause") return false;
      await sleep(500);
    }
  };

  // A run stopped before its first step has been evaluated already.
  if (config.eval_on_start && resumePoint === undefined) await evaluate(0);
  tracker.progress({ stage: "training", done, total: Math.max(done, totalSteps), unit: "steps" });
  const started = performance.now();
  let tokens = 0;
  while (done < totalSteps) {
    if (await obeyControl(done)) {
      const path = await saveCheckpoint(done);
      tracker.event({
        code: "run/stopped",
        message: `stopped after step ${done} of ${totalSteps}; saved ${path}`,
        step: done,
      });
      return { status: "stopped", steps: done, outputDir, metrics: lastMetrics };
    }
    const step = done + 1;
    const learningRate = learningRateAt(schedule, done);
    // Taken now: a step that fails has already moved the data's cursor.
    const before = method.getState();
    const report = await method.step(step, learningRate).catch(async (error: unknown) => {
      if (error instanceof SparError && error.code === "training/non-finite") {
        const path = await saveCheckpoint(done, before);
        throw new SparError(error.code, `Step ${step}: ${error.message}. The state before this step is in ${path}`, {
          cause: error,
          ...(error.hint === undefined ? {} : { hint: error.hint }),
        });
      }
      throw error;
    });
    done = step;
    tokens += report.tokens;
    averager.add({ ...(method.logsLoss === false ? {} : { loss: report.loss }), ...report.metrics });
    const isLast = done === totalSteps;
    if (
      due(config.logging_strategy, logEvery, done) ||
      (config.logging_first_step && done === 1) ||
      (isLast && config.logging_strategy === "epoch")
    ) {
      lastMetrics = {
        ...averager.take(),
        ...(method.logsLoss === false ? {} : { grad_norm: report.gradNorm, learning_rate: learningRate }),
        ...report.latest,
      };
      tracker.metrics({ step: done, epoch: done / stepsPerEpoch, ...lastMetrics });
    }
    const seconds = (performance.now() - started) / 1000;
    tracker.progress({
      stage: "training",
      done,
      total: totalSteps,
      unit: "steps",
      details: { loss: report.loss, "tokens/s": Math.round(tokens / seconds) },
    });
    if (due(config.eval_strategy, evalEvery, done)) await evaluate(done);
    if (due(config.save_strategy, saveEvery, done) || (isLast && config.save_strategy !== "no")) await saveCheckpoint(done);
  }
  await writeIntoFolder(outputDir, (folder) => method.save(folder));
  return { status: "finished", steps: done, outputDir, metrics: lastMetrics };
}

/** What lies beyond the checkpoint that a run goes on from: damaged folders are named, whole ones are set aside. */
async function reportPassedCheckpoints(outputDir: string, step: number, { tracker }: TrainingContext): Promise<void> {
  for (const path of await listBrokenCheckpoints(outputDir)) {
    tracker.event({
      code: "checkpoint/not-whole",
      level: "warning",
      message: `${path} is damaged or incomplete and was passed over`,
      path,
    });
  }
  // They belong to a course of the run that is given up here, and --resume would find them again.
  for (const { from, to } of await retireLaterCheckpoints(outputDir, step)) {
    tracker.event({
      code: "checkpoint/retired",
      level: "warning",
      message: `${from} is of later steps than the one gone on from; it is now ${to}`,
      path: to,
    });
  }
}
