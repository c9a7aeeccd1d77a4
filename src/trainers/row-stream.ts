/** Prepared rows → the micro-batches of one step after another, in an order that a cursor resumes. */
import { createLoader, type LoaderCursor, type PreparedRows } from "../data/index.ts";
import type { TrainingArguments } from "./training-arguments.ts";

export interface MicroBatch<T> {
  readonly rows: readonly T[];
  readonly indices: readonly number[];
}

export interface RowStream<T> {
  readonly batchesPerEpoch: number;
  cursor: LoaderCursor;
  /** Up to `gradient_accumulation_steps` micro-batches; a step never reaches into the next epoch. */
  next(): Promise<MicroBatch<T>[]>;
}

export function createRowStream<T>(rows: PreparedRows<T>, config: TrainingArguments): RowStream<T> {
  const open = (cursor?: LoaderCursor): ReturnType<typeof createLoader> =>
    createLoader({
      count: rows.count,
      batchSize: config.per_device_train_batch_size,
      seed: config.data_seed ?? config.seed,
      samplingStrategy: config.train_sampling_strategy,
      lengths: rows.lengths,
      dropLast: config.dataloader_drop_last,
      ...(cursor === undefined ? {} : { cursor }),
    });
  let loader = open();
  return {
    batchesPerEpoch: loader.batchesPerEpoch,
    get cursor() {
      return loader.cursor;
    },
    set cursor(cursor) {
      loader = open(cursor);
    },
    async next() {
      const batches: MicroBatch<T>[] = [];
      for (let i = 0; i < config.gradient_accumulation_steps; i++) {
        const { indices, isLastOfEpoch } = loader.next();
        batches.push({ rows: await Promise.all(indices.map((index) => rows.read(index))), indices });
        if (isLastOfEpoch) break;
      }
      return batches;
    },
  };
}
