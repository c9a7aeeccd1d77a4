/** JSON lines that a command is given, from a file or standard input; what is wrong with them is said all at once. */

import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { SparError } from "../internal/errors.ts";

export type InputRow = { line: number; row: { readonly [column: string]: unknown } };

/** The most problems that are listed one by one. */
const listed = 100;

/** Reads JSON lines; `-` is standard input. `convert` throws what is wrong with a row. Throws `data/bad-rows`, `data/empty`, `data/not-found`. */
export async function readInputRows<T>(operation: string, path: string, expected: string, convert: (input: InputRow) => T): Promise<T[]> {
  const name = path === "-" ? "standard input" : path;
  const lines = (await readText(operation, path)).replace(/^\ufeff/, "").split(/\r?\n/);
  const given = lines.map((text, index) => ({ text, line: index + 1 })).filter(({ text }) => text.trim() !== "");
  if (given.length === 0) throw new SparError("data/empty", `${operation}: ${name} is empty`, { hint: `expected ${expected}` });
  const rows = given.map(({ text, line }) => ({ place: `${name}:${line}`, convert: () => convert({ line, row: parseObject(text) }) }));
  return convertRows(operation, expected, rows);
}

/** Each row as its `convert` gives it; what they throw is collected with their places. Throws `data/bad-rows`. */
export function convertRows<T>(operation: string, expected: string, given: readonly { place: string; convert: () => T }[]): T[] {
  const rows: T[] = [];
  const problems: string[] = [];
  for (const { place, convert } of given) {
    try {
      rows.push(convert());
    } catch (error) {
      if (isBug(error)) throw error;
      problems.push(`  ${place}: ${(error as Error).message}`);
    }
  }
  if (problems.length === 0) return rows;
  const more = problems.length > listed ? [`  … and ${problems.length - listed} more`] : [];
  throw new SparError(
    "data/bad-rows",
    [`${operation}: ${problems.length} of ${given.length} rows cannot be used`, ...problems.slice(0, listed), ...more].join("\n"),
    { hint: `expected ${expected}` },
  );
}

async function readText(operation: string, path: string): Promise<string> {
  if (path === "-") return readAll(process.stdin);
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new SparError("data/not-found", `${operation}: there is no file ${path}`, { cause });
    throw new SparError("data/unreadable", `${operation}: ${path} cannot be read (${message})`, { cause });
  }
}

function parseObject(line: string): { readonly [column: string]: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new SparError("data/bad-row", `not valid JSON (${(error as Error).message})`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new SparError("data/bad-row", `expected a JSON object, found ${JSON.stringify(value).slice(0, 40)}`);
  return value as { readonly [column: string]: unknown };
}

/** Errors of the language are ours, not the row's. */
function isBug(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError || !(error instanceof Error);
}
