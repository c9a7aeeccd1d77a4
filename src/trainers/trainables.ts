/** Which parameters a run trains, and the memory for their gradients. */
import { SparError } from "../internal/errors.ts";
import type { LanguageModel } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Trainable } from "./optimizer.ts";

/**
 * All parameters, or with `layersUnfrozen` ≥ 0 those of the last so many layers and what comes after them
 * (the article's `num_layers_unfrozen`); a head tied to the embedding is frozen with it. Throws `recipe/invalid` where the model has fewer.
 */
export function selectTrainables(model: LanguageModel, backend: Backend, layersUnfrozen = -1): Trainable[] {
  const { architecture, config } = model;
  if (layersUnfrozen > config.layers)
    throw new SparError(
      "recipe/invalid",
      `num_layers_unfrozen: the model has ${config.layers} layers, and ${layersUnfrozen} are to be trained`,
      {
        hint: "-1 trains all of them and the embedding",
      },
    );
  const firstTrained = layersUnfrozen < 0 ? -1 : config.layers - layersUnfrozen;
  return [...model.parameters]
    .filter(([name]) => architecture.layerOf(config, name) >= firstTrained)
    .map(([name, value]) => ({ name, value, gradient: backend.allocate(value, { discardable: true }) }));
}

/** Between updates nobody needs the gradients: their memory is free for other work. */
export function discardGradients(trainables: readonly Trainable[]): void {
  for (const { gradient } of trainables) gradient.discard();
}

/** Gives the gradients' memory back; the parameters are the model's. */
export function freeGradients(trainables: readonly Trainable[]): void {
  for (const { gradient } of trainables) gradient.free();
}
