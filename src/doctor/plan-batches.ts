/** The micro-batches that a run will go through: their padded shapes, and how much work each is relative to the others. */
import { createLoader } from "../data/index.ts";
import { bucketLength, bucketRows } from "../runtime/index.ts";
import type { TrainingArguments } from "../trainers/configs.ts";
import { splitByLogits } from "../trainers/index.ts";
import type { ModelSizes } from "./model-sizes.ts";

export interface RowLength {
  /** Tokens that go through the model. */
  readonly tokens: number;
  /** Tokens whose log-probability is needed. */
  readonly scored: number;
}

export interface PlannedBatch {
  readonly indices: readonly number[];
  /** Name the graphs that it goes through, one after the other: a batch of many logits runs in parts. */
  readonly graphs: readonly string[];
  /** Multiplications of a forward pass, about. */
  readonly cost: number;
}

export interface BatchPlan {
  /** Optimizer steps of the run. */
  readonly steps: number;
  readonly microBatches: number;
  /** The run's micro-batches in their order, at most `planLimit`: a sample of longer runs. */
  readonly batches: readonly PlannedBatch[];
}

const planLimit = 20_000;

export function planBatches(rows: readonly RowLength[], config: TrainingArguments, sizes: ModelSizes): BatchPlan {
  const loader = createLoader({
    count: rows.length,
    batchSize: config.per_device_train_batch_size,
    seed: config.data_seed ?? config.seed,
    samplingStrategy: config.train_sampling_strategy,
    lengths: rows.map(({ tokens }) => tokens),
    dropLast: config.dataloader_drop_last,
  });
  const stepsPerEpoch = Math.ceil(loader.batchesPerEpoch / config.gradient_accumulation_steps);
  const steps = config.max_steps > 0 ? config.max_steps : Math.ceil(config.num_train_epochs * stepsPerEpoch);
  const microBatches = Math.round((steps / stepsPerEpoch) * loader.batchesPerEpoch);
  const batches = Array.from({ length: Math.min(planLimit, microBatches) }, (_, i) => {
    const { indices } = loader.next();
    const isFirst = (i % loader.batchesPerEpoch) % config.gradient_accumulation_steps === 0;
    return {
      indices,
      ...measureBatch(
        indices.map((index) => rows[index]),
        sizes,
        isFirst,
      ),
    };
  });
  return { steps, microBatches, batches };
}

function measureBatch(rows: readonly RowLength[], sizes: ModelSizes, isFirst: boolean): { graphs: string[]; cost: number } {
  const parts = splitByLogits(rows, ({ scored }) => scored, sizes.vocabSize).map((part) => measurePart(part, sizes));
  return {
    // A gradient that is added to what is there is another graph.
    graphs: parts.map(({ shape }, i) => (isFirst && i === 0 ? shape : `${shape} +`)),
    cost: parts.reduce((sum, { cost }) => sum + cost, 0),
  };
}

function measurePart(
  rows: readonly RowLength[],
  { hiddenSize, layers, vocabSize, maxPositions }: ModelSizes,
): { shape: string; cost: number } {
  const batch = bucketRows(rows.length);
  const longest = Math.max(...rows.map(({ tokens }) => tokens));
  const time = bucketLength(longest, Math.max(maxPositions, longest));
  const scored = bucketLength(rows.reduce((sum, row) => sum + row.scored, 0));
  const trunk = batch * time * layers * 12 * hiddenSize ** 2;
  const attention = batch * time * time * layers * 2 * hiddenSize;
  return { shape: `${batch}x${time}:${scored}`, cost: trunk + attention + scored * hiddenSize * vocabSize };
}

/** How many graphs have to be made when the last `kept` shapes are kept. */
export function countCompiles(batches: readonly PlannedBatch[], kept = 16): number {
  const cache = new Set<string>();
  let made = 0;
  for (const shape of batches.flatMap(({ graphs }) => graphs)) {
    if (!cache.delete(shape)) made++;
    cache.add(shape);
    if (cache.size > kept) cache.delete(cache.values().next().value as string);
  }
  return made;
}
