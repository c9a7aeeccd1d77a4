/** Rows of a run on their way into MLflow's REST API, within its limits. */

import { DeliveryError, requestJson, sendRequest } from "./http-request.ts";
import type { Cell } from "./sample-table.ts";
import type { MlflowSettings } from "./tracker-settings.ts";

export type MlflowMetric = { key: string; value: number | string; timestamp: number; step: number };
type Entry = { key: string; value: string };

export type MlflowItem =
  | { metrics: MlflowMetric[] }
  | { param: Entry }
  | { tag: Entry }
  | { table: { name: string; columns: string[]; data: Cell[][] } }
  | { end: { status: "FINISHED" | "KILLED" | "FAILED"; time: number } };

export type MlflowClientOptions = {
  uri: string;
  settings: MlflowSettings;
  experiment: string;
  runName?: string;
  /** Milliseconds since 1970. */
  startTime: number;
  /** Goes on with this run. */
  runId?: string;
  onOpen: (run: { runId: string; experimentId: string }) => void;
};

export interface MlflowClient {
  send(items: readonly MlflowItem[], signal: AbortSignal): Promise<void>;
}

/** The API's: https://mlflow.org/docs/latest/rest-api.html#log-batch */
const limits = { metrics: 1000, params: 100, tags: 100 };

type Json = { [key: string]: unknown };
type OpenRun = { runId: string; experimentId: string; artifacts: string | undefined };

const asObject = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});

function readRun(answer: unknown): OpenRun {
  const info = asObject(asObject(asObject(answer)["run"])["info"]);
  const runId = info["run_id"] ?? info["run_uuid"];
  if (typeof runId !== "string") throw new DeliveryError("transient", "runs/create: the answer names no run; is this an MLflow server?");
  // Only what the server itself stores can be put through it; buckets want their own keys.
  const uri = String(info["artifact_uri"] ?? "");
  const [, artifacts] = /^mlflow-artifacts:\/(?:\/[^/]*\/)?(.*)$/.exec(uri) ?? [];
  return { runId, experimentId: String(info["experiment_id"] ?? ""), artifacts };
}

export function createMlflowClient(options: MlflowClientOptions): MlflowClient {
  const { settings } = options;
  const base = `${options.uri.replace(/\/+$/, "")}/api/2.0`;
  const headers: { [name: string]: string } = {};
  if (settings.username !== undefined) {
    headers["authorization"] = `Basic ${Buffer.from(`${settings.username}:${settings.password ?? ""}`).toString("base64")}`;
  } else if (settings.token !== undefined) headers["authorization"] = `Bearer ${settings.token}`;
  let run: OpenRun | undefined;
  const tables: string[] = [];

  const call = (method: "GET" | "POST", path: string, json: Json | undefined, signal: AbortSignal): Promise<unknown> =>
    requestJson({ method, url: `${base}/mlflow/${path}`, headers, signal, ...(json === undefined ? {} : { json }) });

  async function findExperiment(signal: AbortSignal): Promise<string> {
    const path = `experiments/get-by-name?experiment_name=${encodeURIComponent(options.experiment)}`;
    try {
      return String(asObject(asObject(await call("GET", path, undefined, signal))["experiment"])["experiment_id"]);
    } catch (error) {
      if (!(error instanceof DeliveryError) || !error.message.includes("RESOURCE_DOES_NOT_EXIST")) throw error;
    }
    try {
      return String(asObject(await call("POST", "experiments/create", { name: options.experiment }, signal))["experiment_id"]);
    } catch (error) {
      // Another run was faster: it is there at the next attempt.
      if (error instanceof DeliveryError && error.message.includes("RESOURCE_ALREADY_EXISTS")) {
        throw new DeliveryError("transient", error.message, { cause: error });
      }
      throw error;
    }
  }

  async function open(signal: AbortSignal): Promise<OpenRun> {
    try {
      if (options.runId !== undefined) {
        await call("POST", "runs/update", { run_id: options.runId, status: "RUNNING" }, signal);
        return readRun(await call("GET", `runs/get?run_id=${encodeURIComponent(options.runId)}`, undefined, signal));
      }
      return readRun(
        await call(
          "POST",
          "runs/create",
          {
            experiment_id: await findExperiment(signal),
            start_time: options.startTime,
            ...(options.runName === undefined ? {} : { run_name: options.runName }),
          },
          signal,
        ),
      );
    } catch (error) {
      // No row is to blame, and none is to be left out, where there is no run.
      if (error instanceof DeliveryError && error.failure === "refused") throw new DeliveryError("denied", error.message, { cause: error });
      throw error;
    }
  }

  async function logBatch(runId: string, items: readonly MlflowItem[], signal: AbortSignal): Promise<void> {
    const metrics = items.flatMap((item) => ("metrics" in item ? item.metrics : []));
    const params = items.flatMap((item) => ("param" in item ? [item.param] : []));
    const tags = items.flatMap((item) => ("tag" in item ? [item.tag] : []));
    while (metrics.length + params.length + tags.length > 0) {
      const few = { params: params.splice(0, limits.params), tags: tags.splice(0, limits.tags) };
      const room = limits.metrics - few.params.length - few.tags.length;
      await call("POST", "runs/log-batch", { run_id: runId, metrics: metrics.splice(0, room), ...few }, signal);
    }
  }

  /** As `mlflow.log_table` does: a file of columns and rows, and a tag that says where tables are. */
  async function putTable(open: OpenRun, table: { name: string; columns: string[]; data: Cell[][] }, signal: AbortSignal): Promise<void> {
    if (open.artifacts === undefined) return;
    await sendRequest({
      method: "PUT",
      url: `${base}/mlflow-artifacts/artifacts/${open.artifacts}/${table.name}`,
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ columns: table.columns, data: table.data }),
      signal,
    });
    tables.push(table.name);
    // A tag's value has 8000 characters.
    const value = JSON.stringify(tables.slice(-100).map((path) => ({ path, type: "table" })));
    await call("POST", "runs/set-tag", { run_id: open.runId, key: "mlflow.loggedArtifacts", value }, signal);
  }

  return {
    async send(items, signal) {
      if (run === undefined) {
        run = await open(signal);
        options.onOpen({ runId: run.runId, experimentId: run.experimentId });
      }
      await logBatch(run.runId, items, signal);
      for (const item of items) if ("table" in item) await putTable(run, item.table, signal);
      const last = items.at(-1);
      if (last !== undefined && "end" in last) {
        await call("POST", "runs/update", { run_id: run.runId, status: last.end.status, end_time: last.end.time }, signal);
      }
    },
  };
}
