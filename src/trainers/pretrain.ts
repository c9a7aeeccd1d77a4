/**
 * Pretraining from a config alone: a tokenizer trained on the text, weights drawn from the seed, texts joined by the
 * end token and cut into rows.
 */
import {
  formatPlace,
  loadDataset,
  packPreparedTexts,
  prepareTexts,
  splitDataset,
  type Dataset,
  type PackedText,
  type PreparedRows,
} from "../data/index.ts";
import { trainTrigram } from "../evaluation/index.ts";
import { SparError } from "../internal/errors.ts";
import { freeModel, initializeModel, loadModel, saveModel, type RawConfig } from "../models/index.ts";
import { createCpuBackend } from "../runtime/index.ts";
import { createTokenizer, loadTokenizer, saveTokenizer, trainBPE, type Tokenizer } from "../tokenizer/index.ts";
import { trainLanguageModel } from "./language-modelling.ts";
import type { PretrainConfig } from "./pretrain-config.ts";
import type { TrainingContext, TrainingOutcome } from "./training-context.ts";
import { findResumePoint } from "./training-loop.ts";
import { findModel, prepareOptions, trainingSpecs } from "./training-setup.ts";

export async function pretrain(config: PretrainConfig, context: TrainingContext): Promise<TrainingOutcome> {
  const backend = context.backend ?? createCpuBackend();
  const whole = await loadDataset(trainingSpecs(config), { seed: config.seed });
  try {
    const { train, test } =
      config.validation_share === 0 ? { train: whole, test: undefined } : splitDataset(whole, config.validation_share, config.seed);
    const resumePoint = await findResumePoint(config.output_dir, context.resume);
    const tokenizer = await findTokenizer(config, context, train, resumePoint?.path);
    const prepare = async (dataset: Dataset, role?: "evaluation"): Promise<PreparedRows<PackedText>> => {
      const options = { ...prepareOptions(context, { tokenizer }, role), textColumn: config.dataset_text_field };
      const texts = await prepareTexts(dataset, { ...options, maxLength: null });
      return packPreparedTexts(texts, { maxLength: config.block_size, strategy: "wrapped" });
    };
    const rows = await prepare(train);
    const held = config.eval_strategy === "no" && !config.eval_on_start ? undefined : test;
    const evaluation = held === undefined ? undefined : await prepare(held, "evaluation");
    const yardstick = held === undefined ? undefined : await measureYardstick(config, train, held);
    const model =
      resumePoint === undefined
        ? initializeModel(modelConfig(config, tokenizer), backend, { seed: config.seed })
        : await loadModel(resumePoint.path, backend);
    try {
      return await trainLanguageModel(config, context, {
        backend,
        model,
        rows,
        evaluation,
        resumePoint,
        async save(folder) {
          await saveModel({ ...model, folder: undefined }, folder);
          await saveTokenizer(tokenizer, folder);
        },
        ...(yardstick === undefined
          ? {}
          : {
              describe: ({ loss, count, tokens }) => ({
                // The trigram model scores every byte: tokens that are not scored are taken for average ones.
                eval_bits_per_byte: ((loss / Math.LN2) * tokens) / count / yardstick.bytes,
                eval_trigram_bits_per_byte: yardstick.trigramBits,
              }),
            }),
      });
    } finally {
      freeModel(model);
    }
  } finally {
    await whole.close();
    if (context.backend === undefined) backend.close();
  }
}

