/** Curves with no more points than a screen has columns, in which no spike is hidden. */
import { absent } from "./row-parser.ts";
import type { Series } from "./protocol.ts";

export interface SeriesRange {
  /** Bounds of x, included. */
  readonly from: number;
  readonly to: number;
  /** The most points to answer with; where there are more, each bucket of x gives its lowest and its highest. */
  readonly points: number;
}

/** `x`, `y`: [rows]; rows without y or without a finite x are passed over. x may go back (rows of a run that was begun again). */
export function sampleSeries(x: Float64Array, y: Float64Array, { from, to, points }: SeriesRange): Series {
  const rows = Math.min(x.length, y.length);
  let count = 0;
  let low = Infinity;
  let high = -Infinity;
  let isSorted = true;
  for (let i = 0, before = -Infinity; i < rows; i++) {
    const at = x[i];
    if (y[i] === absent || !(at >= from && at <= to) || at === Infinity || at === absent) continue;
    count++;
    if (at < before) isSorted = false;
    before = at;
    if (at < low) low = at;
    if (at > high) high = at;
  }
  const isIn = (i: number): boolean => y[i] !== absent && x[i] >= low && x[i] <= high;
  if (count <= points) {
    const places: number[] = [];
    for (let i = 0; i < rows; i++) if (isIn(i)) places.push(i);
    if (!isSorted) places.sort((a, b) => x[a] - x[b] || a - b);
    return { count, x: places.map((i) => x[i]), y: places.map((i) => round(y[i])) };
  }

  const buckets = Math.max(1, Math.floor(points / 2));
  const scale = high > low ? buckets / (high - low) : 0;
  const lowest = new Int32Array(buckets).fill(-1);
  const highest = new Int32Array(buckets).fill(-1);
  const sums = new Float64Array(buckets);
  const numbers = new Uint32Array(buckets);
  const places = new Float64Array(buckets);
  const members = new Uint32Array(buckets);
  for (let i = 0; i < rows; i++) {
    const value = y[i];
    const at = x[i];
    if (value === absent || !(at >= low && at <= high)) continue;
    const bucket = Math.min(buckets - 1, Math.floor((at - low) * scale));
    places[bucket] += at - low;
    members[bucket]++;
    if (value !== value) continue;
    sums[bucket] += value;
    numbers[bucket]++;
    if (lowest[bucket] < 0 || value < y[lowest[bucket]]) lowest[bucket] = i;
    if (highest[bucket] < 0 || value > y[highest[bucket]]) highest[bucket] = i;
  }
  const answer = { count, x: [] as number[], y: [] as (number | null)[], meanX: [] as number[], mean: [] as (number | null)[] };
  for (let bucket = 0; bucket < buckets; bucket++) {
    if (members[bucket] === 0) continue;
    const middle = low + places[bucket] / members[bucket];
    answer.meanX.push(Number(middle.toPrecision(10)));
    if (numbers[bucket] === 0) {
      answer.x.push(middle);
      answer.y.push(null);
      answer.mean.push(null);
      continue;
    }
    answer.mean.push(round(sums[bucket] / numbers[bucket]));
    const [a, b] = [lowest[bucket], highest[bucket]];
    const [first, second] = x[a] < x[b] || (x[a] === x[b] && a < b) ? [a, b] : [b, a];
    answer.x.push(x[first]);
    answer.y.push(round(y[first]));
    if (first === second) continue;
    answer.x.push(x[second]);
    answer.y.push(round(y[second]));
  }
  return answer;
}

/** A screen has no use for more digits, and they would be half of what is sent. */
function round(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(8)) : null;
}
