/** What a recipe names: its data, and the tokenizer and sizes of its model. */
import { readFile } from "node:fs/promises";
import { loadDataset, specFromName, splitDataset, type Dataset, type DatasetSpec } from "../data/index.ts";
import { resolveModel } from "../hub/index.ts";
import { readModelConfig } from "../models/index.ts";
import type { ResolvedRecipe } from "../recipes/index.ts";
import { createTokenizer, loadTokenizer, trainBPE, type Tokenizer } from "../tokenizer/index.ts";
import { readSizes, type ModelSizes } from "./model-sizes.ts";

export interface OpenedRecipe {
  readonly dataset: Dataset;
  readonly tokenizer: Tokenizer;
  readonly sizes: ModelSizes;
  /** The model's folder; undefined for `pretrain`. */
  readonly folder: string | undefined;
}

/** Text that the stand-in for a tokenizer yet to be trained is made from, in bytes. */
const tokenizerSample = 1_000_000;

/** Throws what the training would throw at its start. */
export async function openRecipe(recipe: ResolvedRecipe): Promise<OpenedRecipe> {
  const { config } = recipe;
  const specs: readonly DatasetSpec[] =
    config.datasets.length > 0 || config.dataset_name === null
      ? config.datasets
      : [specFromName({ dataset_name: config.dataset_name, dataset_config: config.dataset_config }, config.dataset_train_split)];
  const whole = await loadDataset(specs, { seed: config.seed });
  const held =
    recipe.method === "pretrain" ? recipe.config.validation_share : config.eval_strategy === "no" ? null : config.test_split_size;
  const dataset = held === null || held === 0 ? whole : splitDataset(whole, held, config.seed).train;
  try {
    if (recipe.method === "pretrain") return { dataset, ...(await sketchModel(recipe.config, dataset)), folder: undefined };
    const name = recipe.method === "ppo" ? (recipe.config.sft_model_path ?? recipe.config.model_name_or_path) : config.model_name_or_path;
    const folder = await resolveModel(name as string, { revision: config.model_revision });
    return {
      dataset,
      tokenizer: await loadChanged(folder, config as TokenizerKeys),
      sizes: readSizes(await readModelConfig(folder)),
      folder,
    };
  } catch (error) {
    await dataset.close();
    throw error;
  }
}

type TokenizerKeys = {
  readonly chat_template_path?: string | null;
  readonly eos_token?: string | null;
  readonly pad_token?: string | null;
};

/** The folder's tokenizer with the recipe's tokens and template. */
async function loadChanged(folder: string, keys: TokenizerKeys): Promise<Tokenizer> {
  const original = await loadTokenizer(folder);
  const { chat_template_path: path = null, eos_token: eos = null, pad_token: pad = null } = keys;
  if (path === null && eos === null && pad === null) return original;
  const settings = JSON.parse(original.files["tokenizer_config.json"] ?? "{}") as { [key: string]: unknown };
  const named = Object.entries(original.specialTokens);
  const tokens = Object.fromEntries([
    ...named,
    ...(eos === null ? [] : [["eos_token", eos]]),
    ...(pad === null ? [] : [["pad_token", pad]]),
  ]) as { [name: string]: string };
  const template =
    path === null
      ? {}
      : /\.(jinja2?|j2)$/.test(path)
        ? { "chat_template.jinja": await readFile(path, "utf8") }
        : templateOf(await loadTokenizer(await resolveModel(path)));
  if ("chat_template.jinja" in template) delete settings["chat_template"];
  return createTokenizer(
    { ...original.files, "tokenizer_config.json": JSON.stringify({ ...settings, ...tokens }), ...template },
    { folder },
  );
}

function templateOf({ files }: Tokenizer): { "chat_template.jinja"?: string } {
  const text =
    (files as { readonly [name: string]: string | undefined })["chat_template.jinja"] ??
    (JSON.parse(files["tokenizer_config.json"] ?? "{}") as { chat_template?: unknown }).chat_template;
  return typeof text === "string" ? { "chat_template.jinja": text } : {};
}

type PretrainConfig = Extract<ResolvedRecipe, { method: "pretrain" }>["config"];

/** A tokenizer like the one to be trained, from less text, and the sizes in the config. */
async function sketchModel(config: PretrainConfig, dataset: Dataset): Promise<{ tokenizer: Tokenizer; sizes: ModelSizes }> {
  const sizes: ModelSizes = {
    hiddenSize: config.hidden_size,
    layers: config.num_hidden_layers,
    vocabSize: config.vocab_size,
    maxPositions: config.max_position_embeddings ?? config.block_size,
  };
  if (config.tokenizer_name_or_path !== null) {
    const tokenizer = await loadTokenizer(await resolveModel(config.tokenizer_name_or_path));
    return { tokenizer, sizes: { ...sizes, vocabSize: tokenizer.vocabSize } };
  }
  async function* texts(): AsyncGenerator<string> {
    let bytes = 0;
    for (let i = 0; i < dataset.count && bytes < Math.min(tokenizerSample, config.tokenizer_train_bytes); i++) {
      const text = (await dataset.read(i))[config.dataset_text_field];
      if (typeof text !== "string") continue;
      bytes += Buffer.byteLength(text);
      yield text;
    }
  }
  const json = await trainBPE(texts(), { vocabSize: config.vocab_size, specialTokens: ["<|pad|>", "<|endoftext|>"] });
  const settings = { pad_token: "<|pad|>", bos_token: "<|endoftext|>", eos_token: "<|endoftext|>" };
  return {
    tokenizer: createTokenizer({ "tokenizer.json": JSON.stringify(json), "tokenizer_config.json": JSON.stringify(settings) }),
    sizes,
  };
}
