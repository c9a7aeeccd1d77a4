import { Random, uniformAt } from "../internal/rng.ts";

export type SamplingStrategy = "random" | "sequential" | "group_by_length";

/** Separates these numbers from other uses of the same seed. */
const PURPOSE = 0x0da7a;

/** The order in which an epoch goes through `count` rows: a pure function of its arguments. */
export function makeEpochOrder(options: {
  count: number;
  seed: number;
  epoch: number;
  samplingStrategy: SamplingStrategy;
  /** group_by_length only: tokens of each row, and the batch whose rows shall be of like length. */
  lengths?: ArrayLike<number> | undefined;
  batchSize?: number;
}): Uint32Array {
  const { count, seed, epoch, samplingStrategy, lengths } = options;
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  if (samplingStrategy === "sequential") return order;
  new Random(Math.floor(uniformAt(seed, epoch, PURPOSE) * 4294967296)).shuffle(order);
  return samplingStrategy === "group_by_length" && lengths ? groupByLength(order, lengths, options.batchSize ?? 1) : order;
}

/**
 * Shuffled rows, sorted by length (longest first) within stretches of 50 batches (fewer for small data), as the
 * Hugging Face Trainer groups; the longest row of all comes first, so that running out of memory shows at once.
 */
function groupByLength(order: Uint32Array, lengths: ArrayLike<number>, batchSize: number): Uint32Array {
  const batches = Math.min(50, Math.max(1, Math.floor(order.length / (batchSize * 4))));
  const stretch = batches * batchSize;
  const byLength = (a: number, b: number) => lengths[b]! - lengths[a]!;
  const grouped = new Uint32Array(order.length);
  for (let from = 0; from < order.length; from += stretch) {
    grouped.set(Array.from(order.subarray(from, from + stretch)).sort(byLength), from);
  }
  let longest = 0;
  for (let from = stretch; from < grouped.length; from += stretch)
    if (lengths[grouped[from]!]! > lengths[grouped[longest]!]!) longest = from;
  if (grouped.length > 0) [grouped[0], grouped[longest]] = [grouped[longest]!, grouped[0]!];
  return grouped;
}
