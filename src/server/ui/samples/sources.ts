/** Where texts to compare lie: runs' samples.jsonl, reports, and files of completions. Files are read anew when they have changed. */
import { createHash } from "node:crypto";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, join, relative, sep } from "node:path";
import { parseRows, readEvaluationColumns, readFileColumns, readRunColumns, type SampleColumn } from "./columns.ts";
import { pickFirstColumns } from "./first-columns.ts";
import type { Source, SourceColumn, SourceKind } from "./protocol.ts";
import type { Workspace } from "../workspace.ts";

export interface LoadedSource {
  readonly source: Source;
  /** In the order of `source.columns`. */
  readonly columns: readonly SampleColumn[];
}

export interface SampleSources {
  /** Newest first; those without a text that can be shown are left out. */
  load(): Promise<LoadedSource[]>;
  /** Only the sources of these columns, as they are now. */
  loadColumns(ids: readonly string[]): Promise<LoadedSource[]>;
  /** One file, or undefined where there is nothing in it. */
  loadFile(path: string, kind: SourceKind): Promise<LoadedSource | undefined>;
}

/** Where texts that were generated on the page are kept, below the workspace. */
export const generatedFolder = "samples";

/** Of a larger file its end is read: a run's newest samples. */
const mostBytes = 32 * 2 ** 20;
/** Larger files that nobody named are data to train on, and not to be looked at. */
const mostListedBytes = 8 * 2 ** 20;
const most = { depth: 6, folders: 20_000 };

export function createSampleSources({
  root,
  runsFolders,
  dataFiles,
}: Pick<Workspace, "root" | "runsFolders" | "dataFiles">): SampleSources {
  const cache = new Map<string, { kind: SourceKind; version: string; loaded: LoadedSource | undefined }>();

  const loadFile: SampleSources["loadFile"] = async (path, kind) => {
    const versions = await Promise.all([path, join(dirname(path), "report.json")].map(readVersion));
    if (versions[0] === undefined) return undefined;
    const version = versions.map((one) => one?.text ?? "").join(" ");
    const known = cache.get(path);
    if (known?.version === version) return known.loaded;
    const loaded = await readSource(root, path, kind, new Date(versions[0].time)).catch(() => undefined);
    cache.set(path, { kind, version, loaded });
    return loaded;
  };

  const load = async (): Promise<LoadedSource[]> => {
    const found = new Map<string, SourceKind>();
    for (const path of dataFiles) if (extname(path) === ".jsonl") found.set(path, "file");
    for (const path of await listJsonLines(root)) if (!found.has(path)) found.set(path, "file");
    for (const path of await listJsonLines(join(root, generatedFolder))) found.set(path, "generated");
    for (const folder of runsFolders) {
      const samples: string[] = [];
      await walk(folder, 0, samples, { left: most.folders });
      for (const path of samples) found.set(path, "run");
    }
    for (const path of cache.keys()) if (!found.has(path)) cache.delete(path);
    const all = await Promise.all([...found].map(([path, kind]) => loadFile(path, kind)));
    return all
      .filter((loaded): loaded is LoadedSource => loaded !== undefined)
      .sort((a, b) => b.source.modified.localeCompare(a.source.modified));
  };

  return {
    load,
    loadFile,
    async loadColumns(ids) {
      const wanted = new Set(ids.map((id) => id.slice(0, id.indexOf(":"))));
      const known = [...cache].filter(([path]) => wanted.has(hashPath(path)));
      if (known.length < wanted.size) return load();
      const loaded = await Promise.all(known.map(([path, { kind }]) => loadFile(path, kind)));
      return loaded.filter((one): one is LoadedSource => one !== undefined);
    },
  };
}

async function readVersion(path: string): Promise<{ text: string; time: number } | undefined> {
  const stats = await stat(path).catch(() => undefined);
  return stats === undefined ? undefined : { text: `${stats.mtimeMs} ${stats.size}`, time: stats.mtimeMs };
}

