/** ONNX Runtime's profile (Chrome trace events) as a table. */
import { SparError } from "../internal/errors.ts";

/** One node of a graph, over all runs. */
export interface ProfileRow {
  /** The node's name in the emitted model. */
  readonly name: string;
  readonly op: string;
  readonly runs: number;
  /** Seconds in the kernel, all runs together. */
  readonly seconds: number;
  /** Seconds of the fastest run: what the node costs when nothing disturbs it. */
  readonly fastest: number;
  /** Bytes written by the last run, as ONNX Runtime counts them. */
  readonly outputBytes: number;
}

interface TraceEvent {
  cat?: string;
  name?: string;
  dur?: number;
  args?: { op_name?: string; output_size?: string };
}

/** The nodes, slowest first. */
export function parseProfile(json: string): ProfileRow[] {
  let events: unknown;
  try {
    events = JSON.parse(json);
  } catch (cause) {
    throw new SparError("runtime/invalid-profile", "parseProfile: expected ONNX Runtime's JSON events, got something else", { cause });
  }
  const rows = new Map<string, { name: string; op: string; runs: number; seconds: number; fastest: number; outputBytes: number }>();
  const suffix = "_kernel_time";
  for (const event of events as TraceEvent[]) {
    if (event.cat !== "Node" || event.name?.endsWith(suffix) !== true) continue;
    const name = event.name.slice(0, -suffix.length);
    let row = rows.get(name);
    if (row === undefined)
      rows.set(name, (row = { name, op: event.args?.op_name ?? "", runs: 0, seconds: 0, fastest: Infinity, outputBytes: 0 }));
    row.runs++;
    const seconds = (event.dur ?? 0) / 1e6;
    row.seconds += seconds;
    row.fastest = Math.min(row.fastest, seconds);
    row.outputBytes = Number(event.args?.output_size ?? 0);
  }
  return [...rows.values()].sort((a, b) => b.seconds - a.seconds);
}

/** Sums by operator, slowest first: where the time goes. `fastest` is that of one run in which nothing was disturbed. */
export function sumProfileByOp(rows: readonly ProfileRow[]): { op: string; nodes: number; seconds: number; fastest: number }[] {
  const sums = new Map<string, { op: string; nodes: number; seconds: number; fastest: number }>();
  for (const { op, seconds, fastest } of rows) {
    let sum = sums.get(op);
    if (sum === undefined) sums.set(op, (sum = { op, nodes: 0, seconds: 0, fastest: 0 }));
    sum.nodes++;
    sum.seconds += seconds;
    sum.fastest += fastest;
  }
  return [...sums.values()].sort((a, b) => b.seconds - a.seconds);
}
