import { stat } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";

import { SparError } from "../internal/errors.ts";
import type { ResolveOptions } from "../hub/index.ts";
import { expandFiles, listFolder } from "./expand-files.ts";
import type { DatasetSpec } from "./dataset-spec.ts";
import { type FileFormat, inferFormat } from "./load-file.ts";

/** Names for `path` that say how to read `data_files`, as in Hugging Face's datasets; `folder` is a folder of texts. */
const BUILDERS: { readonly [name: string]: FileFormat | undefined } = {
  json: "json",
  jsonl: "jsonl",
  csv: "csv",
  parquet: "parquet",
  text: "text",
  folder: "text",
};

/** The files of a data set, and how to read them (undefined: each by its name). */
export type DatasetFiles = { files: string[]; format?: FileFormat };

/** Progress of downloads, and settings instead of the environment's. */
export type HubOptions = Pick<ResolveOptions, "onProgress" | "settings">;

/** Finds the local files that a data set means, or downloads them where its path is a hub id. */
export async function findDatasetFiles(spec: DatasetSpec, baseDir: string, hub: HubOptions = {}): Promise<DatasetFiles> {
  const local = await findLocalFiles(spec, baseDir);
  if (local !== undefined) return local;
  if (spec.path === "label-studio" && spec.url !== undefined)
    throw new SparError(
      "data/label-studio",
      `reading data: the Label Studio project ${spec.project} at ${spec.url} is read when a run begins, and only then`,
      {
        hint: "To look at its labels before, pull them: spar label-studio pull; then datasets: [{path: json, data_files: pairs.jsonl}].",
      },
    );
  const { resolveDataset } = await import("../hub/index.ts");
  const { files } = await resolveDataset(spec.path, {
    ...hub,
    ...(spec.name ? { config: spec.name } : {}),
    ...(spec.revision ? { revision: spec.revision } : {}),
    split: baseSplit(spec),
  });
  return { files };
}

