/**
 * Trackio, without Python: rows are laid into the inbox of its folder, from which its dashboard takes them (JSONL
 * fragments, trackio 0.43 fragments.py), or sent to a server of it that runs.
 */

import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createDelivery } from "./delivery.ts";
import { createHistogram } from "./histogram.ts";
import { DeliveryError, requestJson } from "./http-request.ts";
import { renameMetrics } from "./metric-names.ts";
import { tabulateSamples } from "./sample-table.ts";
import type { RunEvent, Tracker } from "./tracker.ts";
import type { TrackioSettings } from "./tracker-settings.ts";
import { readTrackerState, unsentPath, writeTrackerState } from "./tracker-state.ts";

export type TrackioOptions = {
  /** The run's folder. */
  folder: string;
  config: { readonly [key: string]: unknown };
  settings: TrackioSettings;
  runName?: string;
  project: string;
  resume: boolean;
  report: (event: RunEvent) => void;
  now?: () => number;
};

type Values = { readonly [key: string]: unknown };
type Common = { project: string; run: string; run_id: string; step: number; timestamp: string };
type MetricRecord = Common & { v: 1; kind: "metric"; metrics: Values; config: Values | null; log_id: string };
type AlertRecord = Common & { v: 1; kind: "alert"; title: string; text: string | null; level: "INFO" | "WARN" | "ERROR"; alert_id: string };
type TrackioRecord = MetricRecord | AlertRecord;

/** JSON has no such numbers; Trackio reads these texts as them. */
function makePlain(value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  if (Array.isArray(value)) return value.map(makePlain);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, makePlain(item)]));
  return value;
}

/** `owner/name` of the hub as the address of its Space. */
function addressOfSpace(spaceId: string): string {
  const [owner = "", name = ""] = spaceId.split("/", 2);
  return `https://${`${owner}-${name}`.toLowerCase().replaceAll(/[_.]/g, "-")}.hf.space/`;
}

type Server = { url: string; writeToken?: string };

/** The address may carry the write token, as `trackio show` prints it. */
function parseServerUrl(text: string): Server {
  const url = new URL(text);
  const writeToken = url.searchParams.get("write_token");
  url.search = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return { url: url.href, ...(writeToken === null ? {} : { writeToken }) };
}

/** Sends to a server; its answers to a wrong token are errors inside a 200 or 4xx. */
function createServerSender(server: Server, settings: TrackioSettings) {
  const writeToken = settings.writeToken ?? server.writeToken;
  const isSpace = new URL(server.url).hostname.endsWith(".hf.space");
  // The hub's token is for the hub's Spaces; no other server gets to see it.
  const hubToken = isSpace ? settings.hubToken : undefined;
  const headers: { [name: string]: string } = {
    ...(writeToken === undefined ? {} : { "x-trackio-write-token": writeToken }),
    ...(hubToken === undefined ? {} : { authorization: `Bearer ${hubToken}` }),
  };
  const call = async (api: string, kwargs: Values, signal: AbortSignal): Promise<void> => {
    const url = new URL(`api/${api}`, server.url).href;
    const answer = await requestJson({ method: "POST", url, headers, json: { args: [], kwargs }, signal, timeout: 60_000 }).catch(
      (error: unknown) => {
        if (error instanceof DeliveryError && error.failure === "refused" && /token|write access|sign in/i.test(error.message)) {
          throw new DeliveryError("denied", error.message, { cause: error });
        }
        throw error;
      },
    );
    const said = (answer as { error?: unknown }).error;
    if (said !== undefined && said !== null) {
      const failure = /token|write access/i.test(String(said)) ? "denied" : "refused";
      throw new DeliveryError(failure, `POST ${url}: ${String(said).slice(0, 300)}`);
    }
  };
  return async (records: readonly TrackioRecord[], signal: AbortSignal): Promise<void> => {
    const logs = records.filter((record) => record.kind === "metric").map(({ v: _v, kind: _kind, ...entry }) => entry);
    const alerts = records.filter((record) => record.kind === "alert").map(({ v: _v, kind: _kind, ...entry }) => entry);
    if (logs.length > 0) await call("bulk_log", { logs, hf_token: hubToken ?? null }, signal);
    if (alerts.length > 0) await call("bulk_alert", { alerts, hf_token: hubToken ?? null }, signal);
  };
}

