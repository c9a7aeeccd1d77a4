/** Reads the head of a GGUF file, and no more of the file than that takes. */
import { open, stat, type FileHandle } from "node:fs/promises";
import { GgufHeaderContinues, parseGgufHeader, refuseGguf, type GgufHeader } from "./gguf-header.ts";

const FIRST_BYTES = 1 << 22;

/** A model is a folder, or one file of this kind. A folder may be called so too; a path to nothing counts as a file. */
export async function isGgufFile(path: string): Promise<boolean> {
  if (!path.toLowerCase().endsWith(".gguf")) return false;
  return stat(path).then(
    (stats) => !stats.isDirectory(),
    () => true,
  );
}

/** The head of an open file. Throws `checkpoint/malformed` with the file's name and the reason. */
export async function readGgufHeader(file: FileHandle, path: string): Promise<GgufHeader & { fileBytes: number }> {
  const stats = await file.stat();
  if (!stats.isFile()) throw refuseGguf(path, "not a regular file");
  for (let wanted = FIRST_BYTES; ;) {
    const bytes = Buffer.allocUnsafe(Math.min(wanted, stats.size));
    for (let done = 0; done < bytes.length;) {
      const { bytesRead } = await file.read(bytes, done, bytes.length - done, done);
      if (bytesRead === 0) throw refuseGguf(path, `the file ended at byte ${done} while it was read (truncated)`);
      done += bytesRead;
    }
    try {
      return { ...parseGgufHeader(bytes, stats.size, path), fileBytes: stats.size };
    } catch (error) {
      if (!(error instanceof GgufHeaderContinues)) throw error;
      wanted = Math.max(2 * wanted, error.bytes);
    }
  }
}

/** The head of a file by its path; errors of the operating system pass unchanged. */
export async function loadGgufHeader(path: string): Promise<GgufHeader> {
  const file = await open(path, "r");
  try {
    return await readGgufHeader(file, path);
  } finally {
    await file.close();
  }
}
