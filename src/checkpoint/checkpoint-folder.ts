import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFolderAtomic } from "./atomic-write.ts";
import { explainFileError } from "./file-error.ts";

/** Names every file of a checkpoint with its size; written last, so a folder without it, or that differs, is not whole. */
const MANIFEST = "spar_checkpoint.json";

type Manifest = { schema_version: 1; step: number; files: { [path: string]: number } };

export type Checkpoint = { path: string; step: number };

/** Writes `outputDir/checkpoint-STEP`: all of it or nothing. Returns its path. */
export async function writeCheckpoint(outputDir: string, step: number, write: (folder: string) => Promise<void>): Promise<string> {
  const path = join(outputDir, `checkpoint-${step}`);
  await writeFolderAtomic(path, async (aside) => {
    await write(aside);
    const manifest: Manifest = { schema_version: 1, step, files: await listSizes(aside, "") };
    await writeFile(join(aside, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  });
  return path;
}

/** The whole checkpoints of a run, oldest first; folders that a crash or a copy left incomplete are passed over. */
export async function listCheckpoints(outputDir: string): Promise<Checkpoint[]> {
  let names: string[];
  try {
    names = await readdir(outputDir);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    throw explainFileError(cause, "looking for checkpoints in", outputDir);
  }
  const found: Checkpoint[] = [];
  for (const name of names) {
    const match = /^checkpoint-(\d+)$/.exec(name);
    if (!match) continue;
    const checkpoint = { path: join(outputDir, name), step: Number(match[1]) };
    // A folder renamed by hand is not the state of the step that it names.
    if ((await readCheckpointStep(checkpoint.path)) === checkpoint.step) found.push(checkpoint);
  }
  return found.sort((a, b) => a.step - b.step);
}

export async function findNewestCheckpoint(outputDir: string): Promise<Checkpoint | undefined> {
  return (await listCheckpoints(outputDir)).at(-1);
}

/** The step of a whole checkpoint; undefined where the folder is none, or is damaged. */
export async function readCheckpointStep(path: string): Promise<number | undefined> {
  try {
    const manifest = JSON.parse(await readFile(join(path, MANIFEST), "utf8")) as Manifest;
    for (const [file, size] of Object.entries(manifest.files)) if ((await stat(join(path, file))).size !== size) return undefined;
    return Number.isInteger(manifest.step) ? manifest.step : undefined;
  } catch {
    return undefined;
  }
}

/** Folders named as checkpoints that are not whole. */
export async function listBrokenCheckpoints(outputDir: string): Promise<string[]> {
  const whole = new Set((await listCheckpoints(outputDir)).map(({ path }) => path));
  const names = (await readdir(outputDir).catch(() => [])).filter((name) => /^checkpoint-\d+$/.test(name));
  return names.map((name) => join(outputDir, name)).filter((path) => !whole.has(path));
}

/**
 * Renames the whole checkpoints of steps after `step` to `retired-checkpoint-N`, so that nothing resumes from them.
 * An earlier retired one of that step is replaced.
 */
export async function retireLaterCheckpoints(outputDir: string, step: number): Promise<{ from: string; to: string }[]> {
  const retired: { from: string; to: string }[] = [];
  for (const checkpoint of await listCheckpoints(outputDir)) {
    if (checkpoint.step <= step) continue;
    const to = join(outputDir, `retired-checkpoint-${checkpoint.step}`);
    await rm(to, { recursive: true, force: true });
    await rename(checkpoint.path, to);
    retired.push({ from: checkpoint.path, to });
  }
  return retired;
}

/**
 * Removes the oldest whole checkpoints until `limit` are left (`save_total_limit`; undefined or 0 keeps all). The
 * newest one and those in `keep` (the best one, say) stay. Returns the removed paths.
 */
export async function rotateCheckpoints(outputDir: string, limit: number | undefined, keep: readonly string[] = []): Promise<string[]> {
  if (!limit || limit < 1) return [];
  const all = await listCheckpoints(outputDir);
  const removed: string[] = [];
  const removable = all.slice(0, -1).filter(({ path }) => !keep.includes(path));
  for (const { path } of removable.slice(0, Math.max(0, all.length - limit))) {
    // The manifest goes first: a half-removed folder is then not whole and never resumed from.
    await rm(join(path, MANIFEST), { force: true });
    await rm(path, { recursive: true, force: true });
    removed.push(path);
  }
  return removed;
}

async function listSizes(folder: string, prefix: string): Promise<{ [path: string]: number }> {
  const sizes: { [path: string]: number } = {};
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) Object.assign(sizes, await listSizes(path, `${prefix}${entry.name}/`));
    else sizes[prefix + entry.name] = (await stat(path)).size;
  }
  return sizes;
}
