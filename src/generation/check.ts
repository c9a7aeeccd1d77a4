/** What a model, a prompt and the numbers that come out must be. */
import { SparError } from "../internal/errors.ts";
import type { LanguageModel } from "../models/index.ts";
import type { CompletionRow } from "./completion.ts";

/** Throws `generation/no-lm-head` and `generation/head-size` for models that cannot generate. */
export function checkModel(model: LanguageModel): void {
  if (model.head !== "lm")
    throw new SparError("generation/no-lm-head", "createGenerator: expected a language model, got a model with a score head");
  const { headDim } = model.config;
  // ONNX Runtime's GroupQueryAttention asks for it, and would say so only in the first step.
  if (headDim % 8 !== 0) {
    throw new SparError("generation/head-size", `createGenerator: expected attention heads of a multiple of 8 numbers, got ${headDim}`, {
      hint: "choose hidden_size ÷ num_attention_heads (or head_dim) as a multiple of 8",
    });
  }
}

export function checkPrompt(ids: ArrayLike<number>, { config: { maxPositions, vocabSize } }: LanguageModel, name: string): void {
  const { length } = ids;
  if (length === 0)
    throw new SparError("generation/empty-prompt", `${name} has no tokens`, {
      hint: "give at least one token, such as the model's first (BOS)",
    });
  if (length >= maxPositions)
    throw new SparError(
      "generation/prompt-too-long",
      `${name} has ${length} tokens; expected fewer than the model's ${maxPositions} positions`,
      { hint: "shorten the prompt" },
    );
  for (let i = 0; i < length; i++) {
    if (!(ids[i] >= 0 && ids[i] < vocabSize))
      throw new SparError("generation/bad-token", `${name} holds token ${ids[i]}; expected ids from 0 to ${vocabSize - 1}`);
  }
}

export function notANumber(row: CompletionRow): SparError {
  return new SparError(
    "generation/not-a-number",
    `generate: the logits of prompt ${row.request + 1} are not numbers after ${row.ids.length} new tokens`,
    {
      hint: "the model's weights hold NaN or infinite values: a training that diverged, or a damaged file",
    },
  );
}
