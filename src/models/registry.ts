/** config.json's `model_type` → the file that implements it. */
import { SparError } from "../internal/errors.ts";
import type { Architecture, RawConfig } from "./architecture.ts";
import { gpt2 } from "./gpt2.ts";
import { llama } from "./llama.ts";

const architectures: { readonly [modelType: string]: Architecture } = {
  gpt2: gpt2 as Architecture,
  llama: llama as Architecture,
  mistral: llama as Architecture,
  qwen2: llama as Architecture,
  qwen3: llama as Architecture,
};

export const supportedModelTypes: readonly string[] = Object.keys(architectures);

export function findArchitecture(raw: RawConfig, where: string): Architecture {
  const modelType = raw["model_type"];
  const found = typeof modelType === "string" ? architectures[modelType] : undefined;
  if (found === undefined) {
    throw new SparError(
      "model/unsupported",
      `${where}: model_type ${JSON.stringify(modelType)} is not supported; expected one of ${supportedModelTypes.join(", ")}`,
    );
  }
  if (raw["quantization_config"] !== undefined) {
    throw new SparError(
      "model/unsupported",
      `${where}: quantised weights (quantization_config) cannot be read; use the model's unquantised version`,
    );
  }
  return found;
}
