/**
 * Weights & Biases. Every run is written to a transaction log, which `wandb sync` sends; where a key is given, rows also
 * go to the server while the run lasts.
 */

import { createHash, randomInt } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { SparError } from "../internal/errors.ts";
import { createDelivery, type Delivery } from "./delivery.ts";
import { createHistogram } from "./histogram.ts";
import { renameMetrics } from "./metric-names.ts";
import { tabulateSamples } from "./sample-table.ts";
import type { RunEvent, Tracker } from "./tracker.ts";
import type { WandbSettings } from "./tracker-settings.ts";
import { readTrackerState, unsentPath, writeTrackerState } from "./tracker-state.ts";
import { openWandbLog, readWandbLog, type WandbLog } from "./wandb-log.ts";
import {
  decodeRecord,
  encodeExit,
  encodeHeader,
  encodeHistory,
  encodeMediaFile,
  encodeOutput,
  encodeRun,
  encodeStepMetrics,
  encodeSummary,
  formatExtendedJson,
  type WandbRun,
} from "./wandb-records.ts";
import { createWandbStream, type WandbItem } from "./wandb-stream.ts";

export type WandbOptions = {
  /** The run's folder. */
  folder: string;
  config: { readonly [key: string]: unknown };
  settings: WandbSettings;
  /** Shown where the settings name nothing. */
  runName?: string;
  project: string;
  /** Goes on with the run that the folder's earlier session began. */
  resume: boolean;
  report: (event: RunEvent) => void;
  /** Asked for on the run's page. */
  requestStop: () => void;
  /** spar's version. */
  version: string;
  now?: () => number;
};

const stepMetric = "train/global_step";

/** It becomes a part of paths. */
const runIdForm = /^[\w-]{1,128}$/;

type State = { runId: string; runFolder: string; started: number };

