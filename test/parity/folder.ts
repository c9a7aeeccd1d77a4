/** Where the reference numbers are, and which of them spar has a counterpart for: every subfolder is compared, or skipped by name with the reason. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "vitest";
import { supportedModelTypes } from "../../src/models/index.ts";
import { configSchemas } from "../../src/trainers/configs.ts";

const ownFolder = fileURLToPath(new URL("../fixtures/parity", import.meta.url));

/** The project's own fixtures, or the folder that SPAR_PARITY names. */
export const parityFolder = process.env["SPAR_PARITY"] ?? ownFolder;

export interface ParityCase {
  readonly name: string;
  readonly path: string;
  /** Why it is not compared; undefined where it is. */
  readonly skipped: string | undefined;
}

export interface RunCase extends ParityCase {
  readonly method: string;
  /** The model that it starts from. */
  readonly model: string;
}

/** What each kind of folder holds that is not a folder of cases. */
const kinds = ["models", "rl", "runs"];

const list = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);
const listFolders = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true })
        .flatMap((entry) => (entry.isDirectory() || entry.isSymbolicLink() ? [entry.name] : []))
        .sort()
    : [];

/** A model that runs start from: the folder's own, else the project's. */
export function findModelFolder(name: string, folder = parityFolder): string {
  const given = join(folder, "models", name);
  return existsSync(given) ? given : join(ownFolder, "models", name);
}

/** Subfolders of models/: by `model_type`, whatever they are called. */
export function listModels(folder = parityFolder): ParityCase[] {
  return listFolders(join(folder, "models")).map((name) => {
    const path = join(folder, "models", name);
    return { name, path, skipped: whyNoModel(path) };
  });
}

function whyNoModel(path: string): string | undefined {
  if (!existsSync(join(path, "expected.safetensors"))) return "it has no expected.safetensors";
  const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as { model_type?: unknown };
  const type = String(config.model_type);
  return supportedModelTypes.includes(type) ? undefined : `the architecture ${type} has no counterpart yet`;
}

/** Subfolders of runs/: by the method in the config, in a word of the name (`sft_other`), or by what the log holds. */
export function listRuns(folder = parityFolder): RunCase[] {
  return listFolders(join(folder, "runs")).map((name) => {
    const path = join(folder, "runs", name);
    const missing = ["config.yaml", "data.jsonl", "log.jsonl"].filter((file) => !existsSync(join(path, file)));
    const method =
      missing.length > 0 ? undefined : inferRunMethod(name, readFileSync(join(path, "config.yaml"), "utf8"), readLogKeys(path));
    const skipped =
      missing.length > 0
        ? `it has no ${missing.join(", ")}`
        : method === undefined
          ? "which method it is of cannot be told from its name, config and log"
          : !Object.hasOwn(configSchemas, method)
            ? `the method ${method} has no counterpart yet`
            : existsSync(join(path, "adapter_init")) || existsSync(join(path, "adapter_config.json"))
              ? "adapters (LoRA) have no counterpart yet"
              : undefined;
    return { name, path, skipped, method: method ?? "", model: method === "reward" ? "stories260K-score" : "stories260K" };
  });
}

/** Methods of TRL whose runs a folder may hold. */
const runMethods = ["sft", "reward", "dpo", "kto", "orpo", "simpo", "cpo"];

export function inferRunMethod(name: string, config: string, logKeys: readonly string[]): string | undefined {
  const named = /^method:\s*["']?(\w+)/m.exec(config)?.[1];
  if (named !== undefined) return named;
  const words = name.toLowerCase().split(/[^a-z0-9]+/);
  const word = words.find((one) => runMethods.includes(one));
  if (word !== undefined) return word;
  const logs = new Set(logKeys);
  if (/^loss_type:\s*simpo/m.test(config)) return "simpo";
  if (logs.has("kl")) return "kto";
  if (logs.has("log_odds_ratio")) return "orpo";
  if (logs.has("nll_loss")) return "cpo";
  if (logs.has("rewards/margins")) return "dpo";
  if (logs.has("margin")) return "reward";
  return logs.has("mean_token_accuracy") ? "sft" : undefined;
}

export interface RlCase extends ParityCase {
  readonly kind: "arrays" | "update";
}

/** Entries of rl/: JSON files with PPO's arrays, and folders with the rollouts and the log of PPO updates. */
export function listRl(folder = parityFolder): RlCase[] {
  return list(join(folder, "rl")).map((name) => {
    const path = join(folder, "rl", name);
    if (name.endsWith(".json")) {
      const arrays = JSON.parse(readFileSync(path, "utf8")) as object;
      const isPPO = ["old_logprobs", "old_values", "ref_logprobs", "kl_k1"].every((key) => key in arrays);
      return { name, path, kind: "arrays", skipped: isPPO ? undefined : "it does not hold PPO's arrays" };
    }
    const missing = ["config.yaml", "rollouts.jsonl", "log.jsonl"].filter((file) => !existsSync(join(path, file)));
    const isPPO = missing.length === 0 && readLogKeys(path).includes("policy/approxkl_avg");
    const skipped =
      missing.length > 0 ? `it has no ${missing.join(", ")}` : isPPO ? undefined : `${name.split("_")[0]} updates have no counterpart yet`;
    return { name, path, kind: "update", skipped };
  });
}

/** Folders of no kind that is known here. */
export function listUnknown(folder = parityFolder): ParityCase[] {
  return listFolders(folder)
    .filter((name) => !kinds.includes(name))
    .map((name) => ({ name, path: join(folder, name), skipped: `not one of ${kinds.join(", ")}` }));
}

function readLogKeys(path: string): string[] {
  const [line] = readFileSync(join(path, "log.jsonl"), "utf8").split("\n", 1);
  return line.trim() === "" ? [] : Object.keys(JSON.parse(line) as object);
}

/** Those to compare. The others are listed as skipped tests, as is a kind without any: a file without tests would count as failed. */
export function declareCases<T extends ParityCase>(kind: string, cases: readonly T[]): T[] {
  if (cases.length === 0) test.skip(`${kind}: the folder has none`, () => {});
  for (const { name, skipped } of cases) if (skipped !== undefined) test.skip(`${kind}/${name}: ${skipped}`, () => {});
  return cases.filter(({ skipped }) => skipped === undefined);
}
