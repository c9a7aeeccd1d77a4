/** Label Studio's exports as tasks of two answers each, which is what the layout `label-studio` reads. */

import { SparError } from "../../internal/errors.ts";
import { BadRows } from "../bad-rows.ts";
import { createMemoryRows, type IndexedRows } from "../indexed-rows.ts";
import { makeLabelPairs } from "../labels/label-pairs.ts";
import { loadFile } from "../load-file.ts";
import { isRow, listColumns, type Row } from "../row.ts";
import { groupStudioMinRows, isStudioMinRow } from "./studio-min.ts";
import { findAnswerColumns, isContinued, isStudioTask, readStudioTask } from "./studio-task.ts";

/**
 * JSON_MIN and CSV have a row an annotation, which are put together by task; rankings and ratings make several pairs a task. Any
 * other file is given back as it is, a JSON export of pairs too.
 * @throws {SparError} data/bad-rows; data/empty where rankings and ratings prefer nothing
 */
export async function expandStudioExport(rows: IndexedRows, path: string): Promise<IndexedRows> {
  if (rows.count === 0) return rows;
  const first = await rows.read(0);
  if (!isStudioMinRow(first) && (!isStudioTask(first) || isPair(first))) return rows;
  const { tasks, lines } = await collectTasks(rows);
  const bad = new BadRows(`reading the Label Studio export ${path}`, "tasks with two answers, or with items that were ranked or rated");
  const expanded: Row[] = [];
  const places: number[] = [];
  for (const [index, task] of tasks.entries()) {
    try {
      for (const pair of isPair(task) ? [task] : expandTask(task)) {
        expanded.push(pair);
        places.push(lines[index]);
      }
    } catch (error) {
      if (!(error instanceof SparError)) throw error;
      bad.add({ file: path, line: lines[index] }, error.message);
    }
  }
  bad.throwIfAny(tasks.length);
  if (expanded.length === 0)
    throw new SparError("data/empty", `reading data: none of the ${tasks.length} tasks in ${path} prefers one answer to another`, {
      hint: "Label more tasks in Label Studio, and export again.",
    });
  return createMemoryRows(expanded, path, { lines: Uint32Array.from(places) });
}

/**
 * The tasks of an export as JSON, JSON_MIN, CSV or TSV (by its name), in the form that JSON has.
 * @throws {SparError} data/columns where it is something else; data/not-found, data/empty, data/bad-rows
 */
export async function loadStudioExport(path: string): Promise<Row[]> {
  const rows = await loadFile(path);
  const first = await rows.read(0);
  if (!isStudioMinRow(first) && !isStudioTask(first)) {
    await rows.close();
    throw new SparError("data/columns", `reading ${path}: this is no Label Studio export of comparisons: found ${listColumns(first)}`, {
      hint: "expected tasks with data {prompt, answer1, answer2} or {prompt, items} and annotations, as Label Studio exports them as JSON, JSON_MIN, CSV or TSV",
    });
  }
  return (await collectTasks(rows)).tasks;
}

/** Closes the rows. */
async function collectTasks(rows: IndexedRows): Promise<{ tasks: Row[]; lines: number[] }> {
  const found: Row[] = [];
  const lines: number[] = [];
  try {
    for (let index = 0; index < rows.count; index++) {
      found.push(await rows.read(index));
      lines.push(rows.place(index).line);
    }
  } finally {
    await rows.close();
  }
  const [first] = found;
  if (first === undefined || !isStudioMinRow(first)) return { tasks: found, lines };
  const groups = groupStudioMinRows(found);
  return { tasks: groups.map(({ task }) => task), lines: groups.map(({ first }) => lines[first]) };
}

/** Each preference of a ranking or of ratings as a task on which somebody chose. */
function expandTask(row: Row): Row[] {
  const { labels } = readStudioTask(row);
  return makeLabelPairs(labels).map(({ task, prompt, chosen, rejected }) => ({
    id: row["id"],
    data: { prompt: typeof prompt === "string" ? prompt : "", answer1: textOf(chosen), answer2: textOf(rejected) },
    meta: { pair_id: task, ...(typeof prompt === "string" ? {} : { prompt }), ...(isContinued(row) ? { continues: true } : {}) },
    annotations: [{ was_cancelled: false, result: [{ type: "pairwise", value: { selected: "left" } }] }],
  }));
}

const textOf = (content: string | readonly { readonly content: string }[]): string =>
  typeof content === "string" ? content : content.map((message) => message.content).join("\n\n");

function isPair(row: Row): boolean {
  return isRow(row["data"]) && !Array.isArray(row["data"]["items"]) && findAnswerColumns(row["data"]) !== undefined;
}
