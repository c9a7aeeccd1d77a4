import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { SparError } from "../internal/errors.ts";

/** A small file, replaced whole. (checkpoint/ has the durable version; a cache can be downloaded again.) */
export async function writeFileAtomic(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const aside = `${path}.${process.pid}.incomplete`;
  await writeFile(aside, text);
  await rename(aside, path);
}

/** A full or forbidden disk, told as what to do; other errors pass unchanged. */
export function explainDisk(error: unknown, path: string): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const reason = {
    ENOSPC: "the disk is full",
    EDQUOT: "the disk quota is used up",
    EROFS: "the file system is read-only",
    EACCES: "permission denied",
    EPERM: "the operation is not permitted",
    ENOTDIR: "a part of the path is a file",
  }[code];
  if (reason === undefined) return error;
  return new SparError("hub/cache", `Writing the cache ${path}: ${reason} (${code}).`, {
    hint: "Free some space, or set HF_HOME to a folder on another disk.",
    cause: error,
  });
}
