/** Tasks into a project, each once, whatever happens on the way. */

import { setTimeout as sleep } from "node:timers/promises";
import { SparError } from "../../internal/errors.ts";
import type { LabelMode } from "../label-settings.ts";
import { LostRequest, type StudioClient } from "./studio-client.ts";
import { findStudioMode, listShownKeys, renderStudioConfig } from "./studio-config.ts";
import { createStudioProject, findStudioProject, listStudioTasks, readObject, type StudioProject } from "./studio-project.ts";
import type { StudioImportTask } from "./studio-tasks.ts";

export interface PushOptions {
  /** Title of a project, which is made where there is none, or the number of one. */
  readonly project: string;
  readonly mode: LabelMode;
  readonly tasks: readonly StudioImportTask[];
  /** Of a project that is made: people asked about each task; default 1. */
  readonly annotatorsPerTask?: number | undefined;
  readonly ratingMax?: number | undefined;
  /** Tasks a request; default 100. */
  readonly batchSize?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Milliseconds to wait after a request got lost, before looking what became of it; default 2000. */
  readonly settle?: number | undefined;
}

export interface PushOutcome {
  readonly project: StudioProject;
  readonly isNewProject: boolean;
  readonly added: number;
  /** Tasks that were there before. */
  readonly present: number;
  /** Copies that came of a lost answer and were taken out again. */
  readonly removed: number;
}

/** Requests stay below this, whatever the number of their tasks. */
const mostBytes = 4 * 2 ** 20;

/**
 * Makes the project where it is not there, and uploads what it lacks, found by `pair_id`: pushing again adds nothing, and pushing a
 * longer file adds what is new. After an answer that got lost it looks what has arrived; copies without annotations that this push made
 * are taken out again.
 * @throws SparError `label-studio/…`
 */
export async function pushTasks(client: StudioClient, options: PushOptions): Promise<PushOutcome> {
  const { tasks, batchSize = 100, onProgress, settle = 2000 } = options;
  const { project, isNew } = await prepareProject(client, options);
  const before = await listPairIds(client, project);
  const known = new Set(before.values());
  const wanted = new Map(tasks.map((task) => [task.data.pair_id, task]));
  const present = [...wanted.keys()].filter((id) => known.has(id)).length;
  let missing = [...wanted.values()].filter((task) => !known.has(task.data.pair_id));
  const all = missing.length;
  let hasLost = false;
  let after = before;
  for (let round = 0; missing.length > 0; round++) {
    let done = all - missing.length;
    for (const batch of splitBatches(missing, batchSize)) {
      onProgress?.(done, all);
      try {
        await importBatch(client, project, batch);
        done += batch.length;
      } catch (error) {
        if (!(error instanceof LostRequest) || round >= 9) throw error;
        hasLost = true;
        // The server may still be at it: what it does is done as a whole or not at all.
        await sleep(settle);
        break;
      }
    }
    after = await listPairIds(client, project);
    const there = new Set(after.values());
    missing = missing.filter((task) => !there.has(task.data.pair_id));
    if (missing.length > 0 && !hasLost)
      throw new SparError(
        "label-studio/refused",
        `uploading tasks: Label Studio took them, and ${missing.length} of ${all} are not there`,
        {
          hint: "Does somebody delete tasks at the same time? Push again: what is there stays.",
        },
      );
  }
  onProgress?.(all, all);
  let removed = 0;
  if (hasLost) {
    await sleep(settle);
    removed = await removeCopies(client, project, new Set(before.keys()));
  }
  return { project, isNewProject: isNew, added: all, present, removed };
}

async function prepareProject(client: StudioClient, options: PushOptions): Promise<{ project: StudioProject; isNew: boolean }> {
  const { project: name, mode, tasks, annotatorsPerTask = 1, ratingMax } = options;
  const config = renderStudioConfig(mode, { ratingMax });
  const project = await findStudioProject(client, name);
  if (project === undefined) return { project: await createStudioProject(client, { title: name, config, annotatorsPerTask }), isNew: true };
  const quoted = JSON.stringify(project.title);
  const its = findStudioMode(project.config);
  if (its === undefined && !/<\w+[^>]*\btoName=/i.test(project.config)) {
    // Made by hand, and not configured yet.
    await client.request(`/api/projects/${project.id}/`, {
      method: "PATCH",
      body: { label_config: config },
      purpose: `configuring ${quoted}`,
    });
    return { project: { ...project, config }, isNew: false };
  }
  if (its !== mode)
    throw new SparError(
      "label-studio/config",
      `the project ${quoted} is configured for ${its ?? "something other than comparing answers"}, the tasks are for ${mode}`,
      {
        hint: `Choose another --project, --mode ${its ?? "…"}, or paste what spar label-studio config --mode ${mode} prints into its Labeling Interface.`,
      },
    );
  const [task] = tasks;
  const lacking = listShownKeys(project.config).filter((key) => task !== undefined && !Object.hasOwn(task.data, key));
  if (lacking.length > 0)
    throw new SparError(
      "label-studio/config",
      `the project ${quoted} shows ${lacking.map((key) => `$${key}`).join(", ")}, which the tasks do not have`,
      {
        hint: `They have ${Object.keys(task?.data ?? {}).join(", ")}. Paste what spar label-studio config --mode ${mode} prints into its Labeling Interface.`,
      },
    );
  return { project, isNew: false };
}

