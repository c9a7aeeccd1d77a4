/** What a recipe names: its data, and the tokenizer and sizes of its model. */
import { loadDataset, splitDataset, type Dataset } from "../data/index.ts";
import { resolveModel } from "../hub/index.ts";
import { readModelConfig } from "../models/index.ts";
import type { ResolvedRecipe } from "../recipes/index.ts";
import { createTokenizer, loadTokenizer, trainBPE, type Tokenizer } from "../tokenizer/index.ts";
import { loadRunTokenizer, trainingSpecs } from "../trainers/index.ts";
import { readSizes, type ModelSizes } from "./model-sizes.ts";

export interface OpenedRecipe {
  readonly dataset: Dataset;
  readonly tokenizer: Tokenizer;
  readonly sizes: ModelSizes;
  /** Rows of the data that are kept for evaluation. */
  readonly heldRows: number;
  /** The model's folder; undefined for `pretrain`. */
  readonly folder: string | undefined;
}

/** Text that the stand-in for a tokenizer yet to be trained is made from, in bytes. */
const tokenizerSample = 1_000_000;

/** Throws what the training would throw at its start. */
export async function openRecipe(recipe: ResolvedRecipe): Promise<OpenedRecipe> {
  const { config } = recipe;
  const whole = await loadDataset(trainingSpecs(config), { seed: config.seed });
  const held = recipe.method === "pretrain" ? recipe.config.validation_share : config.test_split_size;
  const dataset = held === null || held === 0 ? whole : splitDataset(whole, held, config.seed).train;
  const heldRows = whole.count - dataset.count;
  try {
    if (recipe.method === "pretrain") return { dataset, heldRows, ...(await sketchModel(recipe.config, dataset)), folder: undefined };
    const name = recipe.method === "ppo" ? (recipe.config.sft_model_path ?? recipe.config.model_name_or_path) : config.model_name_or_path;
    const folder = await resolveModel(name as string, { revision: config.model_revision });
    return {
      dataset,
      heldRows,
      tokenizer: (await loadRunTokenizer(folder, recipe.config, (id) => resolveModel(id))).tokenizer,
      sizes: readSizes(await readModelConfig(folder)),
      folder,
    };
  } catch (error) {
    await dataset.close();
    throw error;
  }
}

type PretrainConfig = Extract<ResolvedRecipe, { method: "pretrain" }>["config"];

/** A tokenizer like the one to be trained, from less text, and the sizes in the config. */
async function sketchModel(config: PretrainConfig, dataset: Dataset): Promise<{ tokenizer: Tokenizer; sizes: ModelSizes }> {
  const sizes: ModelSizes = {
    hiddenSize: config.hidden_size,
    layers: config.num_hidden_layers,
    vocabSize: config.vocab_size,
    maxPositions: config.max_position_embeddings ?? config.block_size,
    weights: 12 * config.num_hidden_layers * config.hidden_size ** 2 + config.vocab_size * config.hidden_size,
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
