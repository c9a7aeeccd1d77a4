import { setTimeout as sleep } from "node:timers/promises";
import { SparError } from "../internal/errors.ts";
import type { HubSettings } from "./settings.ts";

/*
 * Our own client, and not @huggingface/hub's snapshotDownload: that one neither resumes partial files nor reports
 * progress, checks no hashes, prints to the console, downloads every file of a repository, and never looks at
 * HF_TOKEN, HF_HUB_OFFLINE or HF_ENDPOINT. What is needed is two kinds of GET.
 */

export type RepoKind = "model" | "dataset";

export type Repo = { kind: RepoKind; id: string; revision: string };

/** A file of a repository; `etag` names its blob in the cache: sha-256 for large files, git's sha-1 for others. */
export type RepoFile = { path: string; size: number | undefined; etag: string | undefined };

export type RepoInfo = { sha: string; files: RepoFile[] };

const ATTEMPTS = 4;

/** Commit and files of a repository at a revision. */
export async function fetchRepoInfo(repo: Repo, settings: HubSettings): Promise<RepoInfo> {
  const url = `${settings.endpoint}/api/${repo.kind}s/${encodePath(repo.id)}/revision/${encodeURIComponent(repo.revision)}?blobs=true`;
  const response = await fetchHub(url, settings, repo);
  const json = (await response.json().catch(() => undefined)) as { sha?: unknown; siblings?: unknown } | undefined;
  if (typeof json?.sha !== "string" || !/^[0-9a-f]{40}$/.test(json.sha) || !Array.isArray(json.siblings))
    throw new SparError(
      "hub/bad-answer",
      `Looking up ${describeRepo(repo)}: ${settings.endpoint} did not answer as a Hugging Face hub does.`,
      {
        hint: "Check HF_ENDPOINT, and whether a proxy or login page is in between.",
      },
    );
  const files = (json.siblings as { rfilename: string; size?: number; blobId?: string; lfs?: { sha256?: string; size?: number } }[]).map(
    (file) => {
      checkPath(file.rfilename, repo);
      return { path: file.rfilename, size: file.lfs?.size ?? file.size, etag: file.lfs?.sha256 ?? file.blobId };
    },
  );
  return { sha: json.sha, files };
}

/** Names come from the repository's owner and are joined to the cache's path: none may lead out of it. */
function checkPath(path: unknown, repo: Repo): void {
  const safe =
    typeof path === "string" &&
    path.length > 0 &&
    !/[\\\0]|^[a-zA-Z]:/.test(path) &&
    path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (!safe)
    throw new SparError(
      "hub/unsafe-path",
      `Listing ${describeRepo(repo)}: the file name ${JSON.stringify(path)} would lead outside its folder; refused.`,
    );
}

export function formatFileUrl(repo: Repo, sha: string, path: string, settings: HubSettings): string {
  const prefix = repo.kind === "dataset" ? "datasets/" : "";
  return `${settings.endpoint}/${prefix}${encodePath(repo.id)}/resolve/${sha}/${encodePath(path)}`;
}

export function describeRepo(repo: Repo): string {
  return `${repo.kind} ${repo.id}${repo.revision === "main" ? "" : `@${repo.revision}`}`;
}

function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** GET with the token, a few patient retries where the server or the network is at fault, and errors that say what to do. */
export async function fetchHub(
  url: string,
  settings: HubSettings,
  repo: Repo,
  headers: { [name: string]: string } = {},
): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    let response: Response;
    try {
      const authorization: { [name: string]: string } = settings.token === undefined ? {} : { authorization: `Bearer ${settings.token}` };
      response = await fetch(url, { headers: { "accept-encoding": "identity", "user-agent": "spar", ...authorization, ...headers } });
    } catch (cause) {
      if (attempt < ATTEMPTS && !isHopeless(cause)) {
        await sleep(125 * 2 ** attempt);
        continue;
      }
      throw new SparError(
        "hub/no-network",
        `Downloading ${describeRepo(repo)}: ${new URL(url).host} cannot be reached (${explainNetwork(cause)}).`,
        {
          hint: "Check the network (HTTP proxies are not used), or give a local folder. HF_HUB_OFFLINE=1 uses only what is in the cache.",
          cause,
        },
      );
    }
    if (response.ok) return response;
    if ((response.status === 429 || response.status >= 500) && attempt < ATTEMPTS) {
      await response.body?.cancel();
      const wait = Number(response.headers.get("retry-after"));
      await sleep(wait > 0 ? Math.min(wait, 30) * 1000 : 125 * 2 ** attempt);
      continue;
    }
    await response.body?.cancel();
    throw explainStatus(response, settings, repo);
  }
}

function isHopeless(error: unknown): boolean {
  return /ENOTFOUND|ECONNREFUSED|ENETUNREACH|CERT/.test(explainNetwork(error));
}

function explainNetwork(error: unknown): string {
  const cause: unknown = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? `${String(cause.code)} ` : "";
  return `${code}${cause instanceof Error ? cause.message : String(cause)}`.trim();
}

function explainStatus(response: Response, settings: HubSettings, repo: Repo): SparError {
  const { status } = response;
  const code = response.headers.get("x-error-code");
  const what = describeRepo(repo);
  const page = `${settings.endpoint}/${repo.kind === "dataset" ? "datasets/" : ""}${repo.id}`;
  if (code === "GatedRepo")
    return new SparError("hub/gated", `Downloading ${what}: the ${repo.kind} is gated (HTTP ${status}); its owner must let you in first.`, {
      hint:
        settings.token === undefined
          ? `Ask for access at ${page}, then set HF_TOKEN to an access token of your account.`
          : `HF_TOKEN's account has no access yet: ask for it at ${page}.`,
    });
  if (code === "RevisionNotFound")
    return new SparError("hub/no-revision", `Downloading ${what}: the ${repo.kind} exists, but has no revision "${repo.revision}".`, {
      hint: `See its branches and tags at ${page}/tree/main.`,
    });
  if (code === "EntryNotFound")
    return new SparError("hub/no-file", `Downloading ${what}: the file ${new URL(response.url).pathname} is not there (HTTP ${status}).`);
  // The hub answers 401 for what does not exist, so as not to tell what is private.
  if (code === "RepoNotFound" || status === 404)
    return new SparError(
      "hub/not-found",
      `Downloading ${what}: there is no such ${repo.kind} at ${settings.endpoint}, or it is private (HTTP ${status}).`,
      {
        hint: `Check the spelling (organisation/name), or give a local folder as ./path.${settings.token === undefined ? " Private ones need HF_TOKEN." : ""}`,
      },
    );
  if (status === 401 || status === 403)
    return new SparError("hub/no-access", `Downloading ${what}: access denied (HTTP ${status}).`, {
      hint:
        settings.token === undefined
          ? "Set HF_TOKEN to an access token."
          : "HF_TOKEN is invalid, expired or lacks the right to read this repository.",
    });
  return new SparError("hub/http", `Downloading ${what}: ${new URL(response.url).host} answered HTTP ${status}.`, {
    hint: "Try again later; what is already downloaded is kept.",
  });
}
