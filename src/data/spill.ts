import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { SparError } from "../internal/errors.ts";
import { ByteIndex, openIndexedFile } from "./byte-index.ts";
import type { IndexedRows } from "./indexed-rows.ts";

const FLUSH_AT = 1 << 20;

/** Records on their way to a temporary file. */
export interface Spill {
  add(record: string | Uint8Array, line: number): Promise<void>;
  /** Ends writing; the rows can be read at random until they are closed. */
  open<T>(shownAs: string, parse: (bytes: Buffer, line: number) => T, unit: "line" | "row"): Promise<IndexedRows<T>>;
  discard(): Promise<void>;
}

/**
 * A temporary file for rows that fit neither in memory nor have random access where they are. Where the
 * system allows it the file's name is removed at once, so that nothing is left behind even after kill -9.
 */
export async function createSpill(tempDir: string = tmpdir()): Promise<Spill> {
  const path = join(tempDir, `spar-data-${randomUUID()}.tmp`);
  let handle: FileHandle;
  try {
    handle = await open(path, "wx+");
  } catch (cause) {
    throw spillError(tempDir, cause);
  }
  const unlinked = await unlink(path).then(
    () => true,
    () => false,
  );
  const removeFile = async () => {
    if (!unlinked) await unlink(path).catch(() => undefined);
  };
  const index = new ByteIndex();
  let pending: Buffer[] = [];
  let pendingLength = 0;
  let offset = 0;
  const flush = async () => {
    if (pending.length === 0) return;
    const bytes = Buffer.concat(pending);
    pending = [];
    pendingLength = 0;
    try {
      for (let done = 0; done < bytes.length;) done += (await handle.write(bytes, done)).bytesWritten;
    } catch (cause) {
      throw spillError(tempDir, cause);
    }
  };
  return {
    async add(record, line) {
      const bytes = typeof record === "string" ? Buffer.from(record, "utf8") : Buffer.from(record);
      index.add(offset, offset + bytes.length, line);
      offset += bytes.length;
      pending.push(bytes);
      pendingLength += bytes.length;
      if (pendingLength > FLUSH_AT) await flush();
    },
    async open(shownAs, parse, unit) {
      await flush();
      return openIndexedFile(path, index, parse, { shownAs, handle, unit, onClose: removeFile });
    },
    async discard() {
      await handle.close();
      await removeFile();
    },
  };
}

function spillError(tempDir: string, cause: unknown): SparError {
  return new SparError(
    "data/no-space",
    `reading data: cannot write a temporary file in ${tempDir} (${cause instanceof Error ? cause.message : String(cause)})`,
    { cause, hint: "data larger than memory needs room there; set TMPDIR to a folder with space, or unpack the file to plain JSONL" },
  );
}
