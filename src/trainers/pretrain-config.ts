/**
 * Keys of `spar pretrain`: a model from its config alone. TRL has no such method; the model's keys are those of a
 * Hugging Face config.json, and the defaults are spar's own (a small Llama, the usual settings of small-model runs).
 */

import * as z from "zod";
import {
  booleanField,
  choiceField,
  integerField,
  jsonField,
  numberField,
  optionalIntegerField,
  optionalTextField,
  textField,
} from "./config-fields.ts";
import { createTrainingArguments, requireData } from "./training-arguments.ts";

export const pretrainConfigSchema = z
  .strictObject({
    ...createTrainingArguments({
      learning_rate: 1e-3,
      lr_scheduler_type: "cosine",
      warmup_ratio: 0.02,
      weight_decay: 0.1,
      adam_beta2: 0.95,
      logging_steps: 10,
      gradient_checkpointing: false,
      num_train_epochs: 1,
    }),

    // The model
    model_type: choiceField(["llama", "gpt2", "mistral", "qwen2", "qwen3"], "llama", "Architecture."),
    hidden_size: integerField(128, "Width.", { min: 1 }),
    intermediate_size: optionalIntegerField(
      null,
      "Width of the feed-forward layers; absent: 8/3 (gpt2: 4) times hidden_size, rounded up to 32.",
      { min: 1 },
    ),
    num_hidden_layers: integerField(4, "Layers.", { min: 1 }),
    num_attention_heads: integerField(4, "Attention heads.", { min: 1 }),
    num_key_value_heads: optionalIntegerField(null, "Key-value heads; absent: as num_attention_heads.", { min: 1 }),
    head_dim: optionalIntegerField(null, "Size of a head; absent: hidden_size ÷ num_attention_heads.", { min: 1 }),
    max_position_embeddings: optionalIntegerField(null, "Longest context in tokens; absent: block_size.", { min: 1 }),
    rope_theta: numberField(10000, "Base of rotary positions.", { above: 0 }),
    rms_norm_eps: numberField(1e-5, "Epsilon of the norms.", { above: 0 }),
    tie_word_embeddings: booleanField(true, "Share the embedding with the output head."),
    initializer_range: numberField(0.02, "Standard deviation of the initial weights.", { above: 0 }),
    model_config: jsonField(z.record(z.string(), z.unknown()), {}, "a map", "More keys for config.json."),

    // The tokenizer
    tokenizer_name_or_path: optionalTextField("Tokenizer to take: a folder or a hub id; absent: one is trained on the data."),
    vocab_size: integerField(4096, "Pieces of the tokenizer to train, special tokens included.", { min: 260 }),
    tokenizer_train_bytes: integerField(20_000_000, "Text to train the tokenizer on, in bytes at most.", { min: 1 }),

    // The text
    dataset_text_field: textField("text", "Column of plain text."),
    block_size: integerField(256, "Tokens in a training row; texts are joined by the end token and cut into rows.", { min: 2 }),
    validation_share: numberField(0.01, "Share of the texts held out for evaluation; 0: none.", { min: 0, below: 1 }),
  })
  .superRefine(requireData)
  .superRefine((config, context) => {
    const refuse = (key: string, message: string): void => context.addIssue({ code: "custom", path: [key], message });
    if (config.model_name_or_path !== null)
      refuse("model_name_or_path", "pretrain starts from random weights; spar sft goes on from a model (on plain text too)");
    if (config.test_split_size !== null) refuse("test_split_size", "pretrain holds out validation_share of the texts; expected that key");
    if (config.validation_share === 0 && (config.eval_strategy !== "no" || config.eval_on_start))
      refuse("validation_share", "evaluation needs held-out text; expected a share above 0, found 0");
    if (config.head_dim === null && config.hidden_size % config.num_attention_heads !== 0) {
      const message = `expected a divisor of hidden_size ${config.hidden_size}, found ${config.num_attention_heads}`;
      context.addIssue({ code: "custom", path: ["num_attention_heads"], message });
    }
    if (config.num_key_value_heads !== null && config.num_attention_heads % config.num_key_value_heads !== 0) {
      const message = `expected a divisor of num_attention_heads ${config.num_attention_heads}, found ${config.num_key_value_heads}`;
      context.addIssue({ code: "custom", path: ["num_key_value_heads"], message });
    }
    if (config.max_position_embeddings !== null && config.max_position_embeddings < config.block_size) {
      const message = `expected at least block_size ${config.block_size}, found ${config.max_position_embeddings}`;
      context.addIssue({ code: "custom", path: ["max_position_embeddings"], message });
    }
  });

export type PretrainConfig = z.output<typeof pretrainConfigSchema>;
