/** A project's labelled tasks as a file of a run's own, in the form of a JSON export. */

import { isRow, type Row, type SideNames } from "../../data/index.ts";
import { SparError } from "../../internal/errors.ts";
import { writeWhole } from "./pull-state.ts";
import { pullTasks } from "./pull-tasks.ts";
import type { StudioClient } from "./studio-client.ts";
import { readRatingMax, readSideNames } from "./studio-config.ts";
import { openStudioProject, type StudioProject } from "./studio-project.ts";

export interface StudioDataset {
  readonly project: StudioProject;
  readonly tasks: number;
  /** Those in the file: with at least one annotation. */
  readonly labelled: number;
}

/**
 * Writes the tasks that have annotations, ordered by their numbers: the same project gives the same bytes.
 * @throws SparError `label-studio/…`; `data/empty` where nobody has labelled anything
 */
export async function saveStudioDataset(client: StudioClient, name: string, path: string): Promise<StudioDataset> {
  const project = await openStudioProject(client, name);
  const { state } = await pullTasks(client, project);
  const sides = readSideNames(project.config);
  const ratingMax = readRatingMax(project.config);
  const rows = [...state.tasks.values()].map(({ task }) => task);
  const labelled = rows.filter(({ annotations }) => Array.isArray(annotations) && annotations.length > 0);
  if (labelled.length === 0)
    throw new SparError(
      "data/empty",
      `reading data: none of the ${rows.length} tasks of the Label Studio project ${JSON.stringify(project.title)} is labelled`,
      {
        hint: `Label some at ${client.url}/projects/${project.id}/data.`,
      },
    );
  await writeWhole(
    path,
    labelled.map((task) => settleTask(task, sides, ratingMax)),
  );
  return { project, tasks: rows.length, labelled: labelled.length };
}

/** What only the project's configuration says goes into the task: names of sides, their columns, and the largest rating. */
function settleTask(task: Row, sides: SideNames, ratingMax: number | undefined): Row {
  const meta = isRow(task["meta"]) ? task["meta"] : {};
  const data = isRow(task["data"]) ? task["data"] : {};
  const [left, right] = sides.columns ?? [];
  const isReversed = left === "answer2" && right === "answer1";
  const isNamedOtherwise =
    !isReversed && left !== undefined && right !== undefined && typeof data[left] === "string" && typeof data[right] === "string";
  const annotations = (task["annotations"] as readonly Row[]).map((annotation) => ({
    ...annotation,
    result: (Array.isArray(annotation["result"]) ? (annotation["result"] as unknown[]) : []).map((result) =>
      settleResult(result, sides, isReversed),
    ),
  }));
  return {
    ...task,
    data: isNamedOtherwise ? { ...data, answer1: data[left], answer2: data[right] } : data,
    meta: ratingMax === undefined || "rating_max" in meta ? meta : { ...meta, rating_max: ratingMax },
    annotations,
  };
}

function settleResult(result: unknown, { left, right }: SideNames, isReversed: boolean): unknown {
  if (!isRow(result) || result["type"] !== "pairwise" || !isRow(result["value"])) return result;
  const { selected } = result["value"];
  const [first, second] = isReversed ? ["right", "left"] : ["left", "right"];
  const side = left.includes(String(selected)) ? first : right.includes(String(selected)) ? second : selected;
  return { ...result, value: { ...result["value"], selected: side } };
}
