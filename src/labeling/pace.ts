import type { LabelRow } from "../data/index.ts";

export interface Pace {
  /** Labels an hour over the last 20; null before there are two. */
  readonly perHour: number | null;
  /** Of the last 20; null before there is one. */
  readonly medianSeconds: number | null;
}

const window = 20;
/** Whoever was away for longer has had a break, which says nothing of the pace. */
const longestGap = 15 * 60_000;

/** How fast somebody labels, from their labels in the order in which they were given. */
export function measurePace(labels: readonly LabelRow[]): Pace {
  const last: LabelRow[] = [];
  for (let i = labels.length - 1; i >= 0 && last.length < window; i--) if (labels[i].undoes === undefined) last.push(labels[i]);
  if (last.length === 0) return { perHour: null, medianSeconds: null };
  const seconds = last.map(({ milliseconds }) => milliseconds / 1000).sort((a, b) => a - b);
  const middle = seconds.length >> 1;
  const medianSeconds = seconds.length % 2 === 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
  let [elapsed, gaps] = [0, 0];
  for (let i = 1; i < last.length; i++) {
    const gap = Date.parse(last[i - 1].given) - Date.parse(last[i].given);
    if (!(gap >= 0) || gap > longestGap) continue;
    elapsed += gap;
    gaps++;
  }
  return { perHour: gaps === 0 || elapsed === 0 ? null : (gaps / elapsed) * 3_600_000, medianSeconds };
}
