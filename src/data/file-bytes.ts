import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createGunzip } from "node:zlib";

import { SparError } from "../internal/errors.ts";

/** Turns a failed file operation into an error that names the file and what to do. */
export function wrapFileError(path: string, cause: unknown): SparError {
  if (cause instanceof SparError) return cause;
  const code = (cause as NodeJS.ErrnoException)?.code ?? "";
  if (code === "ENOENT") {
    return new SparError("data/not-found", `reading data: ${path} does not exist`, {
      cause,
      hint: "paths are relative to the folder the command is started in",
    });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new SparError("data/unreadable", `reading data: no permission to read ${path}`, { cause });
  }
  if (code === "EISDIR") {
    return new SparError("data/unreadable", `reading data: ${path} is a folder, expected a file`, { cause });
  }
  if (code.startsWith("Z_") || code === "ERR_BUFFER_TOO_LARGE") {
    return new SparError("data/unreadable", `reading data: ${path} is not whole gzip data (${describe(cause)})`, {
      cause,
      hint: "download or compress it again, or take the .gz off its name if it is not compressed",
    });
  }
  return new SparError("data/unreadable", `reading data: ${path}: ${describe(cause)}`, { cause });
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** The file's bytes, unpacked where its name ends in .gz. */
export async function* readBytes(path: string, options: { start?: number } = {}): AsyncGenerator<Buffer> {
  const file = createReadStream(path, { highWaterMark: 1 << 18, start: options.start ?? 0 });
  let stream: AsyncIterable<Buffer> = file;
  if (path.toLowerCase().endsWith(".gz")) {
    const gunzip = createGunzip({ chunkSize: 1 << 18 });
    file.on("error", (error) => gunzip.destroy(error));
    stream = file.pipe(gunzip);
  }
  try {
    for await (const chunk of stream) yield chunk;
  } catch (cause) {
    throw wrapFileError(path, cause);
  } finally {
    file.destroy();
  }
}

export async function readFileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    throw wrapFileError(path, cause);
  }
}
