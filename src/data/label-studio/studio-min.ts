/** Label Studio's JSON_MIN and CSV exports: a row an annotation, its results in columns named after the controls. */

import { isRow, type Row } from "../row.ts";
import { findAnswerColumns, isStudioTask } from "./studio-task.ts";
import { parseVerdict } from "./studio-results.ts";

const ownColumns = ["id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"];

/** Whether a row is an annotation of a JSON_MIN or CSV export with something to compare. */
export function isStudioMinRow(row: Row): boolean {
  if (!("annotator" in row && "lead_time" in row && "created_at" in row)) return false;
  return isStudioTask({ data: splitRow(row).data, annotations: [] });
}

/**
 * Tasks as a JSON export has them, each with the number of its first row: rows of the same task together, in the order in which they first
 * appear. Neither skips nor `meta` are in these exports, so that nothing is known of how sides were shuffled: answers are those that were
 * shown.
 */
export function groupStudioMinRows(rows: readonly Row[]): { task: Row; first: number }[] {
  const tasks = new Map<string, { data: Row; id: unknown; annotations: Row[]; first: number }>();
  for (const [first, row] of rows.entries()) {
    const { data, results } = splitRow(row);
    const key = JSON.stringify([row["id"] ?? null, data]);
    const task = tasks.get(key) ?? { data, id: readNumber(row["id"]), annotations: [], first };
    tasks.set(key, task);
    const { annotator, annotation_id: id, created_at, updated_at, lead_time } = row;
    task.annotations.push({
      id: readNumber(id),
      completed_by: readNumber(annotator),
      created_at,
      updated_at,
      lead_time,
      was_cancelled: false,
      result: results,
    });
  }
  const groups = [...tasks.values()];
  // What push says in `meta`, by the same rule, of tasks that it made.
  const continues = groups.some(({ data }) => "pair_id" in data && listTexts(data).some((text) => /^\s/.test(text)));
  const meta = continues ? { continues: true } : {};
  return groups.map(({ id, data, annotations, first }) => ({ task: { id, data, meta, annotations }, first }));
}

function listTexts(data: Row): string[] {
  const { items } = data;
  const texts = Array.isArray(items) ? items.map((item) => (isRow(item) ? item["body"] : undefined)) : [];
  const answers = (findAnswerColumns(data) ?? []).map((column) => data[column]);
  return [...texts, ...answers].filter((text) => typeof text === "string");
}

/** What was asked, and what was answered. */
function splitRow(row: Row): { data: Row; results: Row[] } {
  const data: { [column: string]: unknown } = {};
  const results: Row[] = [];
  for (const [column, cell] of Object.entries(row)) {
    if (ownColumns.includes(column)) continue;
    const value = parseCell(cell);
    const found = readResults(column, value);
    if (found !== undefined) results.push(...found);
    else if (column === "items") data[column] = value;
    // Empty cells of CSV: the control was not used. An empty answer keeps its column.
    else data[column] = cell;
  }
  return { data, results };
}

/** CSV has lists as JSON. */
function parseCell(cell: unknown): unknown {
  if (typeof cell !== "string" || !/^\s*[[{]/.test(cell)) return cell;
  try {
    return JSON.parse(cell) as unknown;
  } catch {
    return cell;
  }
}

/** Results of a column of a control; undefined for a column of the data. */
function readResults(column: string, value: unknown): Row[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const results = list.flatMap((item): Row[] => {
    if (!isRow(item)) return [];
    if ("selected" in item) return [{ type: "pairwise", from_name: column, to_name: column, value: { selected: item["selected"] } }];
    if ("ranker" in item) return [{ type: "ranker", from_name: column, to_name: column, value: { ranker: item["ranker"] } }];
    if ("rating" in item) return [{ type: "rating", from_name: column, to_name: column, value: { rating: item["rating"] } }];
    return [];
  });
  if (results.length > 0 && results.length === list.length) return results;
  if (column === "comment") {
    const text = typeof value === "string" ? [value] : Array.isArray(value) ? value : [];
    return [{ type: "textarea", from_name: column, to_name: "prompt", value: { text } }];
  }
  // Only names that sound like one: a column of the data may hold such a word, too.
  if (
    /verdict|tie|choice|prefer|compar|pairwise|equal|better/i.test(column) &&
    !/[12]$/.test(column) &&
    typeof value === "string" &&
    parseVerdict(value) !== undefined
  )
    return [{ type: "choices", from_name: column, to_name: "prompt", value: { choices: [value] } }];
  return undefined;
}

function readNumber(value: unknown): unknown {
  return typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
}
