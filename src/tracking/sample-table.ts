/** Rows of samples as a table: one column a score, every other key as it is. */

import type { SampleRow } from "./tracker.ts";

export type Cell = string | number | boolean | null;
export type SampleTable = { columns: string[]; rows: Cell[][] };

const most = 200;

function toCell(value: unknown): Cell {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  // JSON has no NaN; a score that is missing reads better as an empty cell.
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  return JSON.stringify(value);
}

/** Prompt and completion first. At most 200 rows: these are for looking at; all are in samples.jsonl. */
export function tabulateSamples(rows: readonly SampleRow[]): SampleTable {
  const shown = rows.slice(0, most);
  const flat = shown.map(
    ({ prompt, completion, scores, ...others }) => ({ prompt, completion, ...scores, ...others }) as { [column: string]: unknown },
  );
  const columns = [...new Set(flat.flatMap((row) => Object.keys(row)))];
  return { columns, rows: flat.map((row) => columns.map((column) => toCell(row[column]))) };
}

/** Numbers worth a histogram: each score, and the completions' lengths in characters. */
export function collectSampleNumbers(rows: readonly SampleRow[]): { [name: string]: number[] } {
  const numbers: { [name: string]: number[] } = {};
  for (const row of rows) {
    for (const [name, score] of Object.entries(row.scores ?? {})) {
      if (typeof score === "number") (numbers[`scores/${name}`] ??= []).push(score);
    }
    if (typeof row["score"] === "number") (numbers["score"] ??= []).push(row["score"]);
    (numbers["completion_characters"] ??= []).push([...row.completion].length);
  }
  return numbers;
}
