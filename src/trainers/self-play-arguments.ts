/** Keys that `self-rewarding` and `spin` share: DPO's, since both train by it, and how the model's own answers are sampled. */

import type * as z from "zod";
import { createTrainingArguments } from "./training-arguments.ts";
import { integerField, numberField, optionalIntegerField } from "./config-fields.ts";
import { dpoConfigSchema } from "./dpo-config.ts";

const { ref_model_name_or_path: _reference, ...dpoKeys } = dpoConfigSchema.shape;

/** The reference is always the model that an iteration starts from, so there is no key for it. */
export function createSelfPlayArguments(defaults: Parameters<typeof createTrainingArguments>[0]) {
  return {
    ...dpoKeys,
    ...createTrainingArguments(defaults),
    max_prompt_length: optionalIntegerField(null, "Leave out prompts with more tokens; absent: those that leave no room for an answer.", {
      min: 1,
    }),
    max_new_tokens: integerField(512, "New tokens of an answer at most.", { min: 1 }),
    top_k: integerField(0, "Sample among the k likeliest tokens; 0: all.", { min: 0 }),
    generation_batch_size: integerField(32, "Answers sampled, and graded, at the same time.", { min: 1 }),
  };
}

/** What DPO is told of its own keys; the iteration fills in the model, the data and the folder. */
export function pickDPOKeys(config: { readonly [key: string]: unknown }): { [key: string]: unknown } {
  return Object.fromEntries(Object.keys(dpoConfigSchema.shape).flatMap((key) => (config[key] === undefined ? [] : [[key, config[key]]])));
}

/** DPO's own rules between keys, told at once and not when an iteration has reached its training. */
export function checkDPOKeys(config: { readonly [key: string]: unknown }, context: z.RefinementCtx): void {
  const parsed = dpoConfigSchema.safeParse({ ...pickDPOKeys(config), model_name_or_path: "model", dataset_name: "pairs" });
  for (const issue of parsed.success ? [] : parsed.error.issues)
    context.addIssue({ code: "custom", path: issue.path, message: issue.message });
}

export const answerTemperature = (initial: number) => numberField(initial, "Sampling temperature of answers.", { min: 0 });
export const answerTopP = (initial: number) =>
  numberField(initial, "Sample among the likeliest tokens of this total probability.", { above: 0, max: 1 });
