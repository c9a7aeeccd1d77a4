/** The files of runs as they are being looked at: opened once, kept while there is room, read on when somebody asks. */
import { join } from "node:path";
import { mapSteps, placeSteps } from "./axes.ts";
import type { CatalogRun } from "./catalog.ts";
import { openColumns, type Columns } from "./columns.ts";
import { openEvents, type Events } from "./events.ts";
import type { Axis, Sign } from "./protocol.ts";
import { openSamples, type Samples } from "./samples.ts";
import { findSigns } from "./signs.ts";

export interface RunFiles {
  readonly metrics: Columns;
  readonly system: Columns;
  readonly samples: Samples;
  readonly events: Events;
  /** Rises when rows of any of the files were taken away. */
  generation(): number;
  /** What stands in the curves; of a long run that grows, not looked for again at every row. */
  signs(): readonly Sign[];
  /** What curves may be drawn over, from what has been read so far. */
  axes(): Axis[];
  /** [rows] of metrics, or of system.jsonl: steps, seconds since the run began, or tokens. */
  places(source: "metrics" | "system", axis: Axis): Float64Array;
}

export interface RunStore {
  open(run: CatalogRun): RunFiles;
}

/** `maxBytes`: columns kept in memory, those of the run in use aside. */
export function createRunStore({ maxBytes = 512 * 2 ** 20 }: { readonly maxBytes?: number } = {}): RunStore {
  // In the order in which they were last used.
  const opened = new Map<string, { readonly started: string; readonly files: RunFiles }>();

  function makeRoom(): void {
    let total = 0;
    for (const [folder, { files }] of [...opened].reverse()) {
      total += files.metrics.bytes + files.system.bytes;
      if (total > maxBytes && folder !== [...opened.keys()].at(-1)) opened.delete(folder);
    }
  }

  return {
    open({ folder, record }) {
      let entry = opened.get(folder);
      if (entry?.started !== record.started) entry = { started: record.started, files: openRunFiles(folder, Date.parse(record.started)) };
      opened.delete(folder);
      opened.set(folder, entry);
      makeRoom();
      return entry.files;
    },
  };
}

function openRunFiles(folder: string, started: number): RunFiles {
  const metrics = openColumns(join(folder, "metrics.jsonl"));
  const system = openColumns(join(folder, "system.jsonl"));
  const samples = openSamples(join(folder, "samples.jsonl"));
  const events = openEvents(join(folder, "events.jsonl"));
  const cached = new Map<string, { readonly stamp: string; readonly values: Float64Array }>();

  let looked: { readonly generation: number; readonly rows: number; readonly signs: readonly Sign[] } | undefined;

  function place(source: "metrics" | "system", axis: Axis): Float64Array {
    const columns = source === "metrics" ? metrics : system;
    const steps = columns.column("step") ?? new Float64Array(columns.rows).fill(NaN);
    if (axis === "step") return steps;
    if (axis === "time") {
      const times = system.column("time") ?? new Float64Array(0);
      const since = (times: Float64Array): Float64Array => times.map((time) => (time - started) / 1000);
      return source === "system" ? since(times) : placeSteps(mapSteps(system.column("step") ?? new Float64Array(0), since(times)), steps);
    }

    return placeSteps(mapSteps(metrics.column("step") ?? new Float64Array(0), metrics.column("num_tokens") ?? new Float64Array(0)), steps);
  }

  return {
    metrics,
    system,
    samples,
    events,
    generation: () => metrics.generation + system.generation + samples.generation + events.generation,
    signs() {
      const { generation, rows } = metrics;
      const isOld = looked === undefined || looked.generation !== generation || rows - looked.rows > looked.rows / 100;
      if (isOld) looked = { generation, rows, signs: findSigns(metrics) };
      return looked!.signs;
    },
    axes() {
      const axes: Axis[] = ["step"];
      const hasTimes = system.column("time") !== undefined && (system.column("step")?.some(Number.isFinite) ?? false);
      if (hasTimes) axes.push("time");
      if (metrics.describe("num_tokens").count > 0) axes.push("tokens");
      return axes;
    },
    places(source, axis) {
      const stamp = `${metrics.generation} ${metrics.rows} ${system.generation} ${system.rows}`;
      const name = `${source} ${axis}`;
      const known = cached.get(name);
      if (known?.stamp === stamp) return known.values;
      const values = place(source, axis);
      cached.set(name, { stamp, values });
      return values;
    },
  };
}
