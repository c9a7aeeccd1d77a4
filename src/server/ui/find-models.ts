/** Models on this machine that the pages can offer: given ones, those that runs left, and the shipped ones. */
import { createHash } from "node:crypto";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { isLocalModel } from "../../hub/index.ts";
import { hasScoreHead, type RawConfig } from "../../models/index.ts";
import { readRunRecord } from "../../tracking/index.ts";
import type { ModelEntry, ModelOrigin } from "./chat/protocol.ts";
import type { Workspace } from "./workspace.ts";

export interface FoundModel extends Omit<ModelEntry, "isLoaded"> {
  /** A folder, a .gguf file, or a hub id that is not on this disk yet. */
  readonly path: string;
  /** Of the files of weights; 0 where they are not on this disk yet. */
  readonly bytes: number;
}

export type ModelPlaces = Pick<Workspace, "root" | "runsFolders" | "models">;

const shippedModels = fileURLToPath(new URL("../../../models", import.meta.url));
const weightFiles = ["model.safetensors", "model.safetensors.index.json"];
const isShard = /^model-\d+-of-\d+\.safetensors$/;
/** Deeper than any run lies; a folder full of other things is not walked to its end. */
const most = { depth: 6, folders: 20_000 };

/** Given ones first, then runs' by time, newest first, then the shipped ones. What cannot be read is left out, unless it was given. */
export async function findModels({ root, runsFolders, models }: ModelPlaces): Promise<FoundModel[]> {
  const given = await Promise.all(models.map((model) => findGiven(root, model)));
  const lists = await Promise.all(
    runsFolders.map(async (runs) => {
      const folders: string[] = [];
      await walk(runs, 0, folders, { left: most.folders });
      return Promise.all(folders.map((path) => describe(path, nameBelow(root, runs, path), "run")));
    }),
  );
  const shipped = await Promise.all(
    (await listFolders(shippedModels)).map((path) => describe(path, `${basename(path)} (shipped)`, "shipped")),
  );
  const known = (found: FoundModel | undefined): found is FoundModel => found !== undefined;
  const ofRuns = lists
    .flat()
    .filter(known)
    .sort((a, b) => (b.modified ?? "").localeCompare(a.modified ?? "") || (b.step ?? Infinity) - (a.step ?? Infinity));
  const all = new Map<string, FoundModel>();
  for (const model of [...given, ...ofRuns, ...shipped.filter(known)]) if (!all.has(model.id)) all.set(model.id, model);
  return nameApart([...all.values()]);
}

/** The model as it is now, without looking for others; undefined where it has gone. */
export async function refreshModel(model: FoundModel): Promise<FoundModel | undefined> {
  if (model.modified === null) return model;
  const now = await describe(model.path, model.name, model.origin === "given" || model.origin === "shipped" ? model.origin : "run");
  return now?.id === model.id ? now : undefined;
}

async function findGiven(root: string, model: string): Promise<FoundModel> {
  const path = isAbsolute(model) ? model : resolve(root, model);
  if (await isLocalModel(path).catch(() => false)) {
    const found = await describe(path, basename(path), "given");
    if (found !== undefined) return found;
  }
  // Loading says what is wrong with it, or downloads it.
  return {
    id: hash(`hub:${model}`),
    name: model,
    path: model,
    kind: "language",
    origin: "given",
    architecture: "",
    method: null,
    step: null,
    modified: null,
    bytes: 0,
  };
}

async function walk(folder: string, depth: number, found: string[], budget: { left: number }): Promise<void> {
  if (depth > most.depth || budget.left-- <= 0) return;
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = new Set(entries.map(({ name }) => name));
  if (names.has("config.json") && weightFiles.some((name) => names.has(name))) found.push(folder);
  for (const entry of entries) {
    if (entry.isFile() && entry.name.endsWith(".gguf")) found.push(join(folder, entry.name));
    // Links are not followed: they may lead in circles.
    else if (entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules")
      await walk(join(folder, entry.name), depth + 1, found, budget);
  }
}

async function listFolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
}

/** Undefined where there is no model, or one that is just being written. */
async function describe(path: string, name: string, origin: ModelOrigin): Promise<FoundModel | undefined> {
  try {
    const real = await realpath(path);
    if (path.endsWith(".gguf")) {
      const { mtime, size } = await stat(real);
      return {
        id: hash(real),
        name,
        path: real,
        kind: "language",
        origin: origin === "run" ? "folder" : origin,
        architecture: "",
        method: null,
        step: null,
        modified: mtime.toISOString(),
        bytes: size,
      };
    }
    const config = JSON.parse(await readFile(join(real, "config.json"), "utf8")) as RawConfig;
    const names = (await readdir(real)).filter((name) => name === "config.json" || weightFiles.includes(name) || isShard.test(name));
    const files = await Promise.all(names.map(async (name) => ({ name, stats: await stat(join(real, name)) })));
    if (!files.some(({ name }) => weightFiles.includes(name))) return undefined;
    const step = /^checkpoint-(\d+)$/.exec(basename(real));
    const run = readRunRecord(real) ?? (step === null ? undefined : readRunRecord(dirname(real)));
    return {
      id: hash(real),
      name,
      path: real,
      kind: hasScoreHead(config) ? "score" : "language",
      origin: origin !== "run" ? origin : step !== null ? "checkpoint" : run === undefined ? "folder" : "run",
      architecture: typeof config["model_type"] === "string" ? config["model_type"] : "",
      method: run?.method ?? null,
      step: step === null ? null : Number(step[1]),
      modified: new Date(Math.max(...files.map(({ stats }) => stats.mtimeMs))).toISOString(),
      bytes: files.reduce((sum, { name, stats }) => sum + (name.endsWith(".safetensors") ? stats.size : 0), 0),
    };
  } catch {
    return undefined;
  }
}

/** `quickstart/ppo` below the folder of runs; a run's folder that was given itself has its own name. */
function nameBelow(root: string, runs: string, path: string): string {
  const below = relative(runs, path);
  if (below === "") return basename(path);
  const isUsual = relative(root, runs) === "runs";
  return (isUsual ? below : join(basename(runs), below)).split(sep).join("/");
}

/** Two of the same name are told apart by what comes before it. */
function nameApart(models: readonly FoundModel[]): FoundModel[] {
  const count = new Map<string, number>();
  for (const { name } of models) count.set(name, (count.get(name) ?? 0) + 1);
  return models.map((model) => ((count.get(model.name) ?? 0) > 1 ? { ...model, name: model.path } : model));
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 12);
}
