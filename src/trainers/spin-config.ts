/** Keys of `spar spin`: Chen et al. 2024 (arXiv 2401.01335); the loss is DPO's. */

import * as z from "zod";
import { integerField, numberField, optionalIntegerField, optionalNumberField } from "./config-fields.ts";
import { answerTemperature, answerTopP, checkDPOKeys, createSelfPlayArguments } from "./self-play-arguments.ts";
import { requireData, requireOneOf } from "./training-arguments.ts";

export const spinConfigSchema = z
  .strictObject({
    ...createSelfPlayArguments({
      learning_rate: 5e-7,
      warmup_ratio: 0.1,
      logging_steps: 10,
      gradient_checkpointing: true,
      num_train_epochs: 2,
    }),

    num_iterations: integerField(3, "Iterations.", { min: 1 }),
    late_learning_rate: numberField(1e-7, "Peak learning rate from late_from on.", { min: 0 }),
    late_from: integerField(2, "First iteration (from 0) with late_learning_rate.", { min: 0 }),
    last_beta: optionalNumberField(null, "beta of the last iteration; absent: beta. The authors' script for their fourth uses 5.", {
      above: 0,
    }),
    prompts_per_iteration: optionalIntegerField(null, "Examples drawn for an iteration; absent: all.", { min: 1 }),
    temperature: answerTemperature(1),
    top_p: answerTopP(1),
    num_eval_prompts: integerField(64, "Examples set apart, on which the gain of each iteration is measured.", { min: 2 }),
    stop_accuracy: numberField(
      0.5,
      "Stop when human answers are told from the generator's on no more than this share of the examples set apart.",
      {
        min: 0,
        max: 1,
      },
    ),
  })
  .superRefine(requireOneOf(["model_name_or_path"], "the model to start from, fine-tuned on such data (a folder or a hub id)"))
  .superRefine(requireData)
  .superRefine(checkDPOKeys);

export type SPINConfig = z.output<typeof spinConfigSchema>;
