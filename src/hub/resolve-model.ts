import { stat } from "node:fs/promises";
import { join } from "node:path";
import { SparError } from "../internal/errors.ts";
import { describeRepo, type Repo, type RepoKind } from "./client.ts";
import { readHubSettings, type HubSettings } from "./settings.ts";
import { openSnapshot, type DownloadProgress, type Snapshot } from "./snapshot.ts";

export type ResolveOptions = {
  /** Branch, tag or commit; wins over `@revision` in the id. */
  revision?: string;
  onProgress?: (progress: DownloadProgress) => void;
  /** Instead of the environment's settings. */
  settings?: HubSettings;
};

/** What a model of spar consists of; other weights in a repository (pickles, ONNX, TensorFlow, duplicates) stay there. */
const WEIGHTS = /^(model|adapter_model)(-\d{5}-of-\d{5})?\.safetensors$|^model\.safetensors\.index\.json$/;
const OTHERS = /^[^/]+\.(json|jinja|txt)$|^additional_chat_templates\/[^/]+\.jinja$/;

/**
 * The folder of a model: a folder is itself (a .gguf file too), `org/name[@revision]` is downloaded into the cache it
 * shares with Python. A repository whose only weights are one .gguf file gives that file's path. Throws `hub/…` with a hint for gated, missing, private, offline and broken ones.
 * @param options.allowPatterns names with `*`, instead of the files a model needs
 */
export async function resolveModel(
  idOrPath: string,
  options: ResolveOptions & { allowPatterns?: readonly string[] } = {},
): Promise<string> {
  if (await isLocalModel(idOrPath)) return idOrPath;
  const repo = parseRepo("model", idOrPath, options.revision);
  const snapshot = await openSnapshot(repo, options.settings ?? (await readHubSettings())).catch((cause: unknown) => {
    // Most often a path was meant.
    if (!(cause instanceof SparError) || !["hub/not-found", "hub/offline", "hub/no-network"].includes(cause.code)) throw cause;
    const message = `${cause.message} There is no folder ${JSON.stringify(idOrPath)} here, so it was taken for a hub id.`;
    throw new SparError(cause.code, message, { cause, ...(cause.hint === undefined ? {} : { hint: cause.hint }) });
  });
  if (options.allowPatterns) {
    const patterns = options.allowPatterns.map(createGlob);
    await snapshot.download(
      snapshot.paths.filter((path) => patterns.some((pattern) => pattern.test(path))),
      options.onProgress,
    );
    return snapshot.folder;
  }
  if (!snapshot.paths.some((path) => WEIGHTS.test(path) && path.endsWith(".safetensors"))) {
    // A repository of GGUF files holds one for each quantisation; which to take is not ours to guess.
    const [gguf, ...others] = snapshot.paths.filter((path) => /^[^/]+\.gguf$/.test(path));
    if (gguf === undefined || others.length > 0) throw refuseWeights(repo, snapshot);
    await snapshot.download([gguf], options.onProgress);
    return join(snapshot.folder, gguf);
  }
  await snapshot.download(
    snapshot.paths.filter((path) => WEIGHTS.test(path) || OTHERS.test(path)),
    options.onProgress,
  );
  return snapshot.folder;
}

function refuseWeights(repo: Repo, { paths, cached, folder }: Snapshot): SparError {
  if (cached)
    return new SparError(
      "hub/offline",
      `Loading ${describeRepo(repo)}: only a part of it is in the cache (${folder}), without model.safetensors.`,
      { hint: "Download it once with a network, or give a local folder." },
    );
  const pickle = paths.find((path) => /\.(bin|pt|pth|ckpt)$/.test(path));
  const gguf = paths.find((path) => path.endsWith(".gguf"));
  const found =
    pickle !== undefined
      ? `only ${pickle}, a Python pickle`
      : gguf !== undefined
        ? `several GGUF files (${paths.filter((path) => path.endsWith(".gguf")).length}: ${gguf} …)`
        : "no weights";
  return new SparError("hub/no-safetensors", `Downloading ${describeRepo(repo)}: expected model.safetensors, found ${found}.`, {
    hint:
      pickle === undefined
        ? gguf === undefined
          ? "Choose a model that has safetensors."
          : "Download one of them and give its path, or choose a model that has safetensors."
        : "See whether a revision such as refs/pr/1 has safetensors, or convert it once with Python: AutoModel….from_pretrained(id).save_pretrained(folder).",
  });
}

/**
 * True for a folder or a .gguf file, false for what may be a hub id; asks no network.
 * @throws SparError `hub/no-such-folder` for what is neither, `hub/not-a-model` for another file
 */
export async function isLocalModel(idOrPath: string): Promise<boolean> {
  const stats = await stat(idOrPath).catch(() => undefined);
  if (stats?.isDirectory() === true || (stats !== undefined && idOrPath.endsWith(".gguf"))) return true;
  if (stats !== undefined)
    throw new SparError(
      "hub/not-a-model",
      `Loading the model ${JSON.stringify(idOrPath)}: expected a folder or a .gguf file, found another file.`,
      {
        hint: "Give the folder that holds config.json and model.safetensors.",
      },
    );
  parseRepo("model", idOrPath);
  return false;
}

/** `org/name[@revision]`, or an error that takes what looks like a path for a path. */
export function parseRepo(kind: RepoKind, text: string, revision?: string): Repo {
  const match = /^([A-Za-z0-9][\w.-]*(?:\/[A-Za-z0-9][\w.-]*)?)(?:@([\w./-]+))?$/.exec(text);
  if (
    match &&
    !match[1]!.includes("..") &&
    !match[1]!.includes("--") &&
    !match[1]!.endsWith(".gguf") &&
    !match[2]?.split("/").includes("..")
  )
    return { kind, id: match[1]!, revision: revision ?? match[2] ?? "main" };
  throw new SparError(
    "hub/no-such-folder",
    `Loading the ${kind} ${JSON.stringify(text)}: there is no such folder, and it is not a hub id (organisation/name[@revision]).`,
    {
      hint: "Check the path; relative paths start at the current folder.",
    },
  );
}

/** `*` stands for anything, slashes too, as in Python's snapshot_download. */
export function createGlob(pattern: string): RegExp {
  const body = pattern
    .replace(/[\\^$.+()[\]{}|]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${body}$`);
}
