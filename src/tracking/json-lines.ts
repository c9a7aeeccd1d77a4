/** Rows of metrics and events as JSON lines, for `--json`: those of the run's folder, as they come. */

import { describeError } from "../internal/errors.ts";
import type { Tracker } from "./tracker.ts";

/** `writeRow` puts one row on a line. A metrics row has `step`, an event row `code`. */
export function createJsonLinesTracker(writeRow: (row: unknown) => void): Tracker {
  const event: Tracker["event"] = ({ code, message, level, ...details }) =>
    writeRow({ time: new Date().toISOString(), code, level: level ?? "info", message, ...details });
  return {
    metrics: writeRow,
    samples() {},
    event,
    progress() {},
    async close(_status, error) {
      if (error !== undefined) event({ ...describeError(error), level: "error" });
    },
  };
}
