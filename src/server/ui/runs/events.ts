/** events.jsonl with its codes explained. */
import { explainEvent } from "./explanations.ts";
import { openLineIndex, type LineIndex } from "./lines.ts";
import type { ShownEvent } from "./protocol.ts";

export interface Events extends Pick<LineIndex, "generation" | "refresh"> {
  readonly rows: number;
  /** Rows whose level is warning or error. */
  readonly warnings: number;
  /** At most the last 1,000. */
  last(): Promise<ShownEvent[]>;
}

const maxShown = 1000;
const levels = ["info", "warning", "error"] as const;

export function openEvents(path: string): Events {
  let warnings = 0;
  const lines = openLineIndex(
    path,
    (row) => {
      if (readEvent(row).level !== "info") warnings++;
    },
    () => {
      warnings = 0;
    },
  );
  return {
    get rows() {
      return lines.rows;
    },
    get warnings() {
      return warnings;
    },
    get generation() {
      return lines.generation;
    },
    refresh: () => lines.refresh(),
    last: async () => (await lines.read(Math.max(0, lines.rows - maxShown), maxShown)).map(readEvent),
  };
}

function readEvent(row: unknown): ShownEvent {
  const { time, code, level, message, step } = (typeof row === "object" && row !== null ? row : {}) as { [key: string]: unknown };
  const name = typeof code === "string" ? code : "";
  return {
    time: typeof time === "string" ? time : null,
    code: name,
    level: levels.find((known) => known === level) ?? "info",
    message: typeof message === "string" ? message : "",
    step: typeof step === "number" ? step : null,
    explanation: explainEvent(name),
  };
}
