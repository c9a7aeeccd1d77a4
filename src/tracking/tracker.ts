/** What a run tells the world while it trains. Implementations never throw into training. */

export type MetricsRow = { step: number; epoch?: number } & { [key: string]: number };

export type SampleRow = { step: number; prompt: string; completion: string; scores?: { [name: string]: number } } & {
  [column: string]: unknown;
};

/** `code` is stable, as in errors: `checkpoint/saved`, `data/rows-dropped`, `stage/started` … */
export type RunEvent = { code: string; message: string; level?: "info" | "warning" | "error"; [detail: string]: unknown };

/** Work ahead, for progress bars; `total` may be unknown. */
export type Progress = { stage: string; done: number; total?: number; unit?: string; details?: { [name: string]: number | string } };

export interface Tracker {
  metrics(row: MetricsRow): void;
  samples(rows: readonly SampleRow[]): void;
  /** Numbers whose spread is worth seeing, by name: the scores of a step's completions, say. */
  histograms?(step: number, values: { readonly [name: string]: readonly number[] }): void;
  event(event: RunEvent): void;
  progress(progress: Progress): void;
  /** Everything is written and synced when this resolves. */
  close(status: "finished" | "stopped" | "failed", error?: unknown): Promise<void>;
}
