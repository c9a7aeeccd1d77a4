/** What the commands that use a model need: its folder, tokenizer, weights and a backend, and an end to all of them. */

import type { GenerationSettings } from "../generation/index.ts";
import type { LanguageModel, RawConfig } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import type { CommandIO } from "./output.ts";
import type { SamplingArguments } from "./sampling-options.ts";

export type OpenModel = {
  folder: string;
  backend: Backend;
  model: LanguageModel;
  close(): void;
};

/** A folder, .gguf file or hub id → its folder or file, downloading with progress where it must. */
export async function resolveModelFolder(idOrPath: string, io: CommandIO): Promise<string> {
  const { resolveModel } = await import("../hub/index.ts");
  let shown = false;
  const folder = await resolveModel(idOrPath, {
    onProgress: ({ file, done, total }) => {
      if (!io.isTerminal) return;
      shown = true;
      io.writeNote(`\r\x1b[K${file} ${Math.floor((100 * done) / Math.max(1, total))} %`);
    },
  });
  if (shown) io.writeNote("\r\x1b[K");
  return folder;
}

export async function openModel(folder: string): Promise<OpenModel> {
  const [{ loadModel, freeModel }, { createCpuBackend }] = await Promise.all([import("../models/index.ts"), import("../runtime/index.ts")]);
  const backend = createCpuBackend();
  try {
    const model = await loadModel(folder, backend);
    return {
      folder,
      backend,
      model,
      close() {
        freeModel(model);
        backend.close();
      },
    };
  } catch (error) {
    backend.close();
    throw error;
  }
}

/** Flags, then generation_config.json, then defaults; completions end at the model's and at the tokenizer's end tokens. */
export async function resolveSampling(
  options: SamplingArguments,
  folder: string,
  config: RawConfig,
  tokenizer: Tokenizer,
): Promise<GenerationSettings> {
  const { loadSettings } = await import("../generation/index.ts");
  const { maxNewTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop } = options;
  const asked = { maxNewTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stopTexts: stop } as Partial<GenerationSettings>;
  return loadSettings(asked, folder, config, tokenizer);
}
