/** What could not be sent, on disk in the order in which it came: JSON lines, read from the front and written at the end. */

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export interface UnsentFile {
  /** Rows in it that `take` has not given yet. */
  readonly count: number;
  append(items: readonly unknown[]): void;
  /** Up to `most` rows from the front. They stay on disk until `settle`. */
  take(most: number): unknown[];
  /**
   * Writes `items` (taken, but not sent after all) in front of what is left, and removes the file where nothing is.
   * Afterwards the file is as it should lie there between two runs.
   */
  settle(items: readonly unknown[]): void;
}

const chunkSize = 1 << 20;

/** Opens nothing and makes nothing before there is something to write. Lines that are not JSON are passed over. */
export function openUnsentFile(path: string): UnsentFile {
  let position = 0;
  let rest = Buffer.alloc(0);
  let lines: string[] = [];
  let count = 0;

  /** Whole lines from `position` on, one chunk at a time. */
  function readLines(): boolean {
    if (!existsSync(path)) return false;
    const handle = openSync(path, "r");
    try {
      const chunk = Buffer.alloc(chunkSize);
      const length = readSync(handle, chunk, 0, chunkSize, position);
      if (length === 0) return false;
      position += length;
      const text = Buffer.concat([rest, chunk.subarray(0, length)]);
      const end = text.lastIndexOf(10) + 1;
      rest = Buffer.from(text.subarray(end));
      lines.push(
        ...text
          .toString("utf8", 0, end)
          .split("\n")
          .filter((line) => line !== ""),
      );
      return true;
    } finally {
      closeSync(handle);
    }
  }

  function countLines(): number {
    let total = 0;
    while (readLines()) {
      total += lines.length;
      lines = [];
    }
    // What a killed writer left of its last line is no row, but is passed over like one; the next has a line of its own.
    if (rest.length > 0) {
      appendText("\n");
      total++;
    }
    position = 0;
    rest = Buffer.alloc(0);
    return total;
  }

  function appendText(text: string): void {
    mkdirSync(dirname(path), { recursive: true });
    const handle = openSync(path, "a", 0o600);
    try {
      const bytes = Buffer.from(text);
      for (let written = 0; written < bytes.length;) written += writeSync(handle, bytes, written);
    } finally {
      closeSync(handle);
    }
  }

  const toText = (items: readonly unknown[]): string => items.map((item) => `${JSON.stringify(item)}\n`).join("");

  const file: UnsentFile = {
    get count() {
      return count;
    },
    append(items) {
      if (items.length === 0) return;
      appendText(toText(items));
      count += items.length;
    },
    take(most) {
      const taken: unknown[] = [];
      while (taken.length < most && count > 0) {
        if (lines.length === 0 && !readLines()) break;
        for (const line of lines.splice(0, most - taken.length)) {
          count--;
          try {
            taken.push(JSON.parse(line));
          } catch {
            // A line that a full disk tore.
          }
        }
      }
      return taken;
    },
    settle(items) {
      if (items.length === 0 && count === 0) {
        rmSync(path, { force: true });
        return;
      }
      const unchanged = items.length === 0 && position === 0;
      if (unchanged) return;
      const aside = `${path}.tmp`;
      mkdirSync(dirname(path), { recursive: true });
      const handle = openSync(aside, "w", 0o600);
      try {
        const write = (text: string): void => {
          const bytes = Buffer.from(text);
          for (let written = 0; written < bytes.length;) written += writeSync(handle, bytes, written);
        };
        write(toText(items));
        for (let left = file.take(1000); left.length > 0; left = file.take(1000)) write(toText(left));
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
      renameSync(aside, path);
      [position, rest, lines] = [0, Buffer.alloc(0), []];
      count = countLines();
    },
  };
  if (existsSync(path) && statSync(path).size > 0) count = countLines();
  return file;
}
