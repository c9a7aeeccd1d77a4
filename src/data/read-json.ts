import type { BadRows } from "./bad-rows.ts";
import { readJsonElements } from "./json-elements.ts";
import { parseJsonRow } from "./parse-row.ts";
import { decodeUtf8, readLineBatches } from "./read-lines.ts";
import type { PlacedRow } from "./row.ts";

/** A JSON reader's row also knows its byte range, so that the same pass can index the file. */
export type RangedRow = PlacedRow & { start: number; end: number };

/** Rows of a JSON Lines file (plain or .gz); blank lines are passed over, bad ones go to `bad`. */
export async function* readJsonLines(path: string, bad: BadRows): AsyncGenerator<RangedRow[]> {
  for await (const lines of readLineBatches(path)) {
    const rows: RangedRow[] = [];
    for (const line of lines) {
      if (line.text.trim() === "") continue;
      const parsed = parseJsonRow(line.text, { allowStrings: true });
      if (parsed.row === undefined) bad.add({ file: path, line: line.number }, parsed.found);
      else rows.push({ row: parsed.row, line: line.number, bytes: 2 * line.text.length + 64, start: line.start, end: line.end });
    }
    if (rows.length > 0) yield rows;
  }
}

/** Rows of a JSON file: an array, `{"data": […]}`, or JSON lines under that name. */
export async function* readJson(path: string, bad: BadRows): AsyncGenerator<RangedRow[]> {
  if (await holdsJsonLines(path)) {
    yield* readJsonLines(path, bad);
    return;
  }
  for await (const elements of readJsonElements(path)) {
    const rows: RangedRow[] = [];
    for (const { bytes, line, start, end } of elements) {
      const parsed = parseJsonRow(decodeUtf8(path, bytes, line), { allowStrings: true });
      if (parsed.row === undefined) bad.add({ file: path, line }, parsed.found);
      else rows.push({ row: parsed.row, line, bytes: 2 * bytes.length + 64, start, end });
    }
    if (rows.length > 0) yield rows;
  }
}

/** True when the first line is a whole object of its own that is not a `{"data": […]}` wrapper. */
async function holdsJsonLines(path: string): Promise<boolean> {
  for await (const lines of readLineBatches(path)) {
    for (const { text } of lines) {
      if (text.trim() === "") continue;
      if (!text.trimStart().startsWith("{")) return false;
      const { row } = parseJsonRow(text);
      return row !== undefined && !Array.isArray(row["data"]);
    }
  }
  return false;
}