/** Lays fragments into the inbox: whole files that appear at once, which their reader deletes. */
function createInboxSender(folder: string) {
  const inbox = join(folder, "inbox", randomBytes(8).toString("hex"));
  let sequence = 0;
  return async (records: readonly TrackioRecord[]): Promise<void> => {
    // The reader removes a folder that it has emptied.
    await mkdir(inbox, { recursive: true });
    const name = String(sequence++).padStart(8, "0");
    const aside = join(inbox, `${name}.tmp`);
    await writeFile(aside, records.map((record) => `${JSON.stringify(record)}\n`).join(""), { flush: true });
    await rename(aside, join(inbox, `${name}.jsonl`));
  };
}

export function createTrackioTracker(options: TrackioOptions): Tracker {
  const { settings, folder } = options;
  const now = options.now ?? Date.now;
  const state = options.resume ? readTrackerState(folder, "trackio") : undefined;
  const known = (key: string): string | undefined => (typeof state?.[key] === "string" ? (state[key] as string) : undefined);
  const project = known("project") ?? settings.project ?? options.project;
  const runId = known("runId") ?? randomUUID().replaceAll("-", "");
  const run = known("run") ?? options.runName ?? `${String(options.config["method"] ?? "spar")}-${runId.slice(0, 6)}`;
  writeTrackerState(folder, "trackio", { project, run, runId });

  const server =
    settings.spaceId !== undefined
      ? { url: addressOfSpace(settings.spaceId) }
      : settings.serverUrl !== undefined
        ? parseServerUrl(settings.serverUrl)
        : undefined;
  const send = server !== undefined ? createServerSender(server, settings) : createInboxSender(settings.folder ?? join(folder, "trackio"));
  const delivery = createDelivery<TrackioRecord>({
    name: "trackio",
    unsentPath: unsentPath(folder, "trackio"),
    send,
    interval: server === undefined ? 5000 : 2000,
    report: options.report,
  });

  let step = 0;
  // Config comes with the first row; Trackio's own keys say when the run began.
  let config: Values | null = makePlain({
    ...options.config,
    _Username: null,
    _Created: new Date(now()).toISOString(),
    _Group: null,
  }) as Values;

  const common = (at: number): Common => ({ project, run, run_id: runId, step: at, timestamp: new Date(now()).toISOString() });

  function record(at: number, metrics: Values): void {
    step = at;
    delivery.push({
      v: 1,
      kind: "metric",
      ...common(at),
      metrics: makePlain(metrics) as Values,
      config,
      log_id: randomUUID().replaceAll("-", ""),
    });
    config = null;
  }

  return {
    metrics(row) {
      record(row.step, { ...renameMetrics(row), "train/global_step": row.step });
    },
    samples(rows) {
      const [first] = rows;
      if (first === undefined) return;
      const { columns, rows: cells } = tabulateSamples(rows);
      const value = cells.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]])));
      record(first.step, { samples: { _type: "trackio.table", _value: value } });
    },
    histograms(at, values) {
      const metrics: { [name: string]: unknown } = {};
      for (const [name, numbers] of Object.entries(values)) {
        const histogram = createHistogram(numbers);
        if (histogram !== undefined)
          metrics[`histograms/${name}`] = { _type: "trackio.histogram", bins: histogram.edges, values: histogram.counts };
      }
      if (Object.keys(metrics).length > 0) record(at, metrics);
    },
    event(event) {
      if (event.level !== "warning" && event.level !== "error") return;
      delivery.push({
        v: 1,
        kind: "alert",
        ...common(step),
        title: event.code,
        text: event.message,
        level: event.level === "error" ? "ERROR" : "WARN",
        alert_id: randomUUID().replaceAll("-", ""),
      });
    },
    progress() {},
    async close() {
      await delivery.close();
    },
  };
}
