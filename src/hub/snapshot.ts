import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { SparError } from "../internal/errors.ts";
import { explainDisk } from "./cache-write.ts";
import { createRepoCache, exists, linkBlob, readCachedCommit, writeRef, type RepoCache } from "./cache.ts";
import { describeRepo, fetchRepoInfo, formatFileUrl, type Repo, type RepoFile } from "./client.ts";
import { downloadBlob } from "./download.ts";
import type { HubSettings } from "./settings.ts";

/** Bytes of all files asked for; `total` counts only those whose size is known. */
export type DownloadProgress = { repo: string; file: string; done: number; total: number };

/** A repository at one commit: its files' names, and a way to have some of them in the cache. */
export type Snapshot = {
  sha: string;
  folder: string;
  /** Not looked up: only what is in the cache can be had. */
  cached: boolean;
  /** Names of all files; offline, of those in the cache. */
  paths: string[];
  download(paths: readonly string[], onProgress?: (progress: DownloadProgress) => void): Promise<void>;
};

/** Opens a repository: the revision becomes a commit first, so that all files are of one version. */
export async function openSnapshot(repo: Repo, settings: HubSettings): Promise<Snapshot> {
  const cache = createRepoCache(repo, settings);
  if (settings.offline) return openCached(repo, cache, "HF_HUB_OFFLINE is set");
  let info;
  try {
    info = await fetchRepoInfo(repo, settings);
  } catch (cause) {
    // Without a network, what is in the cache serves, as in Python.
    if (!(cause instanceof SparError) || cause.code !== "hub/no-network") throw cause;
    if ((await readCachedCommit(cache, repo.revision)) === undefined) throw cause;
    return openCached(repo, cache, "the hub cannot be reached");
  }
  const { sha, files } = info;
  const byPath = new Map(files.map((file) => [file.path, file]));
  return {
    sha,
    folder: cache.snapshot(sha),
    cached: false,
    paths: files.map(({ path }) => path),
    async download(paths, onProgress) {
      const wanted = paths.map((path) => byPath.get(path)!);
      try {
        await downloadFiles(repo, sha, wanted, cache, settings, onProgress);
        await writeRef(cache, repo.revision, sha);
      } catch (cause) {
        throw explainDisk(cause, cache.folder);
      }
    },
  };
}

async function openCached(repo: Repo, cache: RepoCache, why: string): Promise<Snapshot> {
  const sha = await readCachedCommit(cache, repo.revision);
  if (sha === undefined)
    throw new SparError("hub/offline", `Loading ${describeRepo(repo)}: it is not in the cache (${cache.folder}), and ${why}.`, {
      hint: "Download it once with a network, or give a local folder.",
    });
  const folder = cache.snapshot(sha);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    );
  return { sha, folder, cached: true, paths: paths.sort(), download: async () => undefined };
}

async function downloadFiles(
  repo: Repo,
  sha: string,
  files: readonly RepoFile[],
  cache: RepoCache,
  settings: HubSettings,
  onProgress?: (progress: DownloadProgress) => void,
): Promise<void> {
  const total = files.reduce((sum, { size }) => sum + (size ?? 0), 0);
  let before = 0;
  // Small files first: a wrong repository shows before gigabytes are there.
  for (const file of [...files].sort((a, b) => (a.size ?? 0) - (b.size ?? 0))) {
    const pointer = join(cache.snapshot(sha), ...file.path.split("/"));
    const report = (bytes: number) => onProgress?.({ repo: repo.id, file: file.path, done: before + bytes, total });
    if (!(await exists(pointer))) {
      // Hubs that announce no hashes: the blob is named after commit and path.
      const blob = cache.blob(file.etag ?? `${sha}-${encodeURIComponent(file.path)}`);
      await downloadBlob(formatFileUrl(repo, sha, file.path, settings), file, blob, repo, settings, report);
      await linkBlob(blob, pointer);
    }
    report(file.size ?? 0);
    before += file.size ?? 0;
  }
}
