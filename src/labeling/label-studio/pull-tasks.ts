/** The tasks of a project with what people said of them, read anew only where something has changed. */

import type { Row } from "../../data/index.ts";
import type { StudioClient } from "./studio-client.ts";
import type { PulledTask, PullState } from "./pull-state.ts";
import { listStudioTasks, readObject, type StudioProject } from "./studio-project.ts";

export interface PullOptions {
  readonly earlier?: PullState | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface PullOutcome {
  readonly state: PullState;
  /** Tasks that were read because they are new or have changed. */
  readonly read: number;
  /** Tasks of the earlier state that are gone. */
  readonly gone: number;
}

const marks = ["id", "updated_at", "total_annotations", "cancelled_annotations", "annotations_ids"];
const spoken = ["completed_by", "result", "was_cancelled", "ground_truth", "created_at", "lead_time"];
// The API filters the columns of the annotations inside by the same list.
const whole = ["id", "data", "meta", "annotations", ...spoken, ...marks.slice(1)];

/** So many single requests cost less than all pages. */
const fewTasks = 50;

/**
 * Two steps: a list of all tasks with the time of their last change and the numbers of their annotations, then those that differ
 * from the earlier state. A task's `updated_at` moves when an annotation is made, changed or deleted (Label Studio 1.23.2), and tasks
 * that are gone from the list are gone here.
 * @throws SparError `label-studio/…`
 */
export async function pullTasks(
  client: StudioClient,
  project: StudioProject,
  { earlier, onProgress }: PullOptions = {},
): Promise<PullOutcome> {
  const known = earlier?.tasks ?? new Map<number, PulledTask>();
  const tasks = new Map<number, PulledTask>();
  let read = 0;
  if (known.size === 0) {
    for (const [id, row] of await listStudioTasks(client, project, { fields: whole, pageSize: 100, onPage: onProgress }))
      tasks.set(id, keepTask(row, row));
    read = tasks.size;
  } else {
    const listed = await listStudioTasks(client, project, { fields: marks, pageSize: 500 });
    const changed = [...listed].filter(([id, row]) => known.get(id)?.fingerprint !== markTask(row)).map(([id]) => id);
    const fresh = new Map<number, Row>();
    if (changed.length > fewTasks) {
      for (const [id, row] of await listStudioTasks(client, project, { fields: whole, pageSize: 100, onPage: onProgress }))
        fresh.set(id, row);
    } else {
      for (const [index, id] of changed.entries()) {
        onProgress?.(index, changed.length);
        const purpose = `reading task ${id}`;
        const answer = await client.request(`/api/tasks/${id}/`, { query: { resolve_uri: false }, purpose, accept: [404] });
        if (answer !== undefined) fresh.set(id, readObject(answer, purpose));
      }
    }
    for (const [id, row] of listed) {
      const old = known.get(id);
      if (old?.fingerprint === markTask(row)) {
        tasks.set(id, old);
        continue;
      }
      const now = fresh.get(id);
      if (now === undefined) continue;
      // The older mark: what changed between the two readings differs from it, and is read again by the next pull.
      tasks.set(id, keepTask(row, now));
      read++;
    }
  }
  const gone = [...known.keys()].filter((id) => !tasks.has(id)).length;
  const sorted = new Map([...tasks].sort(([a], [b]) => a - b));
  return { state: { url: client.url, project: project.id, tasks: sorted }, read, gone };
}

function markTask(row: Row): string {
  // Listed in no particular order.
  const ids = String(row["annotations_ids"] ?? "")
    .split(",")
    .sort()
    .join(",");
  return [row["updated_at"], row["total_annotations"], row["cancelled_annotations"], ids].join(" ");
}

/** What a JSON export has of a task, without the names and counters of the API. */
function keepTask(listed: Row, row: Row): PulledTask {
  const annotations = (Array.isArray(row["annotations"]) ? (row["annotations"] as unknown[]) : []).flatMap((annotation) => {
    if (typeof annotation !== "object" || annotation === null) return [];
    const { id, completed_by, result, was_cancelled, ground_truth, created_at, updated_at, lead_time } = annotation as Row;
    const by = typeof completed_by === "object" && completed_by !== null && "id" in completed_by ? completed_by.id : completed_by;
    return [{ id, completed_by: by, result, was_cancelled, ground_truth, created_at, updated_at, lead_time }];
  });
  const { id, data, meta } = row;
  return {
    fingerprint: markTask(listed),
    task: { id, data, meta: meta ?? {}, annotations: annotations.toSorted((a, b) => Number(a.id) - Number(b.id)) },
  };
}
