import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { explainFileError } from "./file-error.ts";

/** Prefix of what is being written or replaced; never mistaken for a finished file or folder. */
export const ASIDE_PREFIX = ".spar-aside-";

let counter = 0;

function createAsidePath(path: string): string {
  return join(dirname(path), `${ASIDE_PREFIX}${process.pid}-${counter++}-${basename(path)}`);
}

/** Whoever reads `path` finds the old content or the whole new one, also after a power cut. */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const aside = createAsidePath(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(aside, "wx");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw explainFileError(cause, "writing", path);
  }
}

/**
 * `write` fills a folder beside `path`; then every file is synced and the folder renamed to `path`. When anything
 * fails, `path` and everything in it are as before. A folder already at `path` is replaced at the last moment.
 */
export async function writeFolderAtomic(path: string, write: (aside: string) => Promise<void>): Promise<void> {
  const aside = createAsidePath(path);
  const old = createAsidePath(path);
  try {
    await mkdir(aside, { recursive: true });
    await write(aside);
    await syncTree(aside);
    const replaced = await renameIfPresent(path, old);
    try {
      await rename(aside, path);
    } catch (cause) {
      if (replaced) await rename(old, path);
      throw cause;
    }
    await syncFolder(dirname(path));
    if (replaced) await rm(old, { recursive: true, force: true });
  } catch (cause) {
    await rm(aside, { recursive: true, force: true }).catch(() => undefined);
    throw explainFileError(cause, "writing", path);
  }
}

/** Moves every file of a folder written aside into `folder`, each by rename; for the final model in `output_dir`. */
export async function writeIntoFolder(folder: string, write: (aside: string) => Promise<void>): Promise<void> {
  const aside = join(folder, `${ASIDE_PREFIX}${process.pid}-${counter++}`);
  try {
    await mkdir(aside, { recursive: true });
    await write(aside);
    await syncTree(aside);
    for (const name of (await readdir(aside)).sort()) {
      const target = join(folder, name);
      await rename(join(aside, name), target).catch(async (cause: NodeJS.ErrnoException) => {
        if (cause.code !== "ENOTEMPTY" && cause.code !== "EEXIST") throw cause;
        await rm(target, { recursive: true });
        await rename(join(aside, name), target);
      });
    }
    await syncFolder(folder);
  } catch (cause) {
    throw explainFileError(cause, "writing into", folder);
  } finally {
    await rm(aside, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Removes what killed processes left half-written in `folder`; safe only while no other process writes there. */
export async function removeAsides(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) if (name.startsWith(ASIDE_PREFIX)) await rm(join(folder, name), { recursive: true, force: true });
}

async function renameIfPresent(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return false;
    throw cause;
  }
}

async function syncTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    // A read-only file can be synced as well, except on Windows, which wants to write for it.
    else if (entry.isFile()) await syncPath(path, process.platform === "win32" ? "r+" : "r");
  }
  await syncFolder(folder);
}

async function syncPath(path: string, flags: string): Promise<void> {
  const file = await open(path, flags);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes a rename durable. Windows cannot open folders and needs no such call. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform !== "win32") await syncPath(path, "r");
}
