import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { SparError } from "../internal/errors.ts";
import { type LabelProject, type LabelProjectOptions, openLabelProject } from "./label-project.ts";
import type { LabelMode } from "./label-settings.ts";
import { loadTasks } from "./load-tasks.ts";
import type { LabelTask } from "./task.ts";

export interface LabelFileOptions extends Omit<LabelProjectOptions, "id" | "name" | "mode" | "tasks" | "guidelines" | "queue"> {
  /** Tasks: see `parseTaskRow`. */
  readonly dataPath: string;
  /** Absent: pairs where every task has two answers, otherwise rankings. */
  readonly mode?: LabelMode;
  /** In addresses; default: from the file's name. */
  readonly id?: string;
  readonly guidelinesPath?: string;
  /** `margins` are made from the tasks, where the order asks for them. */
  readonly queue?: Omit<NonNullable<LabelProjectOptions["queue"]>, "margins">;
  readonly measureMargins?: (tasks: readonly LabelTask[]) => Promise<ArrayLike<number>>;
}

export interface OpenedLabelFile {
  readonly project: LabelProject;
  /** Rows that say word for word what an earlier row says. */
  readonly duplicates: number;
}

/** Loads tasks and opens them for labeling. Throws what `loadTasks` and `openLabelProject` throw. */
export async function openLabelFile(options: LabelFileOptions): Promise<OpenedLabelFile> {
  const { dataPath, guidelinesPath, measureMargins, ...rest } = options;
  const { tasks, duplicates } = await loadTasks(dataPath, options.mode);
  const mode = options.mode ?? (tasks.every(({ candidates }) => candidates.length === 2) ? "pair" : "ranking");
  const guidelines = guidelinesPath === undefined ? {} : { guidelines: await readGuidelines(guidelinesPath) };
  const margins = options.queue?.order === "uncertain" && measureMargins !== undefined ? { margins: await measureMargins(tasks) } : {};
  const name = basename(dataPath);
  const id = options.id ?? nameProject(name);
  const project = await openLabelProject({ ...rest, ...guidelines, queue: { ...options.queue, ...margins }, id, name, mode, tasks });
  return { project, duplicates };
}

/** A file's name as a part of an address. */
export function nameProject(name: string): string {
  const slug = name
    .replace(/\.(jsonl|ndjson|json|csv|tsv|parquet)(\.gz)?$/i, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
  return slug === "" ? "tasks" : slug.slice(0, 60);
}

async function readGuidelines(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const message = isMissing ? `reading guidelines: there is no file ${path}` : `reading guidelines: ${path}: ${(cause as Error).message}`;
    throw new SparError(isMissing ? "data/not-found" : "data/unreadable", message, { cause });
  }
}
