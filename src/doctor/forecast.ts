/** Memory and time of a run, from a trial of its heaviest and its most usual batches. */
import type { Dataset, Row } from "../data/index.ts";
import type { ResolvedRecipe } from "../recipes/index.ts";
import { describeMachine, type Backend } from "../runtime/index.ts";
import type { OpenedRecipe } from "./open-recipe.ts";
import { countCompiles, planBatches, type BatchPlan, type PlannedBatch } from "./plan-batches.ts";
import type { Survey } from "./survey-data.ts";
import { runTrial, type Trial, type TrialStep } from "./trial.ts";

export interface Forecast {
  readonly rows: number;
  readonly steps: number;
  /** Different padded shapes, and how often a graph has to be made for one. */
  readonly shapes: number;
  readonly compiles: number;
  readonly secondsPerStep: number;
  /** Training alone: preparing data, evaluation and saving come on top. */
  readonly seconds: number;
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

export async function forecastRun(
  recipe: ResolvedRecipe,
  opened: OpenedRecipe,
  survey: Survey,
  plan: BatchPlan,
  { backend, signal }: { backend: Backend; signal?: AbortSignal | undefined },
): Promise<Forecast> {
  const { config } = recipe;
  const byCost = [...plan.batches].sort((a, b) => a.cost - b.cost);
  const [heavy, usual] = [byCost[byCost.length - 1], byCost[byCost.length >> 1]];
  const isPPO = recipe.method === "ppo";
  const accumulation = isPPO ? config.gradient_accumulation_steps : Math.min(2, config.gradient_accumulation_steps);
  const perStep = isPPO ? 1 : accumulation;
  // Each twice: the first run of a graph lays out its memory.
  const order = isPPO || heavy.shape === usual.shape ? [heavy, heavy] : [heavy, heavy, usual, usual];
  const availableBytes = describeMachine().availableBytes;
  const rows =
    survey.source === undefined
      ? await takeRows(opened.dataset, recipe, order.length + 1, accumulation, survey)
      : await rowsOf(opened.dataset, survey.source, order, perStep);
  const trial = await runTrial(recipe, { backend, rows, steps: order.length, accumulation, memoryLimit: availableBytes, signal });
  const timing = fitTiming(trial, heavy, usual, perStep);
  const stepCount = plan.steps;
  const scale = plan.microBatches / plan.batches.length;
  const compiles = isPPO ? (plan.batches.length === 0 ? 0 : 1) : countCompiles(plan.batches);
  const seconds =
    plan.batches.reduce((sum, { cost }) => sum + timing.micro(cost), 0) * scale +
    stepCount * timing.optimizer +
    compiles * trial.compileSeconds;
  const shapes = new Set(plan.batches.map(({ shape }) => shape)).size;
  // The trial makes a graph or two; a run keeps one for each of its last shapes.
  const moreGraphs = isPPO ? 0 : Math.max(0, Math.min(keptGraphs, shapes) - trial.graphs);
  return {
    rows: survey.lengths.length,
    steps: stepCount,
    shapes,
    compiles,
    secondsPerStep: seconds / stepCount,
    seconds,
    peakBytes: process.resourceUsage().maxRSS * 1024 + moreGraphs * trial.graphBytes,
    bufferBytes: trial.bufferBytes,
    intermediateBytes: trial.intermediateBytes,
    availableBytes,
  };
}

/** Seconds of a micro-batch as a line through the two measured ones: a part that every batch takes, and one that grows with its work. */
function fitTiming(
  trial: Trial,
  heavy: PlannedBatch,
  usual: PlannedBatch,
  perStep: number,
): { micro: (cost: number) => number; optimizer: number } {
  const microOf = ({ seconds, optimizerSeconds }: TrialStep): number => Math.max(0, seconds - optimizerSeconds) / perStep;
  const { steps } = trial;
  const last = steps[steps.length - 1];
  const optimizer = last.optimizerSeconds;
  const heavySeconds = microOf(steps[1] ?? last);
  if (steps.length < 4) return { micro: (cost) => heavySeconds * Math.min(1, cost / heavy.cost), optimizer };
  const usualSeconds = Math.min(heavySeconds, microOf(last));
  const slope = (heavySeconds - usualSeconds) / (heavy.cost - usual.cost || 1);
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
