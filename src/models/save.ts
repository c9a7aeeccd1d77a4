/** Model → Hugging Face folder, as Transformers and others read it. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { explainFileError, saveWeights } from "../checkpoint/index.ts";
import { loadTokenizer, saveTokenizer } from "../tokenizer/index.ts";
import type { RawConfig } from "./architecture.ts";
import { readGgufGenerationConfig } from "./load.ts";
import type { LanguageModel } from "./model.ts";

/** What belongs to a model beside its weights and travels with them. */
const companions = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
  "generation_config.json",
];

const classes: { readonly [modelType: string]: string } = {
  gpt2: "GPT2",
  llama: "Llama",
  mistral: "Mistral",
  qwen2: "Qwen2",
  qwen3: "Qwen3",
};
const lmClasses: { readonly [modelType: string]: string } = { gpt2: "GPT2LMHeadModel" };

/** config.json as it will be written: the original's keys, and what the head and the storage demand. */
export function formatConfig(model: LanguageModel, padTokenId?: number): { [key: string]: unknown } {
  const { raw, modelType } = model.config;
  const config: { [key: string]: unknown } = { ...raw, model_type: modelType, dtype: "float32" };
  delete config["torch_dtype"];
  delete config["_name_or_path"];
  if (model.head === "lm") {
    config["architectures"] = [lmClasses[modelType] ?? `${classes[modelType]}ForCausalLM`];
    return config;
  }
  config["architectures"] = [`${classes[modelType]}ForSequenceClassification`];
  config["id2label"] = { "0": "LABEL_0" };
  config["label2id"] = { LABEL_0: 0 };
  // Transformers scores the last token that is not this id. A padding token that is also the end token would move the
  // score before the end; without one it takes the last token, and refuses batches rather than score them wrongly.
  config["pad_token_id"] = padTokenId ?? null;
  return config;
}

/** What a GGUF file holds of a model's companions, as Hugging Face's files. */
async function saveGgufCompanions(file: string, generation: RawConfig, folder: string): Promise<void> {
  await saveTokenizer(await loadTokenizer(file), folder);
  await writeFile(join(folder, "generation_config.json"), `${JSON.stringify(generation, null, 2)}\n`);
}

/** Writes config.json, the weights (f32) and the tokenizer's files into an existing folder. */
export async function saveModel(model: LanguageModel, folder: string, options: { padTokenId?: number | undefined } = {}): Promise<void> {
  await saveWeights(
    folder,
    [...model.parameters].map(([name, buffer]) => ({ name, shape: buffer.shape, data: buffer.host as Float32Array })),
  );
  try {
    await writeFile(join(folder, "config.json"), `${JSON.stringify(formatConfig(model, options.padTokenId), null, 2)}\n`);
    if (model.folder === undefined) return;
    const generation = await readGgufGenerationConfig(model.folder);
    if (generation !== undefined) return await saveGgufCompanions(model.folder, generation, folder);
    const present = new Set(await readdir(model.folder));
    // Contents alone: a copy of a read-only file would be read-only too, and the new model is the user's to change.
    for (const name of companions) if (present.has(name)) await writeFile(join(folder, name), await readFile(join(model.folder, name)));
  } catch (cause) {
    throw explainFileError(cause, "saving the model in", folder);
  }
}
