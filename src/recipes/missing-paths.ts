/** Files and folders that a recipe names and that are not there: told before anything is made, with all its other errors. */

import { access, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { findLocalFiles, specFromName, type DatasetSpec } from "../data/index.ts";
import { isLocalModel } from "../hub/index.ts";
import { SparError } from "../internal/errors.ts";
import type { RecipeEntry } from "./entries.ts";

const modelKeys: ReadonlySet<string> = new Set([
  "model_name_or_path",
  "sft_model_path",
  "reward_model_path",
  "value_model_path",
  "ref_model_name_or_path",
  "prompt_model",
]);

type MissingPaths = {
  problems: string[];
  /** Names of models that are no folder here; whether the hub has them is not asked yet. */
  hubModels: string[];
};

/** `values`: of the keys that are valid by themselves; `entries` say where they were written. */
export async function findMissingPaths(
  values: { readonly [key: string]: unknown },
  entries: ReadonlyMap<string, RecipeEntry>,
): Promise<MissingPaths> {
  const found: MissingPaths = { problems: [], hubModels: [] };
  const collect = async (place: string, name: string, check: () => Promise<unknown>): Promise<void> => {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof SparError)) throw error;
      found.problems.push(`${place}: ${name}: ${error.message.replace(/^reading data: /, "")}`);
    }
  };
  const checkFolder = async (value: string): Promise<boolean> => {
    const isLocal = await isLocalModel(value);
    if (!isLocal) found.hubModels.push(value);
    return isLocal;
  };
  const checkModel = async (value: string): Promise<void> => {
    if (await checkFolder(value)) await findModelFiles(value);
  };
  for (const [key, entry] of entries) {
    const value = values[key];
    if (modelKeys.has(key) && typeof value === "string") await collect(entry.place, entry.key, () => checkModel(value));
    else if (key === "tokenizer_name_or_path" && typeof value === "string") await collect(entry.place, entry.key, () => checkFolder(value));
    else if (key === "chat_template_path" && typeof value === "string")
      await collect(entry.place, entry.key, () => (isTemplate(value) ? findFile(value) : checkFolder(value)));
    else if (key === "dataset_name" && typeof value === "string" && !hasDatasets(values)) {
      const split = typeof values["dataset_train_split"] === "string" ? values["dataset_train_split"] : "train";
      await collect(entry.place, entry.key, () => findLocalFiles(specFromName({ dataset_name: value }, split)));
    } else if (key === "datasets") {
      for (const [i, spec] of (Array.isArray(value) ? (value as DatasetSpec[]) : readSpecs(entry.value)).entries())
        if (spec !== undefined)
          await collect(entry.placeOf?.([i, "data_files"]) ?? entry.place, `${entry.key}[${i}]`, () => findLocalFiles(spec));
    } else if (key === "reward_funcs" && Array.isArray(value)) {
      for (const [i, spec] of (value as string[]).entries())
        await collect(entry.placeOf?.([i]) ?? entry.place, `${entry.key}[${i}]`, () => checkReward(spec, checkModel));
    } else if ((key === "judge" || key === "outside_judge") && typeof value === "string" && /^(model|reward|rule):./.test(value)) {
      const { checkJudge } = await import("../rewards/index.ts");
      await collect(entry.place, entry.key, () => checkJudge(value, checkModel));
    } else if ((key === "judge_rubric" || key === "outside_judge_rubric") && typeof value === "string") {
      const { loadRubric } = await import("../rewards/index.ts");
      await collect(entry.place, entry.key, () => loadRubric(value));
    } else if ((key === "judge_api_key_file" || key === "outside_judge_api_key_file") && typeof value === "string")
      await collect(entry.place, entry.key, () => findFile(value));
  }
  return found;
}

const hasDatasets = ({ datasets }: { readonly [key: string]: unknown }): boolean => Array.isArray(datasets) && datasets.length > 0;

const isTemplate = (path: string): boolean => /\.(jinja2?|j2)$/.test(path);

/** What an invalid list of data sets says about files all the same: an entry without path is undefined. */
function readSpecs(value: unknown): (DatasetSpec | undefined)[] {
  if (!Array.isArray(value)) return [];
  return (value as unknown[]).map((entry) => {
    if (typeof entry === "string") return { path: entry };
    const { path, data_files: files } = (typeof entry === "object" && entry !== null ? entry : {}) as { [key: string]: unknown };
    if (typeof path !== "string" || path === "") return undefined;
    const isList = Array.isArray(files) && files.every((file) => typeof file === "string");
    return typeof files === "string" || isList ? { path, data_files: files } : files === undefined ? { path } : undefined;
  });
}

/** A folder that holds no model is told now, and not when the data has been read: a run that never ended leaves such a one. */
async function findModelFiles(path: string): Promise<void> {
  if (!(await stat(path)).isDirectory()) return;
  const files = await readdir(path);
  const lacking = [
    ...(files.includes("config.json") ? [] : ["config.json"]),
    ...(files.some((file) => /^model\.safetensors(\.index\.json)?$/.test(file)) ? [] : ["model.safetensors"]),
  ];
  if (lacking.length === 0) return;
  // Weights of another kind have an error of their own, with what to do.
  if (lacking.includes("model.safetensors") && files.some((file) => /\.(bin|pt|pth|ckpt|gguf|h5|msgpack|onnx)$/.test(file))) return;
  const checkpoint = files.filter((file) => /^checkpoint-\d+$/.test(file)).sort((a, b) => Number(b.slice(11)) - Number(a.slice(11)))[0];
  const hint = checkpoint === undefined ? "" : `; its newest checkpoint is ${join(path, checkpoint)}`;
  throw new SparError("checkpoint/no-weights", `the folder ${path} holds no model: it has no ${lacking.join(" and no ")}${hint}`);
}

async function findFile(path: string): Promise<void> {
  await access(path).catch((cause: unknown) => {
    throw new SparError("file/not-found", `there is no file ${path}`, { cause });
  });
}

async function checkReward(spec: string, checkModel: (name: string) => Promise<void>): Promise<void> {
  const { parseRewardSpec } = await import("../rewards/index.ts");
  const { kind, value } = parseRewardSpec(spec);
  if (kind === "module") await findFile(value);
  if (kind === "model") await checkModel(value);
}