/** The local files that a data set means; undefined where its path is a hub id. Throws `data/not-found` and its like. */
export async function findLocalFiles(spec: DatasetSpec, baseDir = "."): Promise<DatasetFiles | undefined> {
  const place = (path: string) => (isAbsolute(path) || baseDir === "." ? path : join(baseDir, path));
  const format = BUILDERS[spec.path];
  const local = await stat(place(spec.path)).catch(() => undefined);
  // A run puts the file that it pulls in its place; until then there is nothing to look at.
  if (spec.path === "label-studio" && spec.url !== undefined) return undefined;
  if (format && !local?.isFile()) {
    const patterns = chooseSplitFiles(spec) ?? (spec.data_dir ? [spec.data_dir] : undefined);
    if (!patterns) {
      throw new SparError("data/no-files", `reading data: path: ${spec.path} needs data_files (or data_dir)`, {
        hint: `for example: datasets: [{path: ${spec.path}, data_files: ${spec.path === "folder" ? "texts/" : `train.${spec.path === "text" ? "txt" : spec.path}`}}]`,
      });
    }
    const files = (await Promise.all(patterns.map((pattern) => expandFiles(place(pattern))))).flat();
    return { files: spec.path === "folder" ? keepTexts(files, patterns.join(", ")) : files, ...explicitFormat(format, spec.path) };
  }
  if (local?.isFile()) return { files: [place(spec.path)] };
  if (local?.isDirectory()) {
    const patterns = chooseSplitFiles(spec);
    if (patterns) return { files: (await Promise.all(patterns.map((pattern) => expandFiles(place(join(spec.path, pattern)))))).flat() };
    const folder = place(spec.data_dir ? join(spec.path, spec.data_dir) : spec.path);
    return { files: chooseBySplitName(keepKnown(await listFolder(folder), folder), baseSplit(spec), folder) };
  }
  if (/[*?[{]/.test(spec.path) || inferFormat(spec.path)) return { files: await expandFiles(place(spec.path)) };
  if (!/^[\w.-]+(\/[\w.-]+)?(@[\w./-]+)?$/.test(spec.path) || spec.path.startsWith(".")) {
    throw new SparError("data/not-found", `reading data: ${spec.path} is neither a file nor a folder`, {
      hint: `expected a file, a folder, a hub id (org/name), or one of ${Object.keys(BUILDERS).join(", ")} with data_files`,
    });
  }
  return undefined;
}

/** `train` of `train[:100]`. */
export function baseSplit(spec: DatasetSpec): string {
  return /^[^[]+/.exec(spec.split ?? "train")?.[0] ?? "train";
}

/** json reads both arrays and lines, so .jsonl files under it go by their contents; text files by `text`. */
function explicitFormat(format: FileFormat, builder: string): { format?: FileFormat } {
  return builder === "json" ? { format: "json" } : { format };
}

/** The entries of `data_files` for the wanted split: a plain list is all of it, whatever the split's name. */
function chooseSplitFiles(spec: DatasetSpec): string[] | undefined {
  const { data_files: dataFiles } = spec;
  if (dataFiles === undefined || dataFiles === null) return undefined;
  const inFolder = (pattern: string) =>
    spec.data_dir && !isAbsolute(pattern) && BUILDERS[spec.path] ? join(spec.data_dir, pattern) : pattern;
  if (typeof dataFiles === "string") return [inFolder(dataFiles)];
  if (Array.isArray(dataFiles)) return dataFiles.map(inFolder);
  const split = baseSplit(spec);
  const chosen = (dataFiles as { readonly [split: string]: string | readonly string[] })[split];
  if (chosen === undefined) {
    throw new SparError("data/no-split", `reading data: data_files has no split ${split}`, {
      hint: `it has ${Object.keys(dataFiles).join(", ") || "none"}`,
    });
  }
  return (typeof chosen === "string" ? [chosen] : [...chosen]).map(inFolder);
}

function keepTexts(files: string[], where: string): string[] {
  // folders of reviews often hold texts without a known extension; only what is surely another format is passed over
  const texts = files.filter(
    (file) => ["text", undefined].includes(inferFormat(file)) && !/^(readme|license|licence)(\.|$)/i.test(basename(file)),
  );
  if (texts.length === 0)
    throw new SparError("data/empty", `reading data: ${where} holds no text files`, {
      hint: "expected .txt files in it or in folders under it",
    });
  return texts;
}

function keepKnown(files: string[], folder: string): string[] {
  const known = files.filter((file) => inferFormat(file) && !/^(readme|license|licence|dataset_infos?)(\.|$)/i.test(basename(file)));
  const formats = [...new Set(known.map((file) => inferFormat(file)!.replace("jsonl", "json")))];
  if (formats.length === 0) {
    throw new SparError("data/empty", `reading data: ${folder} holds no data files`, {
      hint: "expected .jsonl, .json, .csv, .parquet or .txt files (also .gz)",
    });
  }
  if (formats.length > 1) {
    throw new SparError("data/mixed-formats", `reading data: ${folder} holds files of several formats (${formats.join(", ")})`, {
      hint: "name those to read in data_files",
    });
  }
  return known;
}

const SPLIT_NAMES: { readonly [split: string]: RegExp } = {
  train: /(^|[^a-z])(train|training)([^a-z]|$)/i,
  validation: /(^|[^a-z])(validation|valid|val|dev)([^a-z]|$)/i,
  test: /(^|[^a-z])(test|testing|eval|evaluation)([^a-z]|$)/i,
};

/** Files whose path under the folder names the split; where none names any split, all are `train`. */
function chooseBySplitName(files: string[], split: string, folder: string): string[] {
  const splitOf = (file: string) => Object.keys(SPLIT_NAMES).find((name) => SPLIT_NAMES[name]!.test(file.slice(folder.length)));
  const named = files.some(splitOf);
  const chosen = files.filter((file) => (named ? splitOf(file) === split : split === "train"));
  if (chosen.length > 0) return chosen;
  const there = named ? [...new Set(files.map(splitOf).filter((name) => name !== undefined))] : ["train"];
  throw new SparError("data/no-split", `reading data: ${folder} has no split ${split}`, {
    hint: `it has ${there.join(", ")}; or name files in data_files`,
  });
}
