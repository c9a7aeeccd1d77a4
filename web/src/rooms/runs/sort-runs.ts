/** The table of runs: which are shown, in which order, and which stand below another one. */
import type { RunSummary } from "../../../../src/server/ui/runs/protocol.ts";

export type SortKey = "name" | "method" | "status" | "started" | "duration" | "step" | "loss" | "reward";

export interface RunOrder {
  readonly key: SortKey;
  readonly isDescending: boolean;
}

export interface RunRow {
  readonly run: RunSummary;
  /** Stages of the rows above. */
  readonly depth: number;
}

/** Seconds; of a run that is going on, until now. */
export function measureDuration({ started, ended, status }: RunSummary, now: number): number {
  if (ended === null && status !== "running" && status !== "paused") return NaN;
  return ((ended === null ? now : Date.parse(ended)) - Date.parse(started)) / 1000;
}

function valueOf(run: RunSummary, key: SortKey, now: number): string | number | null {
  if (key === "duration") return measureDuration(run, now);
  return key === "started" ? Date.parse(run.started) : run[key];
}

export function arrangeRuns(runs: readonly RunSummary[], search: string, { key, isDescending }: RunOrder, now: number): RunRow[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const isFound = ({ name, method, status, id }: RunSummary): boolean => {
    const text = `${name} ${method} ${status} ${id}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const compare = (a: RunSummary, b: RunSummary): number => {
    const [x, y] = [valueOf(a, key, now), valueOf(b, key, now)];
    const isNone = (value: string | number | null): boolean => value === null || Number.isNaN(value);
    // What a run does not have stands at the end, whichever way.
    if (isNone(x) || isNone(y)) return Number(isNone(x)) - Number(isNone(y));
    const order = typeof x === "string" ? x.localeCompare(String(y)) : (x as number) - (y as number);
    return isDescending ? -order : order;
  };
  const found = runs.filter(isFound).sort(compare);
  // By anything but time and name, a stage is a run like others.
  if (key !== "started" && key !== "name") return found.map((run) => ({ run, depth: 0 }));
  const there = new Set(found.map(({ id }) => id));
  const rows: RunRow[] = [];
  const add = (run: RunSummary, depth: number): void => {
    rows.push({ run, depth });
    const stages = found.filter(({ parent, id }) => parent === run.id && id !== run.id);
    for (const stage of stages.sort((a, b) => (a.started < b.started ? -1 : 1))) add(stage, depth + 1);
  };
  for (const run of found) if (run.parent === null || !there.has(run.parent) || run.parent === run.id) add(run, 0);
  return rows;
}
