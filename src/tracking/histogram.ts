/** Counts of values in bins of equal width. */

export type Histogram = {
  /** Ascending; one more than `counts`. Bin i is [edges[i], edges[i+1]), the last one closed. */
  edges: number[];
  counts: number[];
};

/** Undefined where no value is finite. Values that are all the same get one bin of width 1 around them. */
export function createHistogram(values: readonly number[], bins = 30): Histogram | undefined {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return undefined;
  const low = finite.reduce((a, b) => Math.min(a, b));
  const high = finite.reduce((a, b) => Math.max(a, b));
  // Divided first: the whole range may be more than a number holds.
  const width = high / bins - low / bins;
  // Differences below the numbers' resolution make no bins either.
  if (!(width > 0) || !Number.isFinite(width) || low + width === low) {
    return { edges: [low - 0.5, low + 0.5], counts: [finite.length] };
  }
  const counts = Array.from({ length: bins }, () => 0);
  for (const value of finite) counts[Math.min(bins - 1, Math.floor((value - low) / width))]!++;
  return { edges: Array.from({ length: bins + 1 }, (_, i) => (i === bins ? high : low + i * width)), counts };
}
