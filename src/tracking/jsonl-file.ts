/** An append-only file of JSON lines that survives a killed writer: a torn last line is cut off when it is opened again. */

import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";

export interface JsonlFile {
  append(row: unknown): void;
  /** Rewrites the file with only the rows that `keep` accepts. */
  filter(keep: (row: { [key: string]: unknown }) => boolean): void;
  sync(): void;
  close(): void;
}

/** Keeps whole, valid rows; returns the bytes up to the end of the last of them. */
function wholeLength(bytes: Buffer): number {
  let end = bytes.lastIndexOf(10) + 1;
  while (end > 0) {
    const start = end >= 2 ? bytes.lastIndexOf(10, end - 2) + 1 : 0;
    try {
      JSON.parse(bytes.toString("utf8", start, end));
      return end;
    } catch {
      end = start;
    }
  }
  return 0;
}

/** Opens (making it where absent); `fresh` empties it. Rows are with the operating system as soon as `append` returns. */
export function openJsonlFile(path: string, fresh: boolean): JsonlFile {
  let handle = openSync(path, fresh ? "w" : "a+");
  if (!fresh) {
    const bytes = readFileSync(path);
    const whole = wholeLength(bytes);
    if (whole < bytes.length) ftruncateSync(handle, whole);
  }
  return {
    append(row) {
      const line = Buffer.from(`${JSON.stringify(row)}\n`);
      for (let written = 0; written < line.length;) written += writeSync(handle, line, written);
    },
    filter(keep) {
      if (!existsSync(path)) return;
      const lines = readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => line !== "");
      const kept = lines.filter((line) => keep(JSON.parse(line) as { [key: string]: unknown }));
      if (kept.length === lines.length) return;
      closeSync(handle);
      const aside = `${path}.tmp`;
      writeFileSync(aside, kept.map((line) => `${line}\n`).join(""), { flush: true });
      renameSync(aside, path);
      handle = openSync(path, "a+");
    },
    sync: () => fsyncSync(handle),
    close() {
      fsyncSync(handle);
      closeSync(handle);
    },
  };
}
