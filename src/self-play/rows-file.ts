/** Rows between stages: JSON lines that people can read and edit. */
import { existsSync } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import { writeFileAtomic } from "../checkpoint/index.ts";
import { SparError } from "../internal/errors.ts";
import { columnShapes, findWrong, type Shapes } from "./row-shapes.ts";

/** Throws `self-play/bad-rows` with the file and the line where a column is missing or holds what it should not; empty lines are none. */
export async function readRows<T extends object>(
  path: string,
  columns: readonly (keyof T & string)[],
  shapes: Shapes = columnShapes,
): Promise<T[]> {
  const checked = Object.fromEntries(Object.entries(shapes).filter(([column]) => (columns as readonly string[]).includes(column)));
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new SparError("self-play/bad-rows", `Reading ${path}: ${(cause as Error).message}`, { cause });
  }
  const rows: T[] = [];
  for (const [i, line] of text
    .replace(/^\ufeff/, "")
    .split("\n")
    .entries()) {
    if (line.trim() === "") continue;
    const row = parseRow(line);
    const missing = row === undefined ? columns : columns.filter((column) => row[column] === undefined);
    const wrong =
      row === undefined
        ? `expected {${columns.join(", ")}}, got no JSON object`
        : missing.length > 0
          ? `expected {${columns.join(", ")}}, got {${Object.keys(row).join(", ")}}`
          : findWrong(row, checked);
    if (wrong !== undefined)
      throw new SparError("self-play/bad-rows", `${path}:${i + 1}: ${wrong}`, {
        hint: "Mend the line, or delete the file: its stage then makes it again.",
      });
    rows.push(row as T);
  }
  return rows;
}

/** A stage's summary. Throws `self-play/bad-rows` where it is no JSON object, or where one of its figures is not what it should be. */
export async function readSummary<T extends object>(
  path: string,
  shapes: { readonly [name in keyof T & string]?: Shapes[string] },
): Promise<T> {
  const summary = parseRow(await readFile(path, "utf8"));
  const wrong =
    summary === undefined ? `expected {${Object.keys(shapes).join(", ")}}, got no JSON object` : findWrong(summary, shapes as Shapes);
  if (wrong === undefined) return summary as T;
  throw new SparError("self-play/bad-rows", `${path}: ${wrong}`, { hint: "Mend the file, or delete it: its stage then makes it again." });
}

export async function writeRows(path: string, rows: readonly object[]): Promise<void> {
  await writeFileAtomic(path, rows.map(renderRow).join(""));
}

export interface ProduceOptions<I, O> {
  readonly path: string;
  readonly items: readonly I[];
  /** Items worked on together; a cut-short run goes on at the border of such a part. */
  readonly partSize: number;
  readonly resume: boolean;
  readonly signal: AbortSignal;
  /** One row for each item. */
  produce(items: readonly I[], first: number): Promise<O[]>;
  /** Rows for which this is false do not come into the file. */
  keep?(row: O): boolean;
}

/**
 * Writes one row an item, part by part beside `path`, which appears when all are there. Rows must depend on their item alone, so that
 * a file made in two goes is the same as one made in one. Gives how many rows are in the file.
 */
export async function produceRows<I, O extends object>(options: ProduceOptions<I, O>): Promise<number> {
  const { path, items, partSize, resume, signal, produce, keep } = options;
  const part = `${path}.part`;
  const kept = resume && existsSync(part) ? await keepWholeParts(part, partSize) : 0;
  const file = await open(part, kept > 0 ? "a" : "w");
  try {
    for (let from = kept; from < items.length; from += partSize) {
      signal.throwIfAborted();
      const rows = await produce(items.slice(from, from + partSize), from);
      signal.throwIfAborted();
      await file.appendFile(rows.map(renderRow).join(""));
      await file.sync();
    }
  } finally {
    await file.close();
  }
  if (keep === undefined) {
    await rename(part, path);
    return items.length;
  }
  // Parts hold a row for every item, since a resumed run counts them; rows are left out only where all are there.
  const rows = (await readRows<O>(part, [])).filter((row) => keep(row));
  await writeRows(path, rows);
  await rm(part);
  return rows.length;
}

/** Cuts the file back to whole parts; how many rows that leaves. */
async function keepWholeParts(path: string, partSize: number): Promise<number> {
  const lines = (await readFile(path, "utf8")).split("\n").slice(0, -1);
  const whole = lines.findIndex((line) => parseRow(line) === undefined);
  const count = Math.floor((whole === -1 ? lines.length : whole) / partSize) * partSize;
  if (count === 0) await rm(path, { force: true });
  else
    await writeFileAtomic(
      path,
      lines
        .slice(0, count)
        .map((line) => `${line}\n`)
        .join(""),
    );
  return count;
}

function parseRow(line: string): { [column: string]: unknown } | undefined {
  try {
    const row: unknown = JSON.parse(line);
    return typeof row === "object" && row !== null && !Array.isArray(row) ? (row as { [column: string]: unknown }) : undefined;
  } catch {
    return undefined;
  }
}

function renderRow(row: object): string {
  return `${JSON.stringify(row)}\n`;
}
