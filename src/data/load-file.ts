import { SparError } from "../internal/errors.ts";
import { BadRows } from "./bad-rows.ts";
import { ByteIndex, openIndexedFile } from "./byte-index.ts";
import { readFileSize } from "./file-bytes.ts";
import { createMemoryRows, type IndexedRows } from "./indexed-rows.ts";
import { parseJsonRow } from "./parse-row.ts";
import { readCsv } from "./read-csv.ts";
import { type RangedRow, readJson, readJsonLines } from "./read-json.ts";
import { readParquet } from "./read-parquet.ts";
import { parseTextRow, readText, type TextSampling } from "./read-text.ts";
import type { PlacedRow, Row, RowPlace } from "./row.ts";
import { createSpill, type Spill } from "./spill.ts";

export type FileFormat = "jsonl" | "json" | "csv" | "parquet" | "text";

export type LoadFileOptions = {
  /** Default: by the file's name. */
  format?: FileFormat;
  /** Text files only; default `line`. */
  sampleBy?: TextSampling;
  /** Bytes of rows kept in memory, counted down over the files that share it; the rest stays on or goes to disk. */
  memory?: MemoryBudget;
  /** Where rows go that cannot be read on demand from their own file (default: the system's temporary folder). */
  tempDir?: string;
  /** Told of each row that cannot be read, which is then left out; for who has more to say of the rows and says it all at once. */
  onBadRow?: (place: RowPlace, found: string) => void;
};

/** Shared by the files of a data set. */
export type MemoryBudget = { left: number };

export const DEFAULT_MEMORY_LIMIT = 512 * 1024 * 1024;

const EXTENSIONS: { readonly [extension: string]: FileFormat } = {
  jsonl: "jsonl",
  ndjson: "jsonl",
  json: "json",
  csv: "csv",
  tsv: "csv",
  parquet: "parquet",
  txt: "text",
  text: "text",
  md: "text",
};

/** The format that a file's name tells, .gz aside. */
export function inferFormat(path: string): FileFormat | undefined {
  const extension = /\.([a-z0-9]+)(\.gz)?$/i.exec(path)?.[1]?.toLowerCase();
  return extension === undefined ? undefined : EXTENSIONS[extension];
}

/**
 * The rows of one file, batch by batch, without holding it. Bad rows are collected into `bad`.
 * @throws {SparError} when the file is missing, unreadable or malformed as a whole
 */
export function streamFile(path: string, format: FileFormat, bad: BadRows, sampleBy: TextSampling = "line"): AsyncGenerator<PlacedRow[]> {
  switch (format) {
    case "jsonl":
      return readJsonLines(path, bad);
    case "json":
      return readJson(path, bad);
    case "csv":
      return readCsv(path, bad);
    case "parquet":
      return readParquet(path);
    case "text":
      return readText(path, sampleBy);
  }
}

/**
 * A file's rows with random access. Small files are held in memory; a large uncompressed JSONL, JSON or
 * text file is read on demand through an index of byte offsets; what is left (.gz, CSV, Parquet) moves
 * into a temporary JSONL file once it outgrows the memory budget.
 * @throws {SparError} data/empty, data/bad-rows (all of them at once), data/not-found …
 */
export async function loadFile(path: string, options: LoadFileOptions = {}): Promise<IndexedRows> {
  const format = options.format ?? inferFormat(path);
  if (!format) {
    throw new SparError("data/unknown-format", `reading data: the format of ${path} is not known from its name`, {
      hint: `expected a name in .${Object.keys(EXTENSIONS).join(", .")} (each also with .gz); or give the format as the data set's path`,
    });
  }
  const sampleBy = options.sampleBy ?? "line";
  const memory = options.memory ?? { left: DEFAULT_MEMORY_LIMIT };
  const bad = new BadRows(`reading ${path}`, EXPECTED[format], options.onBadRow);
  const size = await readFileSize(path);
  const isRanged = format === "jsonl" || format === "json" || (format === "text" && sampleBy !== "document");
  const rows =
    isRanged && !/\.gz$/i.test(path) && 2 * size > memory.left
      ? await indexFile(path, format, bad, sampleBy)
      : await collectRows(path, streamFile(path, format, bad, sampleBy), format === "parquet" ? "row" : "line", memory, options.tempDir);
  try {
    bad.throwIfAny(rows.count + bad.count);
    if (rows.count + bad.count === 0) {
      throw new SparError("data/empty", `reading data: ${path} is empty`, { hint: `expected ${EXPECTED[format]}` });
    }
  } catch (error) {
    await rows.close();
    throw error;
  }
  return rows;
}

const EXPECTED: { readonly [F in FileFormat]: string } = {
  jsonl: "one JSON object a line, a column a key",
  json: 'a JSON array of objects, or {"data": [objects]}',
  csv: "a first line with column names, then a row a line with as many values",
  parquet: "a Parquet file with at least one row",
  text: "text",
};

async function indexFile(path: string, format: FileFormat, bad: BadRows, sampleBy: TextSampling): Promise<IndexedRows> {
  const index = new ByteIndex();
  for await (const batch of streamFile(path, format, bad, sampleBy)) {
    for (const { start, end, line } of batch as RangedRow[]) index.add(start, end, line);
  }
  const parse = format === "text" ? parseTextRow : (bytes: Buffer): Row => parseJsonOrThrow(bytes.toString("utf8"));
  return openIndexedFile(path, index, parse);
}

async function collectRows(
  path: string,
  batches: AsyncIterable<PlacedRow[]>,
  unit: "line" | "row",
  memory: MemoryBudget,
  tempDir: string | undefined,
): Promise<IndexedRows> {
  const held: Row[] = [];
  const lines: number[] = [];
  let spill: Spill | undefined;
  let used = 0;
  try {
    for await (const batch of batches) {
      for (const { row, line, bytes } of batch) {
        if (spill) {
          await spill.add(JSON.stringify(row), line);
          continue;
        }
        held.push(row);
        lines.push(line);
        used += bytes;
        if (used > memory.left) {
          spill = await createSpill(tempDir);
          for (let i = 0; i < held.length; i++) await spill.add(JSON.stringify(held[i]), lines[i]!);
          held.length = 0;
        }
      }
    }
    if (spill) return await spill.open(path, parseSpilled, unit);
  } catch (error) {
    await spill?.discard();
    throw error;
  }
  memory.left -= used;
  return createMemoryRows(held, path, { lines: Uint32Array.from(lines), unit });
}

function parseSpilled(bytes: Buffer): Row {
  return parseJsonOrThrow(bytes.toString("utf8"));
}

function parseJsonOrThrow(text: string): Row {
  const parsed = parseJsonRow(text, { allowStrings: true });
  if (parsed.row === undefined) throw new Error(parsed.found);
  return parsed.row;
}
