import { SparError } from "../internal/errors.ts";
import type { BadRows } from "./bad-rows.ts";
import { readBytes } from "./file-bytes.ts";
import { estimateBytes } from "./estimate-bytes.ts";
import type { PlacedRow, Row } from "./row.ts";

const BATCH = 256;

/** Rows of a comma-separated (or, for .tsv, tab-separated) file whose first line names the columns. Values stay strings. */
export async function* readCsv(path: string, bad: BadRows): AsyncGenerator<PlacedRow[]> {
  const { parse } = await import("csv-parse");
  const delimiter = /\.tsv(\.gz)?$/i.test(path) ? "\t" : ",";
  let columns: string[] = [];
  const parser = parse({
    delimiter,
    bom: true,
    info: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    columns: (names: string[]) => {
      columns = checkHeader(path, names);
      return columns;
    },
    on_skip: (error) => {
      if (error) bad.add({ file: path, line: Number(error["lines"] ?? 0) }, describeCsvError(error, columns));
      return undefined;
    },
  });
  const feed = (async () => {
    try {
      for await (const chunk of readBytes(path)) {
        if (!parser.write(chunk)) await new Promise<void>((resolve) => parser.once("drain", resolve).once("close", resolve));
        if (parser.destroyed) return;
      }
      parser.end();
    } catch (cause) {
      parser.destroy(cause instanceof Error ? cause : new Error(String(cause)));
    }
  })();
  try {
    let batch: PlacedRow[] = [];
    for await (const item of parser as AsyncIterable<{ record: Row; info: { lines: number } }>) {
      batch.push({ row: item.record, line: item.info.lines, bytes: estimateBytes(item.record) });
      if (batch.length === BATCH) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  } catch (cause) {
    if (cause instanceof SparError) throw cause;
    throw new SparError("data/bad-csv", `reading ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
      hint: 'expected a first line with column names, and quotes (") around values with commas, quotes or newlines',
    });
  } finally {
    parser.destroy();
    await feed;
  }
}

function checkHeader(path: string, names: string[]): string[] {
  const trimmed = names.map((name) => name.trim());
  const [whole = ""] = trimmed;
  if (trimmed.length === 1 && /[;\t|]/.test(whole)) {
    throw new SparError("data/bad-csv", `reading ${path}:1: expected column names, found one column ${JSON.stringify(whole)}`, {
      hint: "values are separated by commas in .csv files and by tabs in .tsv files: save it so",
    });
  }
  const twice = trimmed.find((name, i) => trimmed.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new SparError("data/bad-csv", `reading ${path}:1: the column ${JSON.stringify(twice)} is there twice`, {
      hint: "the first line of a CSV file names its columns, each once",
    });
  }
  return trimmed;
}

function describeCsvError(error: { code?: string; message: string; record?: unknown }, columns: readonly string[]): string {
  const record = Array.isArray(error.record) ? error.record : undefined;
  if (record && /COLUMN/.test(error.code ?? "")) {
    return `expected ${columns.length} values (${columns.join(", ")}), found ${record.length}`;
  }
  return error.message;
}
