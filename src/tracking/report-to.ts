/** `report_to`: which trackers exist, and what is said of the ones that do not. */

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SparError } from "../internal/errors.ts";
import type { NamedTracker } from "./fan-out.ts";
import { createMlflowTracker, defaultMlflowUri } from "./mlflow.ts";
import { createTensorBoardTracker } from "./tensorboard.ts";
import type { RunEvent, Tracker } from "./tracker.ts";
import type { TrackerSettings } from "./tracker-settings.ts";
import { unsentPath } from "./tracker-state.ts";
import { createTrackioTracker } from "./trackio.ts";
import { createWandbTracker } from "./wandb.ts";

export const availableTrackers: readonly string[] = ["tensorboard", "wandb", "trackio", "mlflow"];

/** Transformers' default of `project`: where it stands, the trackers' own variables decide. */
const defaultProject = "huggingface";

export type ReportToOptions = {
  /** The run's folder; TensorBoard's files go into `runs/` in it, as Transformers puts them, W&B's into `wandb/`. */
  folder: string;
  /** The resolved recipe, shown by trackers as hyper-parameters. */
  config: { readonly [key: string]: unknown };
  /** spar's version. */
  version: string;
  settings?: TrackerSettings;
  /** Goes on with the runs that an earlier session in this folder began. */
  resume?: boolean;
  /** What trackers have to say later on, while the run lasts. */
  report?: (event: RunEvent) => void;
};

/** The trackers of that list, and an event where some are not part of this version, or cannot begin: the run goes on without them. */
export function createTrackers(reportTo: readonly string[], options: ReportToOptions): { trackers: NamedTracker[]; events: RunEvent[] } {
  const names = [...new Set(reportTo)];
  const missing = names.filter((name) => !availableTrackers.includes(name));
  const trackers: NamedTracker[] = [];
  const events: RunEvent[] = [];
  for (const name of names) {
    if (missing.includes(name)) continue;
    try {
      const tracker = createTracker(name, options);
      if (tracker !== undefined) trackers.push({ name, tracker });
    } catch (error) {
      const message = `tracker ${name} cannot begin; the run goes on without: ${(error as Error).message}`;
      events.push({ code: "tracking/failed", level: "warning", message, tracker: name });
    }
  }
  if (missing.length > 0) {
    const message = `report_to: ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not there (available: ${availableTrackers.join(", ")}); the run goes on without`;
    events.push({ code: "tracking/not-available", level: "warning", message, trackers: missing });
  }
  return { trackers, events };
}

/** Those whose server an earlier session of the run could not reach to the end. */
export function listTrackersWithUnsentRows(reportTo: readonly string[], folder: string): string[] {
  return reportTo.filter((name) => availableTrackers.includes(name) && existsSync(unsentPath(folder, name)));
}

function createTracker(name: string, options: ReportToOptions): Tracker | undefined {
  const { folder, config, version, settings = {} } = options;
  const readText = (key: string): string | undefined =>
    typeof config[key] === "string" && config[key] !== "" ? (config[key] as string) : undefined;
  const project = readText("project") ?? defaultProject;
  const runName = readText("run_name");
  const isNamed = project !== defaultProject;
  const common = {
    folder,
    config,
    version,
    project,
    resume: options.resume ?? false,
    report: options.report ?? (() => {}),
    ...(runName === undefined ? {} : { runName }),
  };
  // What the recipe says in so many words wins over the environment.
  const own = isNamed ? { project } : {};
  const space = readText("trackio_space_id");
  switch (name) {
    case "tensorboard": {
      const logFolder = readText("logging_dir") ?? settings.tensorboard?.folder;
      return createTensorBoardTracker({ folder, config, ...(logFolder === undefined ? {} : { logFolder }) });
    }
    case "wandb": {
      const chosen = settings.wandb ?? {};
      if (chosen.mode === "disabled") return undefined;
      return createWandbTracker({
        ...common,
        settings: { ...chosen, ...own, ...(runName === undefined ? {} : { name: runName }) },
        requestStop: () => writeFileSync(join(folder, "control"), "stop\n"),
      });
    }
    case "trackio":
      return createTrackioTracker({
        ...common,
        settings: { ...settings.trackio, ...own, ...(space === undefined ? {} : { spaceId: space }) },
      });
    default: {
      const { trackingUri = defaultMlflowUri } = settings.mlflow ?? {};
      if (!/^https?:\/\//.test(trackingUri)) {
        throw new SparError(
          "tracking/failed",
          `expected the address of a server in MLFLOW_TRACKING_URI, found ${trackingUri}; start one: mlflow server --backend-store-uri ${trackingUri}, and set MLFLOW_TRACKING_URI=${defaultMlflowUri}`,
        );
      }
      return createMlflowTracker({
        ...common,
        // MLflow's own experiment for runs that name none.
        project: isNamed ? project : "Default",
        settings: { ...settings.mlflow, ...(isNamed ? { experiment: project } : {}) },
      });
    }
  }
}
