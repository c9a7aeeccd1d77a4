/** Drawing an index from unnormalised weights, in a graph. */
import {
  add,
  cast,
  cumsum,
  gather,
  gatherElements,
  less,
  maximum,
  minimum,
  mul,
  not,
  pad,
  range,
  reshape,
  slice,
  sub,
  sum,
  type Tensor,
} from "../tensor/index.ts";

/** The largest float32 below 1. */
const belowOne = 1 - 2 ** -24;

/**
 * weights [B, V] ≥ 0, u [B, 1] in [0, 1] → index [B] (int32), index i with probability weights[i] / sum.
 *
 * Sums over blocks pick the block, sums within it the index: two short running sums rather than one over V.
 * An index of weight zero is never drawn: the target is kept below the last running sum.
 */
export function drawIndex(weights: Tensor, u: Tensor): Tensor {
  const [batch, width] = weights.shape;
  const size = blockSize(width);
  const blocks = Math.ceil(width / size);
  const padded = blocks * size === width ? weights : pad(weights, 1, 0, blocks * size - width);

  const ends = cumsum(sum(reshape(padded, [batch, blocks, size]), [2]), 1);
  const total = slice(ends, 1, blocks - 1, blocks);
  const target = minimum(mul(u, total), mul(total, belowOne));
  const block = countReached(ends, target);
  // What lies before the chosen block: the sum that ends the block before it.
  const starts = slice(pad(ends, 1, 1, 0), 1, 0, blocks);
  const start = gatherElements(starts, reshape(block, [batch, 1]));

  const rows = gather(reshape(padded, [batch * blocks, size]), add(block, mul(range(batch), blocks)));
  const within = cumsum(rows, 1);
  const last = slice(within, 1, size - 1, size);
  const index = countReached(within, minimum(maximum(sub(target, start), 0), mul(last, belowOne)));
  return minimum(add(mul(block, size), index), width - 1);
}

/** How many running sums [B, N] the target [B, 1] has reached: the index it falls on. At most N − 1, also for NaN. */
function countReached(sums: Tensor, target: Tensor): Tensor {
  return minimum(sum(cast(not(less(target, sums)), "int32"), [1]), sums.shape[1] - 1);
}

/** Tokens of a block: a divisor of `width` not far below its square root, so that blocks are a reshape; else √width, and the last block is padded. */
export function blockSize(width: number): number {
  const root = Math.sqrt(width);
  for (let size = Math.floor(root); size >= Math.max(1, root / 8); size--) if (width % size === 0) return size;
  return Math.ceil(root);
}
