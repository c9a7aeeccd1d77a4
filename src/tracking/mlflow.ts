/** MLflow's tracking server through its REST API (2.0): metrics in batches, the recipe as parameters, samples as tables. */

import { createDelivery } from "./delivery.ts";
import { createMlflowClient, type MlflowItem } from "./mlflow-client.ts";
import { tabulateSamples } from "./sample-table.ts";
import type { RunEvent, Tracker } from "./tracker.ts";
import type { MlflowSettings } from "./tracker-settings.ts";
import { readTrackerState, unsentPath, writeTrackerState } from "./tracker-state.ts";

export type MlflowOptions = {
  /** The run's folder. */
  folder: string;
  config: { readonly [key: string]: unknown };
  settings: MlflowSettings;
  runName?: string;
  project: string;
  resume: boolean;
  report: (event: RunEvent) => void;
  /** spar's version. */
  version: string;
  now?: () => number;
};

/** Where `mlflow server` listens unless told otherwise. */
export const defaultMlflowUri = "http://127.0.0.1:5000";

const mlflowStatus = { finished: "FINISHED", stopped: "KILLED", failed: "FAILED" } as const;

/** Keys may hold letters, digits and `_ - . : /` and spaces, 250 characters of them. */
function cleanKey(name: string): string {
  return name.replaceAll(/[^\w\-. :/]/g, "_").slice(0, 250);
}

function formatParameter(value: unknown): string {
  const text = value === null ? "None" : typeof value === "string" ? value : JSON.stringify(value);
  return text.slice(0, 6000);
}

export function createMlflowTracker(options: MlflowOptions): Tracker {
  const { folder, settings } = options;
  const now = options.now ?? Date.now;
  const uri = settings.trackingUri ?? defaultMlflowUri;
  const state = options.resume ? readTrackerState(folder, "mlflow") : undefined;
  const earlierId = state?.["uri"] === uri && typeof state["runId"] === "string" ? state["runId"] : settings.runId;
  const client = createMlflowClient({
    uri,
    settings,
    experiment: settings.experiment ?? options.project,
    startTime: now(),
    ...(options.runName === undefined ? {} : { runName: options.runName }),
    ...(earlierId === undefined ? {} : { runId: earlierId }),
    onOpen({ runId, experimentId }) {
      writeTrackerState(folder, "mlflow", { uri, runId, experimentId });
      const url = `${uri.replace(/\/+$/, "")}/#/experiments/${experimentId}/runs/${runId}`;
      options.report({ code: "tracking/run-page", message: `mlflow: ${url}`, tracker: "mlflow", url });
    },
  });
  const delivery = createDelivery<MlflowItem>({
    name: "mlflow",
    unsentPath: unsentPath(folder, "mlflow"),
    // The end of an earlier session is not that of this one, and where no run was made parameters come anew.
    isStale: (item) => "end" in item || ("param" in item && earlierId === undefined),
    send: client.send,
    batchSize: 1000,
    report: options.report,
  });

  if (earlierId === undefined) {
    for (const [name, value] of Object.entries(options.config)) {
      delivery.push({ param: { key: cleanKey(name), value: formatParameter(value) } });
    }
  }
  const tags = { "mlflow.source.name": "spar", "mlflow.source.type": "LOCAL", "spar.version": options.version, ...settings.tags };
  for (const [key, value] of Object.entries(tags)) delivery.push({ tag: { key, value } });

  return {
    metrics(row) {
      const timestamp = now();
      const metrics = Object.entries(row)
        .filter(([name, value]) => name !== "step" && typeof value === "number")
        .map(([name, value]) => ({
          key: cleanKey(name),
          value: Number.isFinite(value) ? value : Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity",
          timestamp,
          step: row.step,
        }));
      if (metrics.length > 0) delivery.push({ metrics });
    },
    samples(rows) {
      const [first] = rows;
      if (first === undefined) return;
      const table = tabulateSamples(rows);
      delivery.push({
        table: { name: `samples/step-${String(first.step).padStart(8, "0")}.json`, columns: table.columns, data: table.rows },
      });
    },
    event(event) {
      if (event.level === "error") delivery.push({ tag: { key: "spar.error", value: event.message.slice(0, 5000) } });
    },
    progress() {},
    async close(status) {
      delivery.push({ end: { status: mlflowStatus[status], time: now() } });
      await delivery.close();
    },
  };
}
