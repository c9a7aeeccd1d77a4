/** Keys of `spar reward`: TRL 1.16's RewardConfig. */

import * as z from "zod";
import { booleanField, optionalNumberField } from "./config-fields.ts";
import { createTrainingArguments, requireData, requireOneOf, tokenizationArguments } from "./training-arguments.ts";

export const rewardConfigSchema = z
  .strictObject({
    ...createTrainingArguments({ learning_rate: 1e-4, logging_steps: 10, gradient_checkpointing: true }),
    ...tokenizationArguments,
    disable_dropout: booleanField(true, "Train without dropout."),
    center_rewards_coefficient: optionalNumberField(
      null,
      "Weight of the pull of rewards towards mean zero (Eisenstein et al. 2023); .01 is usual.",
    ),
  })
  .superRefine(requireOneOf(["model_name_or_path"], "the model to start from (a folder or a hub id)"))
  .superRefine(requireData);

export type RewardConfig = z.output<typeof rewardConfigSchema>;
