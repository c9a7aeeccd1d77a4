/** The sizes of a model that forecasts need, from its config.json. */
import { findArchitecture, parameterShapes, type RawConfig } from "../models/index.ts";
import { sizeOf } from "../tensor/index.ts";

export interface ModelSizes {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
  /** Numbers in all parameters; of a model that is still to be made, about. */
  readonly weights: number;
}

export function readSizes(raw: RawConfig): ModelSizes {
  const read = (fallback: number, ...keys: string[]): number => {
    const found = keys.map((key) => raw[key]).find((value) => typeof value === "number");
    return typeof found === "number" ? found : fallback;
  };
  const isGPT2 = raw["model_type"] === "gpt2";
  return {
    hiddenSize: read(768, "n_embd", "hidden_size"),
    layers: read(12, "n_layer", "num_hidden_layers"),
    vocabSize: read(50257, "vocab_size"),
    maxPositions: read(isGPT2 ? 1024 : 2048, "n_positions", "max_position_embeddings"),
    weights: countWeights(raw),
  };
}

function countWeights(raw: RawConfig): number {
  const architecture = findArchitecture(raw, "config.json");
  const shapes = parameterShapes(architecture, architecture.parseConfig(raw), "lm");
  return [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
}
