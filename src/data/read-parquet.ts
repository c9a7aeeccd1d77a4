import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

import { SparError } from "../internal/errors.ts";
import { estimateBytes } from "./estimate-bytes.ts";
import { wrapFileError } from "./file-bytes.ts";
import type { PlacedRow, Row } from "./row.ts";

type AsyncBuffer = { byteLength: number; slice(start: number, end?: number): Promise<ArrayBuffer> | ArrayBuffer };

const BATCH = 4096;

/** Rows of a Parquet file, a row group (or 4,096 rows) at a time. 64-bit integers become numbers, dates ISO strings. */
export async function* readParquet(path: string): AsyncGenerator<PlacedRow[]> {
  const [{ parquetMetadataAsync, parquetReadObjects, asyncBufferFromFile }, { compressors }] = await Promise.all([
    import("hyparquet"),
    import("hyparquet-compressors"),
  ]);
  let file: AsyncBuffer;
  try {
    file = path.toLowerCase().endsWith(".gz") ? await unpack(path) : await asyncBufferFromFile(path);
  } catch (cause) {
    throw wrapFileError(path, cause);
  }
  try {
    const metadata = await parquetMetadataAsync(file);
    let groupStart = 0;
    for (const group of metadata.row_groups) {
      const groupEnd = groupStart + Number(group.num_rows);
      for (let rowStart = groupStart; rowStart < groupEnd; rowStart += BATCH) {
        const rowEnd = Math.min(rowStart + BATCH, groupEnd);
        const rows = await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd });
        yield rows.map((raw, i) => {
          const row = toPlain(raw) as Row;
          return { row, line: rowStart + i + 1, bytes: estimateBytes(row) };
        });
      }
      groupStart = groupEnd;
    }
  } catch (cause) {
    throw new SparError("data/bad-parquet", `reading ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
      hint: "expected a whole Parquet file; a download that was cut off, or a Git LFS pointer, looks like this",
    });
  }
}

async function unpack(path: string): Promise<AsyncBuffer> {
  const bytes = await promisify(gunzip)(await readFile(path));
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  return { byteLength: buffer.byteLength, slice: (start, end) => buffer.slice(start, end) };
}

/** Values that JSON knows: an integer beyond 2⁵³ becomes its decimal text rather than a wrong number. */
function toPlain(value: unknown): unknown {
  if (typeof value === "bigint") return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number | bigint>, toPlain);
  if (Array.isArray(value)) return value.map(toPlain);
  const plain: { [column: string]: unknown } = {};
  for (const [key, item] of Object.entries(value)) plain[key] = toPlain(item);
  return plain;
}
