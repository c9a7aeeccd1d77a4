/** Rows of metrics and events as JSON lines, for `--json`. */

import type { Tracker } from "./tracker.ts";

/** `write` gets whole lines with their newline. A metrics row has `step`, an event row `code`. */
export function createJsonLinesTracker(write: (line: string) => void): Tracker {
  const writeRow = (row: unknown): void => write(`${JSON.stringify(row)}\n`);
  return {
    metrics: writeRow,
    samples() {},
    event({ code, message, level, ...details }) {
      writeRow({ time: new Date().toISOString(), code, level: level ?? "info", message, ...details });
    },
    progress() {},
    async close() {},
  };
}
