import { copyFile, lstat, mkdir, readFile, rename, stat, symlink, unlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { writeFileAtomic } from "./cache-write.ts";
import type { Repo } from "./client.ts";
import type { HubSettings } from "./settings.ts";

/** Places in the cache, as Python's huggingface_hub lays them out; the two share it. */
export type RepoCache = { folder: string; blob(etag: string): string; snapshot(sha: string): string };

export function createRepoCache(repo: Repo, settings: HubSettings): RepoCache {
  const folder = join(settings.cacheDir, [`${repo.kind}s`, ...repo.id.split("/")].join("--"));
  return { folder, blob: (etag) => join(folder, "blobs", etag), snapshot: (sha) => join(folder, "snapshots", sha) };
}

/** The commit that a branch or tag was at when it was last looked up; a commit stands for itself. */
export async function readCachedCommit(cache: RepoCache, revision: string): Promise<string | undefined> {
  const sha = /^[0-9a-f]{40}$/.test(revision)
    ? revision
    : (await readFile(join(cache.folder, "refs", revision), "utf8").catch(() => "")).trim();
  return sha !== "" && (await exists(cache.snapshot(sha))) ? sha : undefined;
}

export async function writeRef(cache: RepoCache, revision: string, sha: string): Promise<void> {
  if (revision !== sha) await writeFileAtomic(join(cache.folder, "refs", revision), sha);
}

/** Puts a blob into a snapshot under its name: a relative link, or a copy where links are not allowed (Windows). */
export async function linkBlob(blob: string, pointer: string): Promise<void> {
  await mkdir(dirname(pointer), { recursive: true });
  if (await exists(pointer)) return;
  // A dangling link, left when a blob was deleted.
  if (await lstat(pointer).catch(() => undefined)) await unlink(pointer);
  try {
    await symlink(relative(dirname(pointer), blob), pointer);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : "";
    if (code === "EEXIST") return;
    if (code !== "EPERM" && code !== "ENOSYS" && code !== "ENOTSUP" && code !== "EACCES" && code !== "EINVAL") throw cause;
    const aside = `${pointer}.${process.pid}.incomplete`;
    await copyFile(blob, aside);
    await rename(aside, pointer);
  }
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
