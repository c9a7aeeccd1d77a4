/** `report_to`: which trackers exist, and what is said of the ones that do not. */

import type { NamedTracker } from "./fan-out.ts";
import { createTensorBoardTracker } from "./tensorboard.ts";
import type { RunEvent } from "./tracker.ts";

export const availableTrackers: readonly string[] = ["tensorboard"];

export type ReportToOptions = {
  /** The run's folder; TensorBoard's files go into `runs/` in it, as Transformers puts them. */
  folder: string;
  /** The resolved recipe, shown by trackers as hyper-parameters. */
  config: { readonly [key: string]: unknown };
};

/** The trackers of that list, and an event where some are not part of this version: the run goes on without them. */
export function createTrackers(reportTo: readonly string[], options: ReportToOptions): { trackers: NamedTracker[]; events: RunEvent[] } {
  const names = [...new Set(reportTo)];
  const missing = names.filter((name) => !availableTrackers.includes(name));
  const trackers: NamedTracker[] = [];
  if (names.includes("tensorboard")) {
    trackers.push({ name: "tensorboard", tracker: createTensorBoardTracker(options) });
  }
  if (missing.length === 0) return { trackers, events: [] };
  const message = `report_to: ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not there yet (available: ${availableTrackers.join(", ")}); the run goes on without`;
  return { trackers, events: [{ code: "tracking/not-available", level: "warning", message, trackers: missing }] };
}
