import { basename } from "node:path";

import { SparError } from "../internal/errors.ts";
import { checkIndex, type IndexedRows, mapRows, selectRows } from "./indexed-rows.ts";
import { listColumns, type Row } from "./row.ts";
import type { TextSampling } from "./read-text.ts";

/** One entry of a recipe's `datasets`, in the recipe's own spelling (TRL's DatasetConfig and a few more keys). */
export type DatasetSpec = {
  /** A file, a folder, a glob, a hub id, or `json`, `csv`, `parquet`, `text`, `folder` with `data_files`. */
  path: string;
  /** Configuration of a hub data set. */
  name?: string | null;
  data_dir?: string | null;
  /** Files, folders or globs; or a mapping split → files. */
  data_files?: string | readonly string[] | { readonly [split: string]: string | readonly string[] } | null;
  /** Default `train`; also parts: `train[:100]`, `train[10%:20%]`. */
  split?: string | null;
  /** Columns to keep, or a mapping to new names. */
  columns?: readonly string[] | { readonly [column: string]: string } | null;
  fraction?: number | null;
  weight?: number | null;
  revision?: string | null;
  /** Text files: a row a `line` (default), `paragraph` or `document` (default for path `folder`). */
  sample_by?: TextSampling | null;
  /** Name for evaluation by task; default: from the path. */
  task?: string | null;
  /** Of path `label-studio`, which a run replaces by the file that it pulls: address and project. */
  url?: string | undefined;
  project?: string | number | undefined;
};

/** A task name that people recognise, unique among `taken`. */
export function nameTask(spec: DatasetSpec, files: readonly string[], taken: ReadonlySet<string>): string {
  const fromFile =
    files.length === 1
      ? basename(files[0]!)
          .replace(/\.gz$/i, "")
          .replace(/\.[a-z0-9]+$/i, "")
      : undefined;
  const builtIn = ["json", "jsonl", "csv", "parquet", "text", "folder"].includes(spec.path);
  const base =
    spec.task ||
    (builtIn ? (fromFile ?? spec.path) : [basename(spec.path).replace(/\.[a-z0-9]+(\.gz)?$/i, ""), spec.name].filter(Boolean).join("-")) ||
    "data";
  let name = base;
  for (let n = 2; taken.has(name); n++) name = `${base}-${n}`;
  return name;
}

/** A name, or a name with a range in brackets. */
export const splitPattern = /^[^[\]]*(?:\[\s*(-?\d+%?)?\s*:\s*(-?\d+%?)?\s*\])?$/;

/** How a split is written, for messages. */
export const splitExamples = "a name, or a name with a range: train[:1000], train[10%:20%], train[-100:]";

/** The rows that the brackets of `split` leave: `[from:to]` in rows or percent, negative counts from the end. */
export function sliceSplit(rows: IndexedRows, split: string): IndexedRows {
  const match = splitPattern.exec(split);
  if (!match) {
    throw new SparError("data/bad-split", `reading data: the split ${JSON.stringify(split)} cannot be understood`, {
      hint: `expected ${splitExamples}`,
    });
  }
  if (!split.endsWith("]")) return rows;
  const toRow = (text: string | undefined, fallback: number): number => {
    if (text === undefined) return fallback;
    const value = text.endsWith("%") ? Math.round((Number(text.slice(0, -1)) / 100) * rows.count) : Number(text);
    return Math.min(Math.max(value < 0 ? rows.count + value : value, 0), rows.count);
  };
  const from = toRow(match[1], 0);
  const to = toRow(match[2], rows.count);
  if (to <= from) throw new SparError("data/empty", `reading data: the split ${split} is empty, as there are ${rows.count} rows`);
  return selectRows(
    rows,
    Uint32Array.from({ length: to - from }, (_, i) => from + i),
  );
}

/** Keeps (and renames) columns. The first row must have them all; a later row may lack one. */
export async function selectColumns(rows: IndexedRows, columns: NonNullable<DatasetSpec["columns"]>): Promise<IndexedRows> {
  const pairs: readonly (readonly [string, string])[] = Array.isArray(columns)
    ? (columns as readonly string[]).map((name) => [name, name] as const)
    : Object.entries(columns as { readonly [column: string]: string });
  checkIndex(0, rows.count, "the data set");
  const first = await rows.read(0);
  const missing = pairs.filter(([from]) => !(from in first)).map(([from]) => from);
  if (missing.length > 0) {
    throw new SparError("data/columns", `reading ${rows.place(0).file}: the columns ${missing.join(", ")} asked for are not there`, {
      hint: `found ${listColumns(first)}`,
    });
  }
  return mapRows(rows, (row): Row => {
    const kept: { [column: string]: unknown } = {};
    for (const [from, to] of pairs) if (from in row) kept[to] = row[from];
    return kept;
  });
}