/** `20261123_070630`, by the local clock as the official client has it. */
function formatStamp(milliseconds: number): string {
  const date = new Date(milliseconds);
  const two = (number: number): string => String(number).padStart(2, "0");
  return `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}_${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}

function createRunId(): string {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  return Array.from({ length: 8 }, () => letters[randomInt(letters.length)]).join("");
}

function readState(folder: string, isOnline: boolean): State | undefined {
  const state = readTrackerState(folder, "wandb");
  // A run that was written for `wandb sync` does not go on as one that is on a server already, nor the other way round.
  if (state?.["online"] !== isOnline) return undefined;
  const { runId, runFolder, started } = state;
  if (typeof runId !== "string" || typeof runFolder !== "string" || typeof started !== "number") return undefined;
  // A folder that somebody else made must not name files outside it.
  const isOwn = runIdForm.test(runId) && /^(offline-)?run-\d{8}_\d{6}-[\w-]+$/.test(runFolder);
  return isOwn ? { runId, runFolder, started } : undefined;
}

export function createWandbTracker(options: WandbOptions): Tracker {
  const { settings, folder } = options;
  const now = options.now ?? Date.now;
  const apiKey = settings.mode === "offline" ? undefined : settings.apiKey;
  const earlier = options.resume ? readState(folder, apiKey !== undefined) : undefined;
  const started = earlier?.started ?? now();
  const runId = earlier?.runId ?? settings.runId ?? createRunId();
  if (!runIdForm.test(runId)) {
    throw new SparError("tracking/failed", `expected letters, digits, - and _ in WANDB_RUN_ID, found ${JSON.stringify(runId)}`);
  }
  const runFolder = earlier?.runFolder ?? `${apiKey === undefined ? "offline-run" : "run"}-${formatStamp(started)}-${runId}`;
  const logPath = join(settings.folder ?? folder, "wandb", runFolder, `run-${runId}.wandb`);
  const files = join(dirname(logPath), "files");
  const name = settings.name ?? options.runName;
  const run: WandbRun = {
    id: runId,
    project: settings.project ?? options.project,
    host: hostname(),
    config: options.config,
    started,
    ...(settings.entity === undefined ? {} : { entity: settings.entity }),
    ...(name === undefined ? {} : { name }),
    ...(settings.group === undefined ? {} : { group: settings.group }),
    ...(settings.jobType === undefined ? {} : { jobType: settings.jobType }),
    ...(settings.notes === undefined ? {} : { notes: settings.notes }),
    ...(settings.tags === undefined ? {} : { tags: settings.tags }),
  };

  mkdirSync(files, { recursive: true });
  mkdirSync(join(dirname(logPath), "logs"), { recursive: true });
  let closed = false;
  let step = 0;
  let outputLines = 0;
  const summary: { [key: string]: unknown } = {};
  let log = openLog(Number.POSITIVE_INFINITY);
  writeTrackerState(folder, "wandb", { runId, runFolder, started, online: apiKey !== undefined });
  const advice = `wandb sync ${apiKey === undefined ? "" : "--no-skip-online "}${dirname(logPath)}`;
  const delivery = apiKey === undefined ? undefined : createStreaming(apiKey);

  /** The log as it was, without the end of an earlier session and rows of steps after `lastStep`. */
  function openLog(lastStep: number): WandbLog {
    const before = readWandbLog(logPath);
    const kept = before.filter((bytes) => {
      const record = decodeRecord(bytes);
      if (record.kind === "history") return !(Number(record.row[stepMetric]) > lastStep);
      return record.kind === "output" || record.kind === "other";
    });
    const rows = kept.map(decodeRecord).filter((record) => record.kind === "history");
    step = rows.reduce((next, { row }) => Math.max(next, Number(row["_step"] ?? -1) + 1), 0);
    outputLines = readLines(kept)["output.log"].length;
    const head = [encodeHeader(`spar ${options.version}`), encodeRun(run)];
    // It has been sent as it was; what comes now has not.
    rmSync(`${logPath}.synced`, { force: true });
    return openWandbLog(logPath, [...head, ...(before.length === 0 ? encodeStepMetrics(stepMetric) : kept)]);
  }

  function createStreaming(key: string): Delivery<WandbItem> {
    const stream = createWandbStream({
      apiKey: key,
      baseUrl: settings.baseUrl ?? "https://api.wandb.ai",
      run,
      stepMetric,
      filesFolder: files,
      summary: () => summary,
      earlier: readLines(readWandbLog(logPath)),
      onOpen: (url) => options.report({ code: "tracking/run-page", message: `wandb: ${url}`, tracker: "wandb", url }),
      onStop() {
        const message = "wandb: somebody pressed stop on the run's page; the run stops after this step";
        options.report({ code: "tracking/stop-requested", level: "warning", message, tracker: "wandb" });
        options.requestStop();
      },
    });
    return createDelivery<WandbItem>({
      name: "wandb",
      unsentPath: unsentPath(folder, "wandb"),
      // The log has them too, and what the server lacks is taken from there.
      isStale: () => true,
      send: stream.send,
      heartbeat: stream.heartbeat,
      heartbeatEvery: 30_000,
      interval: 5000,
      report: options.report,
      advice,
    });
  }

  function record(values: { readonly [key: string]: unknown }): void {
    if (closed) return;
    const row = { _step: step, _runtime: (now() - started) / 1000, _timestamp: now() / 1000, ...values };
    log.append(encodeHistory(row, step));
    Object.assign(summary, row);
    delivery?.push({ file: "wandb-history.jsonl", offset: step, line: formatExtendedJson(row) });
    step++;
  }

  return {
    metrics(row) {
      record({ ...renameMetrics(row), [stepMetric]: row.step });
    },
    samples(rows) {
      const [first] = rows;
      if (first === undefined || closed) return;
      const table = tabulateSamples(rows);
      const content = Buffer.from(JSON.stringify({ columns: table.columns, data: table.rows }));
      const sha256 = createHash("sha256").update(content).digest("hex");
      const path = `media/table/samples_${step}_${sha256.slice(0, 20)}.table.json`;
      mkdirSync(join(files, "media", "table"), { recursive: true });
      writeFileSync(join(files, path), content);
      log.append(encodeMediaFile(path));
      delivery?.push({ media: path });
      const value = {
        _type: "table-file",
        path,
        sha256,
        size: content.length,
        ncols: table.columns.length,
        nrows: table.rows.length,
        log_mode: "IMMUTABLE",
      };
      record({ samples: value, [stepMetric]: first.step });
    },
    histograms(at, values) {
      const row: { [key: string]: unknown } = {};
      for (const [metric, numbers] of Object.entries(values)) {
        const histogram = createHistogram(numbers);
        if (histogram !== undefined) row[`histograms/${metric}`] = { _type: "histogram", values: histogram.counts, bins: histogram.edges };
      }
      if (Object.keys(row).length > 0) record({ ...row, [stepMetric]: at });
    },
    event(event) {
      // What other trackers say while they close comes too late for a log that has its end.
      if (closed) return;
      const at = event["step"];
      const isResume = event.code === "run/resumed" || event.code === "run/no-checkpoint";
      if (isResume && typeof at === "number" && delivery === undefined) {
        log.close();
        log = openLog(at);
      }
      const line = `${new Date(now()).toISOString()} ${event.level ?? "info"}: ${event.message}`;
      log.append(encodeOutput(line, now()));
      delivery?.push({ file: "output.log", offset: outputLines, line });
      outputLines++;
    },
    progress() {},
    async close(status) {
      if (closed) return;
      closed = true;
      // A run that was asked to stop has ended well.
      const code = status === "failed" ? 1 : 0;
      log.append(encodeSummary(summary));
      log.append(encodeExit(code, (now() - started) / 1000));
      log.close();
      if (delivery === undefined) {
        const message = `wandb: ${basename(dirname(logPath))} is written; to send it: ${advice}`;
        options.report({ code: "tracking/offline", message, tracker: "wandb", path: dirname(logPath) });
        return;
      }
      delivery.push({ exit: code });
      await delivery.close();
    },
  };
}

/** The streamed files' lines as the log's records have them. */
function readLines(records: readonly Buffer[]): { "wandb-history.jsonl": string[]; "output.log": string[] } {
  const history: string[] = [];
  const output: string[] = [];
  for (const bytes of records) {
    const record = decodeRecord(bytes);
    if (record.kind === "output") output.push(record.line);
    if (record.kind !== "history") continue;
    history.push(
      `{${Object.entries(record.row)
        .map(([key, json]) => `${JSON.stringify(key)}:${json}`)
        .join(",")}}`,
    );
  }
  return { "wandb-history.jsonl": history, "output.log": output };
}
