/** Memory and time of a run, from a trial of its heaviest and its most usual batches. */
import type { Dataset, Row } from "../data/index.ts";
import type { ResolvedRecipe } from "../recipes/index.ts";
import { describeMachine, type Backend } from "../runtime/index.ts";
import type { OpenedRecipe } from "./open-recipe.ts";
import { countCompiles, planBatches, type BatchPlan, type PlannedBatch } from "./plan-batches.ts";
import type { Survey } from "./survey-data.ts";
import { countTimes, forecastSaving } from "./saving.ts";
import { median, notEnoughMemory, runTrial, type Trial, type TrialStep } from "./trial.ts";

export interface Forecast {
  readonly rows: number;
  readonly steps: number;
  /** Different padded shapes, and how often a graph has to be made for one. */
  readonly shapes: number;
  readonly compiles: number;
  readonly secondsPerStep: number;
  /** From the start of the program to its end. */
  readonly seconds: number;
  /** Parts of it: the program's start with data and model, all evaluations, checkpoints and the final model. The rest is training. */
  readonly startSeconds: number;
  readonly evaluationSeconds: number;
  readonly savingSeconds: number;
  /** Peak memory of the process (resident set): measured in the trial, and the graphs of further shapes on top. */
  readonly peakBytes: number;
  /** Parts of it: buffers (weights, gradients, moments, batches) and the intermediate values of the largest graph. */
  readonly bufferBytes: number;
  readonly intermediateBytes: number;
  readonly availableBytes: number;
}

/** Shapes whose graphs a training keeps ready. */
const keptGraphs = 16;

export function planRun(recipe: ResolvedRecipe, { lengths }: Survey, { sizes }: OpenedRecipe): BatchPlan {
  const { config } = recipe;
  if (recipe.method !== "ppo") return planBatches(lengths, config, sizes);
  // A PPO step is one batch of episodes, not one micro-batch.
  const batch = episodesPerStep(recipe.config);
  const episodes = recipe.config.total_episodes ?? Math.floor(config.num_train_epochs * lengths.length);
  const steps = config.max_steps > 0 ? config.max_steps : Math.ceil(episodes / batch);
  return planBatches(
    lengths,
    { ...config, per_device_train_batch_size: batch, gradient_accumulation_steps: 1, max_steps: steps, dataloader_drop_last: true },
    sizes,
  );
}

const episodesPerStep = (config: Extract<ResolvedRecipe, { method: "ppo" }>["config"]): number =>
  config.per_device_train_batch_size * config.gradient_accumulation_steps * config.num_mini_batches;

export interface ForecastOptions {
  readonly backend: Backend;
  readonly signal?: AbortSignal | undefined;
  /** What the start of the program, and reading and preparing the data, took. */
  readonly dataSeconds: number;
}

export async function forecastRun(
  recipe: ResolvedRecipe,
  opened: OpenedRecipe,
  survey: Survey,
  plan: BatchPlan,
  { backend, signal, dataSeconds }: ForecastOptions,
): Promise<Forecast> {
  const { config } = recipe;
  const byCost = [...plan.batches].sort((a, b) => a.cost - b.cost);
  const [heavy, usual] = [byCost[byCost.length - 1], byCost[byCost.length >> 1]];
  const isPPO = recipe.method === "ppo";
  const accumulation = isPPO ? config.gradient_accumulation_steps : Math.min(2, config.gradient_accumulation_steps);
  const perStep = isPPO ? 1 : accumulation;
  const availableBytes = describeMachine().availableBytes;
  refuseTooLarge(4 * opened.sizes.weights, availableBytes);
  // By turns, so that a machine that is busy for a moment slows both alike; cut short where steps are long.
  const order = Array.from({ length: 24 }, (_, i) => (i % 2 === 0 ? heavy : usual));
  const rows =
    survey.source === undefined
      ? await takeRows(opened.dataset, recipe, order.length + 1, accumulation, survey)
      : await rowsOf(opened.dataset, survey.source, order, perStep);
  const trial = await runTrial(recipe, {
    backend,
    rows,
    steps: order.length,
    leastSteps: 4,
    enoughSeconds: 6,
    accumulation,
    memoryLimit: availableBytes,
    signal,
  });
  const timing = fitTiming(trial, heavy, usual, { perStep, isPPO });
  const stepCount = plan.steps;
  const scale = plan.microBatches / plan.batches.length;
  const compiles = isPPO ? (plan.batches.length === 0 ? 0 : 1) : countCompiles(plan.batches);
  const trainingSeconds =
    plan.batches.reduce((sum, { cost }) => sum + timing.micro(cost), 0) * scale +
    stepCount * timing.optimizer +
    // The first step makes a graph, lays out memory and touches the moments for the first time; further graphs come on top.
    Math.max(0, trial.steps[0].seconds - perStep * timing.micro(heavy.cost) - timing.optimizer) +
    Math.max(0, compiles - trial.graphs) * trial.compileSeconds;
  const rowsPerStep =
    recipe.method === "ppo" ? episodesPerStep(recipe.config) : config.per_device_train_batch_size * config.gradient_accumulation_steps;
  const epochs = (stepCount * rowsPerStep) / survey.lengths.length;
  const { passes, cost: evaluationCost } = planEvaluation(recipe, opened, survey, plan, epochs);
  // A forward pass is a third of forward and backward.
  const evaluationSeconds = (passes * timing.micro(evaluationCost)) / 3 + (passes > 0 ? trial.compileSeconds : 0);
  const startSeconds = dataSeconds + trial.startSeconds;
  const savingSeconds = await forecastSaving(config, opened.sizes, stepCount, epochs);
  const shapes = new Set(plan.batches.flatMap(({ graphs }) => graphs)).size;
  // The trial makes a graph or two; a run keeps one for each of its last shapes.
  // PPO's depend on how long completions turn out: about five new ones a step (seen in runs), kept by policy, value, reference and reward.
  const expected = isPPO
    ? Math.min(4 * keptGraphs - trial.graphs, 5 * (stepCount - trial.steps.length))
    : Math.min(keptGraphs, shapes) - trial.graphs;
  const moreGraphs = Math.max(0, expected);
  return {
    rows: survey.lengths.length,
    steps: stepCount,
    shapes,
    compiles,
    secondsPerStep: trainingSeconds / stepCount,
    seconds: startSeconds + trainingSeconds + evaluationSeconds + savingSeconds,
    startSeconds,
    evaluationSeconds,
    savingSeconds,
    peakBytes: process.resourceUsage().maxRSS * 1024 + moreGraphs * trial.graphBytes,
    bufferBytes: trial.bufferBytes,
    intermediateBytes: trial.intermediateBytes,
    availableBytes,
  };
}

