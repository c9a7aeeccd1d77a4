/** Which runs there are: every folder with a run.json below the workspace's folders, stages of a run in folders of their own among them. */
import { readdir, readFile, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { lockFileName, type RunRecord } from "../../../tracking/index.ts";
import { readControl } from "./control.ts";
import { readLastValues } from "./last-values.ts";
import type { RunSummary, ShownStatus } from "./protocol.ts";

export interface CatalogRun {
  readonly id: string;
  /** Absolute. */
  readonly folder: string;
  readonly record: RunRecord;
}

export interface RunsCatalog {
  /** Looks for runs; calls within a second of each other share what was found. Newest first. */
  list(): Promise<CatalogRun[]>;
  find(id: string): Promise<CatalogRun | undefined>;
  summarize(run: CatalogRun): Promise<RunSummary>;
}

export interface CatalogOptions {
  readonly root: string;
  readonly folders: readonly string[];
  /** Milliseconds for which a search is good. */
  readonly fresh?: number;
}

/** Stages of stages of self-play lie four deep below their run. */
const maxDepth = 7;
const maxRuns = 5000;
/** Of a folder that somebody named by mistake, such as the whole disk, this many are looked at. */
const maxFolders = 20_000;
/** Folders that hold no runs and may hold many files. */
const isLeaf = (name: string): boolean => name.startsWith(".") || name === "node_modules" || /^(retired-)?checkpoint-\d+$/.test(name);

export function createRunsCatalog({ root, folders, fresh = 1000 }: CatalogOptions): RunsCatalog {
  const records = new Map<string, { readonly stamp: string; readonly record: RunRecord | undefined }>();
  /** `time`: of its end; undefined while it goes on. */
  let found: { time: number | undefined; readonly runs: Promise<CatalogRun[]> } | undefined;

  async function readRecord(folder: string): Promise<RunRecord | undefined> {
    const path = join(folder, "run.json");
    try {
      const { mtimeMs, size, ino } = await stat(path);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      const known = records.get(folder);
      if (known?.stamp === stamp) return known.record;
      const record = parseRecord(await readFile(path, "utf8"));
      records.set(folder, { stamp, record });
      return record;
    } catch {
      records.delete(folder);
      return undefined;
    }
  }

  async function search(folder: string, depth: number, seen: Map<string, RunRecord>, budget: { left: number }): Promise<void> {
    if (depth > maxDepth || seen.size >= maxRuns || budget.left-- <= 0) return;
    let entries;
    try {
      entries = await readdir(folder, { withFileTypes: true });
    } catch {
      return;
    }
    if (entries.some((entry) => entry.name === "run.json" && entry.isFile())) {
      const record = await readRecord(folder);
      if (record !== undefined) seen.set(folder, record);
    }
    // Symbolic links are not followed: what they lead to is somebody else's.
    for (const entry of entries)
      if (entry.isDirectory() && !isLeaf(entry.name)) await search(join(folder, entry.name), depth + 1, seen, budget);
  }

  async function searchAll(): Promise<CatalogRun[]> {
    const seen = new Map<string, RunRecord>();
    for (const folder of folders) await search(resolve(root, folder), 0, seen, { left: maxFolders });
    const runs: CatalogRun[] = [];
    const taken = new Set<string>();
    for (const [folder, record] of [...seen].sort(([a], [b]) => (a < b ? -1 : 1))) {
      // A folder that was copied has its run's id too.
      let id = record.id;
      for (let copy = 2; taken.has(id); copy++) id = `${record.id}~${copy}`;
      taken.add(id);
      runs.push({ id, folder, record });
    }
    return runs.sort((a, b) => (a.record.started < b.record.started ? 1 : -1));
  }

  async function list(): Promise<CatalogRun[]> {
    if (found === undefined || (found.time !== undefined && Date.now() - found.time > fresh)) {
      const search = { time: undefined as number | undefined, runs: searchAll() };
      found = search;
      try {
        await search.runs;
      } finally {
        search.time = Date.now();
      }
    }
    return found.runs;
  }

  return {
    list,
    async find(id) {
      const known = (await list()).find((run) => run.id === id);
      if (known !== undefined) return known;
      // It may have begun since.
      if (found?.time !== undefined) found = undefined;
      return (await list()).find((run) => run.id === id);
    },
    async summarize({ id, folder, record: found }) {
      const isGone = found.status === "running" && !(await isAlive(folder, found));
      // What has ended since it was found says so in run.json.
      const record = (isGone ? await readRecord(folder) : undefined) ?? found;
      const { method, parent, started, ended, spar, error } = record;
      return {
        id,
        name: relative(root, folder) || ".",
        method,
        status: record.status !== "running" ? record.status : isGone ? "killed" : await readRunning(folder),
        parent,
        started,
        ended,
        spar,
        error,
        ...(await readLastValues(folder)),
      };
    },
  };
}

function parseRecord(text: string): RunRecord | undefined {
  try {
    const record = JSON.parse(text) as Partial<RunRecord> | null;
    const isRun =
      typeof record?.id === "string" &&
      typeof record.method === "string" &&
      typeof record.status === "string" &&
      typeof record.started === "string";
    if (!isRun) return undefined;
    return { parent: null, ended: null, error: null, spar: "", pid: 0, ...record } as RunRecord;
  } catch {
    return undefined;
  }
}

async function readRunning(folder: string): Promise<ShownStatus> {
  return (await readControl(folder)) === "pause" ? "paused" : "running";
}

/** Whether the run's process lives. The lock of its folder, or of the run that it is a stage of, tells the process from a later one with the same id. */
async function isAlive(folder: string, { pid }: RunRecord): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    const owner = await readOwner(join(at, lockFileName));
    if (owner?.pid === pid) {
      // What runs on another machine cannot be known from here.
      if (owner.host !== hostname()) return true;
      const born = await readBirth(pid);
      if (owner.born !== null && born !== owner.born) return false;
      break;
    }
    if (dirname(at) === at) break;
  }
  try {
    process.kill(pid, 0);
    return pid > 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function readOwner(path: string): Promise<{ pid: number; host: string; born: string | null } | undefined> {
  try {
    const { pid, host, born } = JSON.parse(await readFile(path, "utf8")) as { [key: string]: unknown };
    if (typeof pid !== "number" || typeof host !== "string") return undefined;
    return { pid, host, born: typeof born === "string" ? born : null };
  } catch {
    return undefined;
  }
}

/** Linux's start time of a process; null elsewhere, and where it is gone. */
async function readBirth(pid: number): Promise<string | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}
