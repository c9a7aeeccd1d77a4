/**
 * The numbers of a file of JSON lines as columns, kept in memory and read on from where the last read ended. Made for metrics.jsonl of
 * millions of rows: bytes are parsed without making an object a row, and only numbers are kept.
 */
import { open, type FileHandle } from "node:fs/promises";
import { createRowParser, type RowParser } from "./row-parser.ts";

export interface Columns {
  readonly rows: number;
  /** Rises when rows were taken away: the file was cut back or begun anew. */
  readonly generation: number;
  readonly keys: readonly string[];
  /** Bytes of memory held. */
  readonly bytes: number;
  /** [rows]; `absent` where a row lacks the key, NaN where its value is null. Undefined: no row has it. A view, good until the next refresh. */
  column(key: string): Float64Array | undefined;
  /** Points of a key, and the last of them. */
  describe(key: string): { count: number; last: number | null };
  /** Reads what came since; a file that is not there has no rows. Calls at the same time share one reading. */
  refresh(): Promise<void>;
}

const chunkBytes = 4 * 2 ** 20;
/** What stood before the place up to which was read must still stand there, or the file is another. */
const proofBytes = 64;

export function openColumns(path: string): Columns {
  let parser: RowParser = createRowParser();
  let generation = 0;
  let offset = 0;
  let inode = -1;
  let proof: Buffer = Buffer.alloc(0);
  let reading: Promise<void> | undefined;

  const begin = (): void => {
    if (offset > 0) generation++;
    parser = createRowParser();
    offset = 0;
    proof = Buffer.alloc(0);
  };

  async function isContinuation(file: FileHandle, size: number): Promise<boolean> {
    if (size < offset) return false;
    const there = Buffer.alloc(proof.length);
    await file.read(there, 0, there.length, offset - there.length);
    return there.equals(proof);
  }

  async function readOn(): Promise<void> {
    let file: FileHandle;
    try {
      file = await open(path, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      begin();
      return;
    }
    try {
      const { size, ino } = await file.stat();
      if (ino !== inode || !(await isContinuation(file, size))) begin();
      inode = ino;
      let buffer = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(proofBytes, size - offset)));
      while (offset < size) {
        // Between chunks others get their turn: a large file holds no request up for longer than one chunk takes.
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - offset), offset);
        const end = buffer.lastIndexOf(10, bytesRead - 1) + 1;
        if (bytesRead === 0) break;
        if (end === 0) {
          // No whole line: either one is longer than the buffer, or it is still being written.
          if (bytesRead < buffer.length || offset + bytesRead >= size) break;
          buffer = Buffer.allocUnsafe(buffer.length * 2);
          continue;
        }
        parser.parse(buffer, end);
        offset += end;
        const from = Math.max(0, end - proofBytes);
        proof = Buffer.from(buffer.subarray(from, end));
      }
    } finally {
      await file.close();
    }
  }

  return {
    get rows() {
      return parser.rows;
    },
    get generation() {
      return generation;
    },
    get keys() {
      return parser.keys;
    },
    get bytes() {
      return parser.bytes;
    },
    column: (key) => parser.column(key),
    describe: (key) => parser.describe(key),
    refresh() {
      reading ??= readOn().finally(() => {
        reading = undefined;
      });
      return reading;
    },
  };
}
