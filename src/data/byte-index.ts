import { type FileHandle, open } from "node:fs/promises";

import { SparError } from "../internal/errors.ts";
import { wrapFileError } from "./file-bytes.ts";
import { checkIndex, type IndexedRows } from "./indexed-rows.ts";
import type { Row } from "./row.ts";

const READ_AHEAD = 1 << 20;

/** Grows a list of byte ranges and lines in typed arrays: 20 bytes a row, whatever the rows hold. */
export class ByteIndex {
  #ranges = new Float64Array(2048);
  #lines = new Uint32Array(1024);
  count = 0;

  add(start: number, end: number, line: number): void {
    if (this.count === this.#lines.length) {
      const ranges = new Float64Array(this.#ranges.length * 2);
      ranges.set(this.#ranges);
      this.#ranges = ranges;
      const lines = new Uint32Array(this.#lines.length * 2);
      lines.set(this.#lines);
      this.#lines = lines;
    }
    this.#ranges[2 * this.count] = start;
    this.#ranges[2 * this.count + 1] = end;
    this.#lines[this.count++] = line;
  }

  start(row: number): number {
    return this.#ranges[2 * row]!;
  }

  end(row: number): number {
    return this.#ranges[2 * row + 1]!;
  }

  line(row: number): number {
    return this.#lines[row]!;
  }
}

/**
 * Rows read from an uncompressed file on demand: row i is `parse` of the bytes that `index` gives for it.
 * Reading in order reads ahead; reading at random reads the row's bytes only.
 * @param options.handle the file, when it is open already; it is closed with the rows
 * @param options.onClose what else to do when the rows are closed (removing a temporary file)
 */
export function openIndexedFile<T = Row>(
  path: string,
  index: ByteIndex,
  parse: (bytes: Buffer, line: number) => T,
  options: { shownAs?: string; handle?: FileHandle; onClose?: () => Promise<void>; unit?: "line" | "row" } = {},
): IndexedRows<T> {
  const shownAs = options.shownAs ?? path;
  let handle: Promise<FileHandle> | undefined = options.handle && Promise.resolve(options.handle);
  let closed = false;
  let block: { start: number; bytes: Buffer } = { start: 0, bytes: Buffer.alloc(0) };
  let previous = -2;

  const readRange = async (start: number, length: number, exact: number): Promise<Buffer> => {
    if (closed) throw new SparError("data/closed", `reading ${shownAs}: its rows are closed`);
    handle ??= open(path, "r");
    try {
      const bytes = Buffer.allocUnsafe(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await (await handle).read(bytes, filled, length - filled, start + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      if (filled < exact) throw new SparError("data/changed", `reading ${shownAs}: the file has become shorter since it was opened`);
      return bytes.subarray(0, filled);
    } catch (cause) {
      throw wrapFileError(shownAs, cause);
    }
  };

  return {
    count: index.count,
    async read(row) {
      checkIndex(row, index.count, shownAs);
      const start = index.start(row);
      const length = index.end(row) - start;
      const inBlock = () => start >= block.start && start + length <= block.start + block.bytes.length;
      let bytes: Buffer;
      if (!inBlock() && row !== previous + 1) bytes = await readRange(start, length, length);
      else {
        if (!inBlock()) block = { start, bytes: await readRange(start, Math.max(length, READ_AHEAD), length) };
        bytes = inBlock()
          ? block.bytes.subarray(start - block.start, start - block.start + length)
          : await readRange(start, length, length);
      }
      previous = row;
      try {
        return parse(bytes, index.line(row));
      } catch (cause) {
        throw new SparError("data/changed", `reading ${shownAs}:${index.line(row)}: the row cannot be read any more`, {
          cause,
          hint: "a data file must not be edited during a run",
        });
      }
    },
    place: (row) => ({ file: shownAs, line: index.line(row), unit: options.unit ?? "line" }),
    async close() {
      if (closed) return;
      closed = true;
      await (await handle?.catch(() => undefined))?.close();
      await options.onClose?.();
    },
  };
}
