/** A file of JSON lines that grows: where its rows begin and end, read on from where the last look ended. */
import { open, type FileHandle } from "node:fs/promises";

export interface LineIndex {
  readonly rows: number;
  /** Rises when the file was cut back or begun anew. */
  readonly generation: number;
  refresh(): Promise<void>;
  /** The rows from `from` on, at most `count`, parsed. */
  read(from: number, count: number): Promise<unknown[]>;
  /** Every row in turn, in portions. */
  scan(visit: (row: unknown, number: number) => void): Promise<void>;
}

const chunkBytes = 2 ** 20;

/** `onRow` is told of every row once, in order; `onReset` when all of them are void. Lines that are not JSON are passed over. */
export function openLineIndex(path: string, onRow?: (row: unknown) => void, onReset?: () => void): LineIndex {
  let ends: number[] = [];
  let starts: number[] = [];
  let offset = 0;
  let inode = -1;
  let last: Buffer = Buffer.alloc(0);
  let generation = 0;
  let reading: Promise<void> | undefined;

  function begin(): void {
    if (offset > 0) generation++;
    [starts, ends, offset, last] = [[], [], 0, Buffer.alloc(0)];
    onReset?.();
  }

  async function withFile<T>(work: (file: FileHandle) => Promise<T>, missing: T): Promise<T> {
    let file: FileHandle;
    try {
      file = await open(path, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      return missing;
    }
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  }

  async function readOn(file: FileHandle): Promise<true> {
    const { size, ino } = await file.stat();
    const there = Buffer.alloc(last.length);
    if (size >= offset) await file.read(there, 0, there.length, offset - there.length);
    if (ino !== inode || size < offset || !there.equals(last)) begin();
    inode = ino;
    let buffer = Buffer.allocUnsafe(Math.max(64, Math.min(chunkBytes, size - offset)));
    while (offset < size) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - offset), offset);
      const whole = bytesRead === 0 ? 0 : buffer.lastIndexOf(10, bytesRead - 1) + 1;
      if (whole === 0) {
        if (bytesRead < buffer.length || offset + bytesRead >= size) break;
        buffer = Buffer.allocUnsafe(buffer.length * 2);
        continue;
      }
      for (let start = 0; start < whole;) {
        const end = buffer.indexOf(10, start);
        const row = parseLine(buffer, start, end);
        if (row !== undefined) {
          starts.push(offset + start);
          ends.push(offset + end);
          onRow?.(row);
        }
        start = end + 1;
      }
      last = Buffer.from(buffer.subarray(Math.max(0, whole - 64), whole));
      offset += whole;
    }
    return true;
  }

  async function read(from: number, count: number): Promise<unknown[]> {
    const until = Math.min(starts.length, from + count);
    if (from >= until) return [];
    return withFile(async (file) => {
      const [start, end] = [starts[from], ends[until - 1]];
      const buffer = Buffer.alloc(end - start);
      await file.read(buffer, 0, buffer.length, start);
      const rows: unknown[] = [];
      for (let i = from; i < until; i++) rows.push(parseLine(buffer, starts[i] - start, ends[i] - start));
      return rows;
    }, []);
  }

  return {
    get rows() {
      return starts.length;
    },
    get generation() {
      return generation;
    },
    refresh() {
      reading ??= withFile<boolean>(readOn, false)
        .then((isThere) => {
          if (!isThere) begin();
        })
        .finally(() => {
          reading = undefined;
        });
      return reading;
    },
    read,
    async scan(visit) {
      for (let from = 0; from < starts.length;) {
        // About as much at a time as the index reads.
        let until = from + 1;
        while (until < starts.length && ends[until] - starts[from] < chunkBytes) until++;
        const rows = await read(from, until - from);
        for (const [i, row] of rows.entries()) visit(row, from + i);
        from = until;
      }
    },
  };
}

function parseLine(buffer: Buffer, start: number, end: number): unknown {
  try {
    return JSON.parse(buffer.toString("utf8", start, end));
  } catch {
    return undefined;
  }
}
