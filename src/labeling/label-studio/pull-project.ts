/** A project's labels into files, and what stands in the project. */

import { readFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { SparError } from "../../internal/errors.ts";
import { nameLabelsFile } from "../label-project.ts";
import { loadPullState, savePullState, writeWhole } from "./pull-state.ts";
import { pullTasks, type PullOutcome } from "./pull-tasks.ts";
import type { StudioClient } from "./studio-client.ts";
import { findStudioMode, readRatingMax, readSideNames } from "./studio-config.ts";
import { readStudioLabels, type StudioLabels, type StudioLabelsOptions } from "./studio-labels.ts";
import { openStudioProject, readObject, type StudioProject } from "./studio-project.ts";

export interface LabelFiles {
  readonly pairs: string;
  readonly labels: string;
  readonly state: string;
}

/** `pairs.jsonl`, beside it `labels.jsonl` (see `nameLabelsFile`), and `pairs.label-studio` for the next pull. */
export function nameLabelFiles(out: string, labels?: string): LabelFiles {
  const stem = basename(out, extname(out));
  return { pairs: out, labels: labels ?? nameLabelsFile(out), state: join(dirname(out), `${stem}.label-studio`) };
}

export interface PullProjectOptions extends Pick<StudioLabelsOptions, "rows" | "rankedPairs" | "separator"> {
  readonly project: string;
  readonly files: LabelFiles;
  /** Reads everything again. */
  readonly full?: boolean | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface PulledProject extends StudioLabels, Pick<PullOutcome, "read" | "gone"> {
  readonly project: StudioProject;
}

/**
 * Pulls what has changed and writes the files anew, whole: annotations that were changed or deleted in Label Studio are so in the files.
 * @throws SparError `label-studio/…`; `label-studio/other-labels` where the file of labels holds others than this project's
 */
export async function pullProject(
  client: StudioClient,
  { project: name, files, full = false, onProgress, ...pairing }: PullProjectOptions,
): Promise<PulledProject> {
  const project = await openStudioProject(client, name);
  await checkLabelsFile(files.labels);
  const earlier = await loadPullState(files.state, { url: client.url, project: project.id });
  const { state, read, gone } = await pullTasks(client, project, { earlier: full ? undefined : earlier, onProgress });
  const tasks = [...state.tasks.values()].map(({ task }) => task);
  const labels = readStudioLabels(tasks, { ...pairing, sides: readSideNames(project.config), ratingMax: readRatingMax(project.config) });
  // The state comes last: where writing ends in between, the next pull does it again.
  await writeWhole(files.labels, labels.labels);
  await writeWhole(files.pairs, labels.pairs);
  await savePullState(files.state, state);
  return { ...labels, project, read, gone };
}

/** Labels that people gave elsewhere are never written over. Throws `label-studio/other-labels`. */
export async function checkLabelsFile(path: string): Promise<void> {
  const text = await readFile(path, "utf8").catch(() => "");
  const isOurs = text.split("\n").every((line) => line === "" || line.includes('"label_studio":'));
  if (isOurs) return;
  throw new SparError("label-studio/other-labels", `${path} holds labels that do not come from Label Studio: it is left as it is`, {
    hint: "Give the labels another file: --labels FILE, or write to another folder: --out FOLDER/pairs.jsonl.",
  });
}

export interface StudioStatus {
  readonly version: string;
  readonly id: number;
  readonly title: string;
  /** Null: configured for something else than comparing answers. */
  readonly mode: string | null;
  readonly tasks: number;
  /** Tasks with an annotation. */
  readonly annotated: number;
  readonly annotations: number;
  readonly skipped: number;
}

export async function readStudioStatus(client: StudioClient, name: string): Promise<StudioStatus> {
  const project = await openStudioProject(client, name);
  const purpose = `reading the project ${JSON.stringify(project.title)}`;
  const detail = readObject(await client.request(`/api/projects/${project.id}/`, { purpose }), purpose);
  const { release } = readObject(await client.request("/api/version/", { purpose: "asking for the version" }), "asking for the version");
  const count = (key: string): number => Number(detail[key] ?? 0);
  return {
    version: typeof release === "string" ? release : "unknown",
    id: project.id,
    title: project.title,
    mode: findStudioMode(project.config) ?? null,
    tasks: count("task_number"),
    annotated: count("num_tasks_with_annotations"),
    annotations: count("total_annotations_number"),
    skipped: count("skipped_annotations_number"),
  };
}
