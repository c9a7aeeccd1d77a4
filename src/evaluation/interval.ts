/** How far a measured share or mean may be from the true one. */
import { SparError } from "../internal/errors.ts";
import { Random } from "../internal/rng.ts";

export type Interval = readonly [low: number, high: number];

/** z of a two-sided 95 % interval. */
const z95 = 1.959963984540054;

/** Wilson's score interval (1927) of `successes` out of `n`: sound for few cases and for shares near 0 and 1. n = 0: [0, 1]. */
export function intervalOfShare(successes: number, n: number, z = z95): Interval {
  if (!(successes >= 0 && successes <= n))
    throw new SparError("evaluation/invalid", `intervalOfShare: expected 0 ≤ successes ≤ n, got ${successes} of ${n}`);
  if (n === 0) return [0, 1];
  const share = successes / n;
  const centre = share + (z * z) / (2 * n);
  const reach = z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  const scale = 1 + (z * z) / n;
  // Rounding must not leave what is exactly 0 or 1.
  return [successes === 0 ? 0 : (centre - reach) / scale, successes === n ? 1 : (centre + reach) / scale];
}

/** A value and its own interval. */
export interface Measured {
  readonly value: number;
  readonly interval: Interval;
}

/** Interval of `to` − `from`, of independent samples, out of their own intervals (Newcombe 1998, method 10). */
export function intervalOfDifference(from: Measured, to: Measured): Interval {
  const difference = to.value - from.value;
  return [
    difference - Math.hypot(to.value - to.interval[0], from.interval[1] - from.value),
    difference + Math.hypot(to.interval[1] - to.value, from.value - from.interval[0]),
  ];
}

/**
 * Percentile bootstrap (Efron 1979) of `statistic` over resamples of `cases`, the same for the same seed.
 * `cases` are what was drawn independently: prompts, not tokens. No cases: [NaN, NaN].
 */
export function bootstrapInterval<T>(
  cases: readonly T[],
  statistic: (resample: readonly T[]) => number,
  {
    seed = 0,
    resamples = 2000,
    confidence = 0.95,
  }: { readonly seed?: number; readonly resamples?: number; readonly confidence?: number } = {},
): Interval {
  if (cases.length === 0) return [NaN, NaN];
  const random = new Random(seed);
  const values = Float64Array.from({ length: resamples }, () => statistic(cases.map(() => cases[random.integer(cases.length)]))).sort();
  const at = (q: number): number => values[Math.min(resamples - 1, Math.max(0, Math.round(q * (resamples - 1))))];
  return [at((1 - confidence) / 2), at((1 + confidence) / 2)];
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}