/** Weights with their gradients and two moments, before any of it is taken: the trial would fill the memory to find out. */
function refuseTooLarge(weightBytes: number, availableBytes: number): void {
  const needed = 4 * weightBytes;
  if (needed > availableBytes) throw notEnoughMemory(needed, availableBytes, "weights, gradients and AdamW's moments alone take");
}

/** How many evaluation batches a run goes through, and the work of one. */
function planEvaluation(
  recipe: ResolvedRecipe,
  opened: OpenedRecipe,
  { lengths }: Survey,
  { steps, batches }: BatchPlan,
  epochs: number,
): { passes: number; cost: number } {
  const { method, config } = recipe;
  const share = method === "pretrain" ? recipe.config.validation_share : 0;
  const heldRows = method === "pretrain" ? Math.floor((lengths.length * share) / (1 - share)) : opened.heldRows;
  const times = countTimes(config.eval_strategy, config.eval_steps ?? config.logging_steps, steps, epochs) + (config.eval_on_start ? 1 : 0);
  if (times === 0 || heldRows === 0 || method === "ppo") return { passes: 0, cost: 0 };
  const size = config.per_device_eval_batch_size;
  const perRow = batches.reduce((sum, { cost, indices }) => sum + cost / indices.length, 0) / batches.length;
  return { passes: times * Math.ceil(heldRows / size), cost: perRow * Math.min(size, heldRows) };
}

interface Timing {
  /** Seconds of a micro-batch by its cost. */
  micro(cost: number): number;
  /** Seconds of an update. */
  readonly optimizer: number;
}

/**
 * A line through the two measured batches: a part that every batch takes, and one that grows with its work. Of each the first
 * run is left out (it makes graphs and lays out memory), and of the others the median is taken.
 */
function fitTiming(
  trial: Trial,
  heavy: PlannedBatch,
  usual: PlannedBatch,
  { perStep, isPPO }: { perStep: number; isPPO: boolean },
): Timing {
  const { steps } = trial;
  const optimizer = isPPO ? 0 : median(steps.slice(1).map(({ optimizerSeconds }) => optimizerSeconds));
  // What PPO makes ready anew in each step (sampling from changed weights) is part of the step.
  const microOf = ({ seconds, compileSeconds, optimizerSeconds }: TrialStep): number =>
    isPPO ? seconds : Math.max(0, seconds - compileSeconds - optimizerSeconds) / perStep;
  // PPO's steps differ by what they have to make ready: their mean.
  if (isPPO) {
    const later = steps.slice(1);
    const seconds = later.reduce((sum, step) => sum + microOf(step), 0) / later.length;
    return { micro: () => seconds, optimizer };
  }
  if (heavy.cost === usual.cost) {
    const seconds = median(steps.slice(1).map(microOf));
    return { micro: (cost) => seconds * Math.max(0.1, cost / heavy.cost), optimizer };
  }
  const [heavySteps, usualSteps] = [0, 1].map((turn) => steps.filter((_, i) => i % 2 === turn).slice(1));
  const heavySeconds = median(heavySteps.map(microOf));
  const usualSeconds = Math.min(heavySeconds, median(usualSteps.map(microOf)));
  const slope = (heavySeconds - usualSeconds) / (heavy.cost - usual.cost);
  return { micro: (cost) => Math.max(usualSeconds / 4, usualSeconds + slope * (cost - usual.cost)), optimizer };
}

async function rowsOf(
  dataset: Dataset,
  source: (index: number) => number,
  order: readonly PlannedBatch[],
  perStep: number,
): Promise<Row[]> {
  const indices = order.flatMap((batch) => Array.from({ length: perStep }, () => batch.indices).flat());
  return Promise.all(indices.map((index) => dataset.read(source(index))));
}

/** For packed rows: as many texts as fill the steps. */
async function takeRows(
  dataset: Dataset,
  recipe: ResolvedRecipe,
  steps: number,
  accumulation: number,
  { lengths }: Survey,
): Promise<Row[]> {
  const needed = steps * accumulation * recipe.config.per_device_train_batch_size;
  const texts = Math.ceil((dataset.count / lengths.length) * needed * 1.2) + 2;
  return Promise.all(Array.from({ length: texts }, (_, i) => dataset.read(i % dataset.count)));
}
