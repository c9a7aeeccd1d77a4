/** Shifting and scaling to mean 0 and variance 1 over the real tokens of all rows. */

export interface WhitenOptions {
  /** False: only the scale changes, the mean stays (for rewards). */
  readonly shiftMean?: boolean;
  /** Bessel's correction, n − 1 (TRL); false: n (OpenRLHF). */
  readonly unbiased?: boolean;
  readonly epsilon?: number;
}

/**
 * (x − mean)/√(var + ε) of ragged rows. There is no mask because there is no padding: leave out what should not count.
 * Equal values become 0 (or stay, without the shift); a single value counts as variance 0.
 */
export function whiten(
  rows: readonly Float32Array[],
  { shiftMean = true, unbiased = true, epsilon = 1e-8 }: WhitenOptions = {},
): Float32Array[] {
  let count = 0;
  let total = 0;
  for (const row of rows) {
    count += row.length;
    for (const x of row) total += x;
  }
  const mean = total / Math.max(1, count);
  let squares = 0;
  for (const row of rows) for (const x of row) squares += (x - mean) ** 2;
  const variance = squares / Math.max(1, unbiased ? count - 1 : count);
  const scale = 1 / Math.sqrt(variance + epsilon);
  return rows.map((row) => row.map((x) => (x - mean) * scale + (shiftMean ? 0 : mean)));
}
