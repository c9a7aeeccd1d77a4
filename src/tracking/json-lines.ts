/** Rows of metrics and events as JSON lines, for `--json`. */

import type { Tracker } from "./tracker.ts";

/** `writeRow` puts one row on a line. A metrics row has `step`, an event row `code`. */
export function createJsonLinesTracker(writeRow: (row: unknown) => void): Tracker {
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
