import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SparError } from "../internal/errors.ts";
import { exists } from "./cache.ts";
import { describeRepo, fetchHub, type Repo, type RepoFile } from "./client.ts";
import type { HubSettings } from "./settings.ts";

/** How often a cut connection is taken up again where it broke. */
const RESUMES = 5;

/**
 * Downloads a file to `blob`, going on with what an earlier try left in `blob`.incomplete; its size and hash are
 * checked before it gets its name. `onBytes` hears the bytes of this file that are there.
 */
export async function downloadBlob(
  url: string,
  file: RepoFile,
  blob: string,
  repo: Repo,
  settings: HubSettings,
  onBytes: (bytes: number) => void,
): Promise<void> {
  await mkdir(dirname(blob), { recursive: true });
  const release = await lock(`${blob}.lock`);
  try {
    if (await exists(blob)) return;
    const incomplete = `${blob}.incomplete`;
    for (let attempt = 0; ; attempt++) {
      const problem = await downloadRest(url, file, incomplete, repo, settings, onBytes);
      if (problem === undefined) break;
      if (attempt >= RESUMES)
        throw new SparError(
          "hub/interrupted",
          `Downloading ${file.path} of ${describeRepo(repo)}: the connection broke again and again (${problem}).`,
          {
            hint: "Run the command again: it goes on where this download stopped.",
          },
        );
      await sleep(100 * 2 ** attempt);
    }
    await checkContent(incomplete, file, repo);
    await rename(incomplete, blob);
  } finally {
    await release();
  }
}

/** One request for what is missing. Returns what went wrong, or undefined when all is there. */
async function downloadRest(
  url: string,
  file: RepoFile,
  path: string,
  repo: Repo,
  settings: HubSettings,
  onBytes: (bytes: number) => void,
): Promise<string | undefined> {
  let have = await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
  if (file.size !== undefined && have === file.size) return undefined;
  if (file.size !== undefined && have > file.size) have = 0;
  const response = await fetchHub(url, settings, repo, have > 0 ? { range: `bytes=${have}-` } : {});
  // A server that ignores the range sends everything again.
  if (have > 0 && response.status !== 206) have = 0;
  const length = Number(response.headers.get("content-length") ?? NaN);
  const total = file.size ?? (Number.isFinite(length) ? have + length : undefined);
  const output = await open(path, have > 0 ? "a" : "w");
  try {
    if (!response.body) return "an empty answer";
    for await (const chunk of response.body) {
      await output.writeFile(chunk);
      have += chunk.byteLength;
      onBytes(have);
    }
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && /^E(NOSPC|DQUOT|ROFS|ACCES|IO)$/.test(String(cause.code))) throw cause;
    return cause instanceof Error ? cause.message : String(cause);
  } finally {
    await output.close();
  }
  return total === undefined || have >= total ? undefined : `${have} of ${total} bytes`;
}

async function checkContent(path: string, file: RepoFile, repo: Repo): Promise<void> {
  const { size } = await stat(path);
  // 64 hex digits: the content's sha-256; 40: git's sha-1 of a header and the content. Others (weak etags) say nothing.
  const kind = /^[0-9a-f]{64}$/.test(file.etag ?? "") ? "sha256" : /^[0-9a-f]{40}$/.test(file.etag ?? "") ? "sha1" : undefined;
  let found: string | undefined;
  if (kind) {
    const hash = createHash(kind);
    if (kind === "sha1") hash.update(`blob ${size}\0`);
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
    found = hash.digest("hex");
  }
  if ((file.size === undefined || size === file.size) && (found === undefined || found === file.etag)) return;
  await rm(path, { force: true });
  throw new SparError(
    "hub/damaged",
    `Downloading ${file.path} of ${describeRepo(repo)}: what arrived is not what the hub announced (${size} bytes${file.size === undefined ? "" : `, expected ${file.size}`}${found === undefined ? "" : `; hash ${found}`}).`,
    {
      hint: "It was removed; try again. A proxy that changes content may be in between.",
    },
  );
}

/** Two processes that want the same file: the second waits. A lock of a process that is gone is taken over. */
async function lock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: "wx" });
      return () => rm(path, { force: true });
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
      const text = await readFile(path, "utf8").catch(() => "");
      const pid = Number(text);
      // Just made and still empty counts as held, unless it stays so.
      const age = await stat(path).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      if ((pid > 0 && !isAlive(pid)) || (text === "" && age > 5000)) await rm(path, { force: true });
      else await sleep(100);
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM";
  }
}
