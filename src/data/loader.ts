import { SparError } from "../internal/errors.ts";
import { makeEpochOrder, type SamplingStrategy } from "./epoch-order.ts";

/** Where a loader stands: `position` rows of epoch `epoch` (from 0) have been given out. All a checkpoint needs. */
export type LoaderCursor = { epoch: number; position: number };

export type Batch = {
  indices: number[];
  /** The epoch these rows belong to, and how many of its rows came before. */
  epoch: number;
  position: number;
  isLastOfEpoch: boolean;
};

export type LoaderOptions = {
  /** Rows of the data set, ≥ 1. */
  count: number;
  batchSize: number;
  seed: number;
  samplingStrategy?: SamplingStrategy;
  /** Tokens of each row, for group_by_length. */
  lengths?: ArrayLike<number>;
  /** Leave out an epoch's last batch when it is not full (default: keep it, as the Hugging Face Trainer does). */
  dropLast?: boolean;
  cursor?: LoaderCursor;
};

export interface Loader {
  readonly batchesPerEpoch: number;
  /** Moves with `next`; a loader made from it goes on exactly here. */
  readonly cursor: LoaderCursor;
  /** The next batch; epochs follow one another without end. */
  next(): Batch;
}

/** Batches of row numbers, epoch after epoch, in an order that depends on (seed, epoch) alone. */
export function createLoader(options: LoaderOptions): Loader {
  const { count, batchSize, seed, samplingStrategy = "random", lengths, dropLast = false } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new SparError("data/batch-size", `loading batches: expected a batch size ≥ 1, got ${batchSize}`);
  }
  if (count < 1) throw new SparError("data/empty", "loading batches: the data set is empty");
  const batchesPerEpoch = dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize);
  if (batchesPerEpoch === 0) {
    throw new SparError("data/too-few-rows", `loading batches: ${count} rows do not fill one batch of ${batchSize}`, {
      hint: "give more data or a smaller batch",
    });
  }
  if (samplingStrategy === "group_by_length" && lengths?.length !== count) {
    throw new SparError(
      "data/lengths",
      `loading batches: group_by_length needs the length of each of ${count} rows, got ${lengths?.length ?? "none"}`,
    );
  }
  const rowsPerEpoch = dropLast ? batchesPerEpoch * batchSize : count;
  let { epoch, position } = options.cursor ?? { epoch: 0, position: 0 };
  if (!Number.isInteger(epoch) || !Number.isInteger(position) || epoch < 0 || position < 0 || position > rowsPerEpoch) {
    throw new SparError("data/cursor", `loading batches: the saved position (epoch ${epoch}, row ${position}) does not fit ${count} rows`, {
      hint: "the data set or the batch size has changed since the checkpoint; start over, or give the same data",
    });
  }
  let order: Uint32Array | undefined;
  let orderOf = -1;
  return {
    batchesPerEpoch,
    get cursor() {
      return { epoch, position };
    },
    next() {
      if (position >= rowsPerEpoch) {
        epoch++;
        position = 0;
      }
      if (!order || orderOf !== epoch) {
        order = makeEpochOrder({ count, seed, epoch, samplingStrategy, lengths, batchSize });
        orderOf = epoch;
      }
      const end = Math.min(position + batchSize, rowsPerEpoch);
      const batch = { indices: Array.from(order.subarray(position, end)), epoch, position, isLastOfEpoch: end === rowsPerEpoch };
      position = end;
      return batch;
    },
  };
}