async function walk(folder: string, depth: number, found: string[], budget: { left: number }): Promise<void> {
  if (depth > most.depth || budget.left-- <= 0) return;
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.isFile() && entry.name === "samples.jsonl") found.push(join(folder, entry.name));
    else if (entry.isDirectory() && !/^(\..*|node_modules|checkpoint-\d+)$/.test(entry.name))
      await walk(join(folder, entry.name), depth + 1, found, budget);
  }
}

async function listJsonLines(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const paths = entries.filter((entry) => entry.isFile() && entry.name.endsWith(".jsonl")).map(({ name }) => join(folder, name));
  const sizes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ size }) => size,
        () => Infinity,
      ),
    ),
  );
  return paths.filter((_, i) => sizes[i] <= mostListedBytes);
}

async function readSource(root: string, path: string, given: SourceKind, modified: Date): Promise<LoadedSource | undefined> {
  const rows = parseRows(await readEnd(path));
  const report = given === "run" ? await readReport(join(dirname(path), "report.json")) : undefined;
  const [kind, columns] = readColumns(rows, given, report);
  if (columns.length === 0) return undefined;
  const id = hashPath(path);
  const below = relative(root, given === "run" ? dirname(path) : path)
    .split(sep)
    .join("/");
  const name = below.startsWith("..") ? basename(given === "run" ? dirname(path) : path) : below === "" ? basename(path) : below;
  const described = columns.map((column) => describeColumn(id, column));
  const first = pickFirstColumns(columns).map((column) => described[columns.indexOf(column)].id);
  return { source: { id, name, kind, columns: described, first, modified: modified.toISOString() }, columns };
}

export function describeColumn(source: string, { key, name, texts }: SampleColumn): SourceColumn {
  const scores = new Set(texts.flatMap((text) => Object.keys(text.scores)));
  return { id: `${source}:${key}`, name, rows: texts.length, scores: [...scores] };
}

type Json = { readonly [key: string]: unknown };

function readColumns(rows: Parameters<typeof readRunColumns>[0], kind: SourceKind, report: Json | undefined): [SourceKind, SampleColumn[]] {
  if (kind !== "run") return [kind, readFileColumns(rows)];
  if (report?.["kind"] === "eval") {
    const { model, against } = report;
    return ["eval", readEvaluationColumns(rows, { model: String(model), against: typeof against === "string" ? against : null })];
  }
  if (report !== undefined && "before" in report && "after" in report) return ["quickstart", readRunColumns(rows, nameSteps(rows, report))];
  return ["run", readRunColumns(rows)];
}

/** What the steps of a quickstart are: before and after, or the models of its iterations. */
function nameSteps(rows: readonly Json[], report: Json): Map<number, string> {
  const steps = [...new Set(rows.map(({ step }) => Number(step)))].filter(Number.isFinite).sort((a, b) => a - b);
  const iterations = Array.isArray(report["iterations"]) ? (report["iterations"] as readonly { readonly name?: unknown }[]) : [];
  const ends = new Map([
    [0, "before"],
    [steps.length - 1, "after"],
  ]);
  return new Map(
    steps.map((step, i) => {
      const model = iterations.length === steps.length ? String(iterations[i].name) : undefined;
      const end = ends.get(i);
      return [step, model === undefined ? (end ?? `step ${step}`) : end === undefined ? model : `${model} (${end})`];
    }),
  );
}

function hashPath(path: string): string {
  return createHash("sha256").update(path).digest("base64url").slice(0, 10);
}

async function readReport(path: string): Promise<Json | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Json;
  } catch {
    return undefined;
  }
}

async function readEnd(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size <= mostBytes) return readFile(path, "utf8");
  const file = await open(path, "r");
  try {
    const bytes = Buffer.alloc(mostBytes);
    const { bytesRead } = await file.read(bytes, 0, mostBytes, size - mostBytes);
    const text = bytes.toString("utf8", 0, bytesRead);
    return text.slice(text.indexOf("\n") + 1);
  } finally {
    await file.close();
  }
}
