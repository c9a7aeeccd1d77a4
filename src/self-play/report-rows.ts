/** The run's own rows: one of metrics.jsonl for each model, and its samples, also where the run goes on after it was stopped. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { MetricsRow, SampleRow } from "../tracking/index.ts";
import type { TrainingContext } from "../trainers/configs.ts";

export interface RowReporter {
  /** To be called before a stage is done (again): what was reported up to here stands, rows after it are cut off. */
  startNew(): void;
  /** `row.step` is one more than that of the report before. */
  report(row: MetricsRow, samples?: readonly SampleRow[]): void;
  /** To be called where the run is finished: rows of an earlier, longer run are cut off. */
  finish(): void;
}

/**
 * A run that goes on comes past its finished models again. Their rows are in metrics.jsonl already: as long as they are the same they are
 * not written twice; from the first that is not (or is missing) on the file is cut back by `context.resumedAt`.
 */
export function createRowReporter({
  root,
  context: { tracker, resume, resumedAt },
}: {
  readonly root: string;
  readonly context: Pick<TrainingContext, "tracker" | "resume" | "resumedAt">;
}): RowReporter {
  const earlier = resume === false ? [] : readLines(join(root, "metrics.jsonl"));
  // The lines may be those of a run that wrote its steps twice.
  const isWhole = earlier.every((line, i) => readStep(line) === i + 1);
  let stands = 0;
  let isNew = earlier.length === 0;
  const startNew = (): void => {
    if (!isNew) resumedAt?.(stands);
    isNew = true;
  };
  return {
    startNew,
    report(row, samples = []) {
      if (!isWhole || earlier[stands] !== JSON.stringify(row)) startNew();
      if (!isNew) {
        stands++;
        return;
      }
      tracker.samples(samples);
      tracker.metrics(row);
    },
    finish() {
      if (earlier.length > stands) startNew();
    },
  };
}

function readLines(path: string): string[] {
  return existsSync(path)
    ? readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];
}

function readStep(line: string): unknown {
  try {
    return (JSON.parse(line) as { step?: unknown }).step;
  } catch {
    return undefined;
  }
}
