/**
 * The files of a run's folder: run.json, config.yaml, metrics.jsonl, samples.jsonl, events.jsonl, system.jsonl and control.
 * Their names and keys are part of spar's interface.
 */

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeError } from "../internal/errors.ts";
import { openJsonlFile } from "./jsonl-file.ts";
import { startSystemSampler } from "./system-metrics.ts";
import type { Tracker } from "./tracker.ts";

export type RunStatus = "running" | "finished" | "stopped" | "failed";

export type RunRecord = {
  schema_version: 1;
  id: string;
  method: string;
  status: RunStatus;
  pid: number;
  /** The id of the run that this one is a stage of. */
  parent: string | null;
  /** ISO 8601, UTC. */
  started: string;
  ended: string | null;
  /** spar's version. */
  spar: string;
  error: { code: string; message: string } | null;
};

export type RunDirectoryOptions = {
  method: string;
  version: string;
  /** Written as config.yaml. */
  configYaml: string;
  parent?: string;
  /** Keep the rows that are there (a resumed run) instead of starting empty files. */
  keepRows: boolean;
};

export interface RunDirectory extends Tracker {
  readonly record: Readonly<RunRecord>;
  /** Drops rows of later steps: after a crash a resumed run writes them again. */
  truncateAfter(step: number): void;
  /** What the control file asks for. `stop` and `save` are taken (the file goes); `pause` stays until somebody removes it. */
  readControl(): "stop" | "pause" | "save" | undefined;
}

/** The folder's run.json; undefined where there is none or it is not one. */
export function readRunRecord(folder: string): RunRecord | undefined {
  try {
    const record: unknown = JSON.parse(readFileSync(join(folder, "run.json"), "utf8"));
    return typeof record === "object" && record !== null && "status" in record && "id" in record ? (record as RunRecord) : undefined;
  } catch {
    return undefined;
  }
}

function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.tmp`, text, { flush: true });
  renameSync(`${path}.tmp`, path);
}

/** Makes the folder where it is missing, and starts (or goes on with) its files; the caller holds the folder's lock. */
export function openRunDirectory(folder: string, options: RunDirectoryOptions): RunDirectory {
  mkdirSync(folder, { recursive: true });
  const path = (name: string): string => join(folder, name);
  const earlier = options.keepRows ? readRunRecord(folder) : undefined;
  const record: RunRecord = {
    schema_version: 1,
    id:
      earlier?.id ?? `${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-")}-${randomBytes(3).toString("hex")}`,
    method: options.method,
    status: "running",
    pid: process.pid,
    parent: options.parent ?? earlier?.parent ?? null,
    started: earlier?.started ?? new Date().toISOString(),
    ended: null,
    spar: options.version,
    error: null,
  };
  const formatRecord = (): string => `${JSON.stringify(record, undefined, 2)}\n`;
  const writeRecord = (): void => replaceFile(path("run.json"), formatRecord());
  writeRecord();
  replaceFile(path("config.yaml"), options.configYaml);
  rmSync(path("control"), { force: true });
  const metrics = openJsonlFile(path("metrics.jsonl"), !options.keepRows);
  const samples = openJsonlFile(path("samples.jsonl"), !options.keepRows);
  const events = openJsonlFile(path("events.jsonl"), !options.keepRows);
  const system = openJsonlFile(path("system.jsonl"), !options.keepRows);
  const sampler = startSystemSampler({ append: system.append });
  let closed = false;

  const appendEvent: Tracker["event"] = (event) => {
    const { code, message, level, ...details } = event;
    events.append({ time: new Date().toISOString(), code, level: level ?? "info", message, ...details });
  };

  return {
    record,
    metrics(row) {
      metrics.append(row);
      sampler.metrics(row);
    },
    samples(rows) {
      for (const row of rows) samples.append(row);
    },
    event: appendEvent,
    progress: (progress) => sampler.progress(progress),
    truncateAfter(step) {
      const keep = (row: { [key: string]: unknown }): boolean => typeof row["step"] !== "number" || row["step"] <= step;
      metrics.filter(keep);
      samples.filter(keep);
    },
    readControl() {
      const file = path("control");
      if (!existsSync(file)) return undefined;
      let request: string;
      try {
        request = readFileSync(file, "utf8").trim();
        // A writer makes the file and then fills it: empty is not yet a request.
        if (request === "" || request === "pause") return request === "" ? undefined : "pause";
        rmSync(file, { force: true });
      } catch {
        return undefined;
      }
      if (request === "stop" || request === "save") return request;
      appendEvent({
        code: "run/control-unknown",
        level: "warning",
        message: `control: expected stop, pause or save, found ${JSON.stringify(request.slice(0, 80))}`,
      });
      return undefined;
    },
    async close(status, error) {
      if (closed) return;
      closed = true;
      sampler.stop();
      try {
        system.close();
      } catch {
        // What the run cost is worth less than how it ended.
      }
      for (const file of [metrics, samples, events]) file.close();
      record.status = status;
      record.ended = new Date().toISOString();
      record.error = error === undefined || error === null ? null : describeError(error);
      try {
        writeRecord();
      } catch (cause) {
        // A folder that takes no new files any more may still let its own be written: how the run ended is worth it.
        const code = (cause as NodeJS.ErrnoException).code;
        if (code !== "EACCES" && code !== "EPERM") throw cause;
        writeFileSync(path("run.json"), formatRecord());
      }
    },
  };
}