/** The named tokenizer, the checkpoint's, or one trained on the text. */
async function findTokenizer(
  config: PretrainConfig,
  context: TrainingContext,
  train: Dataset,
  checkpoint: string | undefined,
): Promise<Tokenizer> {
  if (checkpoint !== undefined) return loadTokenizer(checkpoint);
  if (config.tokenizer_name_or_path !== null) return loadTokenizer(await findModel(config.tokenizer_name_or_path, context));
  context.tracker.progress({ stage: "training the tokenizer", done: 0 });
  const names = ["<|pad|>", "<|endoftext|>"];
  const json = await trainBPE(readTexts(config, train, config.tokenizer_train_bytes), {
    vocabSize: config.vocab_size,
    specialTokens: names,
  });
  const settings = {
    tokenizer_class: "PreTrainedTokenizerFast",
    pad_token: names[0],
    bos_token: names[1],
    eos_token: names[1],
    model_max_length: config.max_position_embeddings ?? config.block_size,
  };
  return createTokenizer({ "tokenizer.json": JSON.stringify(json), "tokenizer_config.json": `${JSON.stringify(settings, null, 2)}\n` });
}

/** Texts of a data set, up to so many bytes. */
async function* readTexts(config: PretrainConfig, dataset: Dataset, limit: number): AsyncGenerator<string> {
  let bytes = 0;
  for (let i = 0; i < dataset.count && bytes < limit; i++) {
    const text = (await dataset.read(i))[config.dataset_text_field];
    if (typeof text !== "string")
      throw new SparError(
        "data/columns",
        `pretrain: expected text in column "${config.dataset_text_field}" at ${formatPlace(dataset.place(i))}`,
      );
    bytes += Buffer.byteLength(text);
    yield text;
  }
}

/** Bytes of the held-out text (an end token counts as one), and a trigram model's bits a byte on it. */
async function measureYardstick(config: PretrainConfig, train: Dataset, test: Dataset): Promise<{ bytes: number; trigramBits: number }> {
  const encoder = new TextEncoder();
  const collect = async (dataset: Dataset, limit: number): Promise<Uint8Array[]> => {
    const texts: Uint8Array[] = [];
    for await (const text of readTexts(config, dataset, limit)) texts.push(encoder.encode(text));
    return texts;
  };
  const held = await collect(test, Infinity);
  const trigram = trainTrigram(await collect(train, config.tokenizer_train_bytes));
  return { bytes: held.reduce((sum, text) => sum + text.length + 1, 0), trigramBits: trigram.bitsPerByte(held) };
}

/** config.json of the model to be made. */
function modelConfig(config: PretrainConfig, tokenizer: Tokenizer): RawConfig {
  const positions = config.max_position_embeddings ?? config.block_size;
  const shared = {
    model_type: config.model_type,
    vocab_size: tokenizer.vocabSize,
    tie_word_embeddings: config.tie_word_embeddings,
    initializer_range: config.initializer_range,
  };
  const tokens = { bos_token_id: tokenizer.bosId ?? null, eos_token_id: tokenizer.eosId ?? null, pad_token_id: tokenizer.padId ?? null };
  const width = (factor: number): number => config.intermediate_size ?? Math.ceil((factor * config.hidden_size) / 32) * 32;
  if (config.model_type === "gpt2") {
    const sizes = {
      n_embd: config.hidden_size,
      n_layer: config.num_hidden_layers,
      n_head: config.num_attention_heads,
      n_positions: positions,
      n_inner: width(4),
    };
    return {
      ...shared,
      ...tokens,
      ...sizes,
      activation_function: "gelu_new",
      attn_pdrop: 0,
      embd_pdrop: 0,
      resid_pdrop: 0,
      ...config.model_config,
    };
  }
  return {
    ...shared,
    ...tokens,
    hidden_size: config.hidden_size,
    intermediate_size: width(8 / 3),
    num_hidden_layers: config.num_hidden_layers,
    num_attention_heads: config.num_attention_heads,
    num_key_value_heads: config.num_key_value_heads ?? config.num_attention_heads,
    head_dim: config.head_dim ?? config.hidden_size / config.num_attention_heads,
    max_position_embeddings: positions,
    rope_theta: config.rope_theta,
    rms_norm_eps: config.rms_norm_eps,
    hidden_act: "silu",
    ...(config.model_type === "mistral" ? { sliding_window: null } : {}),
    ...config.model_config,
  };
}
