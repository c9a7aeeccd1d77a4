/** How completions are made. Flags come first, then generation_config.json, then plain sampling. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SparError } from "../internal/errors.ts";
import { readGgufGenerationConfig, type RawConfig } from "../models/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";

export interface GenerationSettings {
  readonly maxNewTokens: number;
  /** 0: the likeliest token each time. */
  readonly temperature: number;
  /** 0: off. */
  readonly topK: number;
  /** 1: off. */
  readonly topP: number;
  /** 0: off. */
  readonly minP: number;
  /** 1: off. */
  readonly repetitionPenalty: number;
  /** A completion ends after one of these. */
  readonly stopIds: readonly number[];
  /** A completion ends with the token that completes one of these texts, which its own text then leaves out. */
  readonly stopTexts: readonly string[];
  readonly seed: number;
}

export const defaultSettings: GenerationSettings = {
  maxNewTokens: 256,
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  stopIds: [],
  stopTexts: [],
  seed: 0,
};

/** generation_config.json of a model folder, or what a .gguf file says in its place; empty where there is none. */
export async function loadGenerationConfig(folder: string): Promise<RawConfig> {
  const inFile = await readGgufGenerationConfig(folder);
  if (inFile !== undefined) return inFile;
  const path = join(folder, "generation_config.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new SparError("generation/config-invalid", `${path}: cannot be read (${(error as Error).message})`, { cause: error });
  }
  try {
    return JSON.parse(text) as RawConfig;
  } catch (cause) {
    throw new SparError("generation/config-invalid", `${path}: not valid JSON (${(cause as Error).message})`, { cause });
  }
}

/** What generation_config.json says (`do_sample: false` is temperature 0), under what was asked for. Throws `generation/invalid-setting`. */
export function resolveSettings(asked: Partial<GenerationSettings>, config: RawConfig = {}): GenerationSettings {
  const number = (key: string): number | undefined => (typeof config[key] === "number" ? config[key] : undefined);
  const given: { [K in keyof GenerationSettings]?: GenerationSettings[K] | undefined } = {
    maxNewTokens: number("max_new_tokens"),
    temperature: config["do_sample"] === false ? 0 : number("temperature"),
    topK: number("top_k"),
    topP: number("top_p"),
    minP: number("min_p"),
    repetitionPenalty: number("repetition_penalty"),
    stopIds: endTokens(config),
  };
  const settings = { ...defaultSettings, ...withoutUndefined(given), ...withoutUndefined(asked) };
  checkSettings(settings);
  return settings;
}

/**
 * The settings of the model in `folder`: what was asked for, then its generation_config.json, then defaults. Completions end at the
 * model's and at the tokenizer's end tokens. Throws `generation/invalid-setting`.
 */
export async function loadSettings(
  asked: Partial<GenerationSettings>,
  folder: string,
  config: RawConfig,
  tokenizer: Pick<Tokenizer, "eosId">,
): Promise<GenerationSettings> {
  const settings = resolveSettings(asked, await loadGenerationConfig(folder));
  const ends = new Set([
    ...(settings.stopIds.length > 0 ? settings.stopIds : endTokens(config)),
    ...(tokenizer.eosId === undefined ? [] : [tokenizer.eosId]),
  ]);
  return { ...settings, stopIds: [...ends] };
}

/** `eos_token_id` of a configuration: a number, a list, or nothing. */
export function endTokens(config: RawConfig): number[] {
  const value = config["eos_token_id"];
  return (Array.isArray(value) ? value : [value]).filter((id): id is number => typeof id === "number");
}

function withoutUndefined<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}

function checkSettings(settings: GenerationSettings): void {
  const { maxNewTokens, temperature, topK, topP, minP, repetitionPenalty, stopTexts } = settings;
  const problems = [
    Number.isInteger(maxNewTokens) && maxNewTokens >= 1 ? "" : `max_new_tokens should be a whole number from 1, got ${maxNewTokens}`,
    Number.isFinite(temperature) && temperature >= 0 ? "" : `temperature should be 0 or more, got ${temperature}`,
    Number.isInteger(topK) && topK >= 0 ? "" : `top_k should be a whole number from 0, got ${topK}`,
    topP > 0 && topP <= 1 ? "" : `top_p should be above 0 and at most 1, got ${topP}`,
    minP >= 0 && minP <= 1 ? "" : `min_p should be from 0 to 1, got ${minP}`,
    Number.isFinite(repetitionPenalty) && repetitionPenalty > 0 ? "" : `repetition_penalty should be above 0, got ${repetitionPenalty}`,
    stopTexts.every((text) => text !== "") ? "" : "a stop text is empty",
  ].filter((problem) => problem !== "");
  if (problems.length > 0) throw new SparError("generation/invalid-setting", `Generation settings: ${problems.join("; ")}`);
}
