/** The rules of `output_dir`: never write into a folder that holds something, unless asked to go on or to start over. */

import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { SparError } from "../internal/errors.ts";
import { lockFileName } from "../tracking/index.ts";

const ownFiles = new Set([
  "run.json",
  "config.yaml",
  "metrics.jsonl",
  "samples.jsonl",
  "events.jsonl",
  "system.jsonl",
  "control",
  "label-studio",
  "trackers",
]);

/** Of trackers whose files have folders of their own in the run's. */
const trackerFolders = new Set(["runs", "wandb", "trackio"]);

function describeFailure(folder: string, cause: unknown): SparError {
  const code = (cause as NodeJS.ErrnoException).code;
  const reason =
    code === "EEXIST" || code === "ENOTDIR"
      ? "a file is in the way"
      : code === "EROFS"
        ? "the file system is read-only"
        : (cause as Error).message;
  return new SparError("run/folder-not-writable", `cannot make output_dir ${folder}: ${reason}`, {
    hint: "Choose another output_dir.",
    cause,
  });
}

/** Makes the folder and its parents. */
export function makeOutputDirectory(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    if (!statSync(folder).isDirectory()) throw Object.assign(new Error("not a folder"), { code: "ENOTDIR" });
  } catch (cause) {
    throw describeFailure(folder, cause);
  }
}

/** Whether all that is in the folder are the papers of a start that came to nothing: no row of metrics, checkpoint or model. */
function isFailedStart(folder: string, names: readonly string[]): boolean {
  if (!names.includes("run.json") || names.some((name) => !ownFiles.has(name) && !trackerFolders.has(name))) return false;
  return ["metrics.jsonl", "samples.jsonl"].every((name) => !names.includes(name) || statSync(join(folder, name)).size === 0);
}

/**
 * Changes nothing.
 * @throws SparError `run/folder-not-empty` where a run may not begin in this folder; one that is not there is free.
 */
export function checkOutputDirectory(folder: string, options: { resume: boolean; overwrite: boolean }): void {
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (stats === undefined || options.resume || options.overwrite) return;
  if (!stats.isDirectory()) throw describeFailure(folder, Object.assign(new Error("not a folder"), { code: "ENOTDIR" }));
  const names = listEntries(folder);
  if (names.length === 0 || isFailedStart(folder, names)) return;
  const found = names.includes("run.json")
    ? "the files of an earlier run"
    : `${names.length} file${names.length === 1 ? "" : "s"} (${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""})`;
  throw new SparError("run/folder-not-empty", `output_dir ${folder} is not empty: expected a new or empty folder, found ${found}`, {
    hint: `--resume goes on with the run, --overwrite_output_dir starts over, or choose another --output_dir.`,
  });
}

const listEntries = (folder: string): string[] => readdirSync(folder).filter((name) => !name.startsWith(lockFileName));

/**
 * Checks what is in the folder, and with `overwrite` removes what an earlier run left: its logs, checkpoints,
 * TensorBoard's and W&B's files. Anything else stays; a model of the same name is replaced when the run ends. What a run left that
 * ended before it had anything to show (a wrong path, say) is in nobody's way.
 * @throws SparError `run/folder-not-empty`.
 */
export function claimOutputDirectory(folder: string, options: { resume: boolean; overwrite: boolean }): void {
  checkOutputDirectory(folder, options);
  const names = listEntries(folder);
  if (names.length === 0 || options.resume) return;
  for (const name of names) {
    if (ownFiles.has(name) || /^(retired-)?checkpoint-\d+$/.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
  const wandb = join(folder, "wandb");
  if (names.includes("wandb") && statSync(wandb).isDirectory()) {
    for (const name of readdirSync(wandb)) {
      if (/^(offline-)?run-\d{8}_\d{6}-/.test(name)) rmSync(join(wandb, name), { recursive: true, force: true });
    }
  }
  if (!names.includes("runs")) return;
  const runs = join(folder, "runs");
  if (!statSync(runs).isDirectory()) return;
  for (const name of readdirSync(runs)) {
    if (name.startsWith("events.out.tfevents.")) rmSync(join(runs, name), { force: true });
  }
}

/** The last row of the folder's metrics: for a run that is already finished. */
export function readLastMetrics(folder: string): { [name: string]: number } {
  try {
    const last = readFileSync(join(folder, "metrics.jsonl"), "utf8").trimEnd().split("\n").at(-1);
    return last === undefined || last === "" ? {} : (JSON.parse(last) as { [name: string]: number });
  } catch {
    return {};
  }
}
