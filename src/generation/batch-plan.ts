/** Which shapes are computed. Pure functions of the requests, so that the same requests always give the same bits. */
import { bucketLength, bucketRows, tokensPerPass } from "../runtime/index.ts";

/** Rows decoded at the same time. */
export const batchSizes: readonly number[] = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256];

/** The smallest batch size for `rows`, at most `limit`. */
export function bucketBatch(rows: number, limit: number): number {
  const wanted = Math.min(rows, limit);
  return Math.min(batchSizes.find((size) => size >= wanted) ?? wanted, limit);
}

/** Positions of a cache for sequences of `length`: multiples of 64 up to 512, then of 256; never more than a model has. */
export function bucketCapacity(length: number, maxPositions: number): number {
  const step = length <= 512 ? 64 : 256;
  return Math.max(length, Math.min(Math.ceil(length / step) * step, maxPositions));
}

/** Free slots are filled when enough are free: a prefill of one row costs nearly as much as one of several. */
export function isTimeToAdmit(free: number, active: number, batch: number): boolean {
  return free > 0 && (active === 0 || free >= Math.ceil(batch / 8));
}

/**
 * The batch to go on with when nothing waits any more: smaller where that saves more than compiling costs.
 * @param steps the most decoding steps that are left @param parameters of the model
 */
export function shrinkBatch(batch: number, active: number, steps: number, parameters: number): number {
  const smaller = bucketBatch(active, batch);
  if (smaller * 2 > batch) return batch;
  // Compiling a step costs as much time as some steps, more so for a large model, whose weights are packed anew.
  const worthwhile = parameters > 2e7 ? 96 : 24;
  return (batch - smaller) * steps >= (worthwhile * batch) / 2 ? smaller : batch;
}

export interface PrefillGroup {
  /** Indices of the prompts. */
  readonly members: number[];
  readonly rows: number;
  readonly time: number;
}

/** Prompts of similar length together, padded to a few shapes. */
export function groupPrompts(lengths: readonly number[], maxPositions: number): PrefillGroup[] {
  const order = lengths.map((_, index) => index).sort((a, b) => lengths[a] - lengths[b] || a - b);
  const groups: PrefillGroup[] = [];
  let members: number[] = [];
  const close = (): void => {
    if (members.length > 0) groups.push({ members, rows: bucketRows(members.length), time: timeOf(members) });
    members = [];
  };
  const timeOf = (indices: readonly number[]): number => bucketLength(lengths[indices[indices.length - 1]], maxPositions);
  for (const index of order) {
    const wider = [...members, index];
    const time = timeOf(wider);
    // A row twice as long as the shortest would be mostly padding to the others.
    const mixed = members.length > 0 && time > 2 * bucketLength(lengths[members[0]], maxPositions);
    if (members.length > 0 && (mixed || bucketRows(wider.length) * time > tokensPerPass)) close();
    members.push(index);
  }
  close();
  return groups;
}
