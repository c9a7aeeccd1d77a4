/** Files and folders that a recipe names and that are not there: told before anything is made, with all its other errors. */

import { access } from "node:fs/promises";
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
  "tokenizer_name_or_path",
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
  const checkModel = async (value: string): Promise<void> => {
    if (!(await isLocalModel(value))) found.hubModels.push(value);
  };
  for (const [key, entry] of entries) {
    const value = values[key];
    if (modelKeys.has(key) && typeof value === "string") await collect(entry.place, entry.key, () => checkModel(value));
    else if (key === "chat_template_path" && typeof value === "string")
      await collect(entry.place, entry.key, () => (isTemplate(value) ? findFile(value) : checkModel(value)));
    else if (key === "dataset_name" && typeof value === "string" && !hasDatasets(values)) {
      const split = typeof values["dataset_train_split"] === "string" ? values["dataset_train_split"] : "train";
      await collect(entry.place, entry.key, () => findLocalFiles(specFromName({ dataset_name: value }, split)));
    } else if (key === "datasets" && Array.isArray(value)) {
      for (const [i, spec] of (value as DatasetSpec[]).entries())
        await collect(entry.placeOf?.([i, "data_files"]) ?? entry.place, `${entry.key}[${i}]`, () => findLocalFiles(spec));
    } else if (key === "reward_funcs" && Array.isArray(value)) {
      for (const [i, spec] of (value as string[]).entries())
        await collect(entry.placeOf?.([i]) ?? entry.place, `${entry.key}[${i}]`, () => checkReward(spec, checkModel));
    }
  }
  return found;
}

const hasDatasets = ({ datasets }: { readonly [key: string]: unknown }): boolean => Array.isArray(datasets) && datasets.length > 0;

const isTemplate = (path: string): boolean => /\.(jinja2?|j2)$/.test(path);

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