/** Numbers of tasks with the ids under which they were pushed; tasks of other origin are left out. */
async function listPairIds(client: StudioClient, project: StudioProject): Promise<Map<number, string>> {
  const ids = new Map<number, string>();
  for (const [number, { meta, data }] of await listStudioTasks(client, project, { fields: ["id", "meta", "data"], pageSize: 500 })) {
    const id = readPairId(meta) ?? readPairId(data);
    if (id !== undefined) ids.set(number, id);
  }
  return ids;
}

function readPairId(value: unknown): string | undefined {
  const id = typeof value === "object" && value !== null && "pair_id" in value ? value.pair_id : undefined;
  return typeof id === "string" || typeof id === "number" ? String(id) : undefined;
}

function* splitBatches(tasks: readonly StudioImportTask[], size: number): Generator<StudioImportTask[]> {
  let batch: StudioImportTask[] = [];
  let bytes = 0;
  for (const task of tasks) {
    const more = Buffer.byteLength(JSON.stringify(task));
    if (batch.length > 0 && (batch.length >= size || bytes + more > mostBytes)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(task);
    bytes += more;
  }
  if (batch.length > 0) yield batch;
}

async function importBatch(client: StudioClient, project: StudioProject, batch: readonly StudioImportTask[]): Promise<void> {
  const purpose = `uploading ${batch.length} tasks to ${JSON.stringify(project.title)}`;
  const answer = readObject(await client.request(`/api/projects/${project.id}/import`, { method: "POST", body: batch, purpose }), purpose);
  // The Enterprise edition imports in the background.
  const job = answer["import"];
  if (typeof job !== "number") return;
  for (let polls = 0; polls < 600; polls++) {
    const { status, error } = readObject(await client.request(`/api/projects/${project.id}/imports/${job}/`, { purpose }), purpose);
    if (status === "completed") return;
    if (status === "failed")
      throw new SparError("label-studio/refused", `${purpose}: Label Studio could not import them: ${JSON.stringify(error ?? null)}`);
    await sleep(500);
  }
  throw new SparError("label-studio/refused", `${purpose}: Label Studio is still importing after five minutes`, {
    hint: "Push again later: what is there stays.",
  });
}

/** Of tasks of this push with the same id the one that people have worked on stays, else the first. */
async function removeCopies(client: StudioClient, project: StudioProject, before: ReadonlySet<number>): Promise<number> {
  const fields = ["id", "meta", "data", "total_annotations", "cancelled_annotations", "drafts"];
  const tasks = await listStudioTasks(client, project, { fields, pageSize: 500 });
  const groups = new Map<string, number[]>();
  for (const [number, { meta, data }] of tasks) {
    const id = readPairId(meta) ?? readPairId(data);
    if (id !== undefined) groups.set(id, [...(groups.get(id) ?? []), number]);
  }
  const hasWork = (number: number): boolean => {
    const { total_annotations: total, cancelled_annotations: cancelled, drafts } = tasks.get(number) ?? {};
    return Number(total ?? 0) + Number(cancelled ?? 0) > 0 || (Array.isArray(drafts) && drafts.length > 0);
  };
  let removed = 0;
  for (const numbers of groups.values()) {
    const [, ...copies] = numbers.toSorted((a, b) => Number(hasWork(b)) - Number(hasWork(a)) || a - b);
    for (const copy of copies) {
      if (before.has(copy) || hasWork(copy)) continue;
      await client.request(`/api/tasks/${copy}/`, { method: "DELETE", purpose: "taking out a task that arrived twice", accept: [404] });
      removed++;
    }
  }
  return removed;
}
