/** Keys of `spar sft`: TRL 1.16's SFTConfig. */

import * as z from "zod";
import { booleanField, choiceField, optionalBooleanField, textField } from "./config-fields.ts";
import { createTrainingArguments, requireData, requireOneOf, tokenizationArguments } from "./training-arguments.ts";

export const sftConfigSchema = z
  .strictObject({
    ...createTrainingArguments({ learning_rate: 2e-5, logging_steps: 10, gradient_checkpointing: true }),
    ...tokenizationArguments,
    dataset_text_field: textField("text", "Column of plain text."),
    shuffle_dataset: booleanField(false, "Shuffle the data once before anything else."),
    packing: booleanField(false, "Fill rows of max_length with several texts."),
    packing_strategy: choiceField(
      ["bfd", "bfd_split", "wrapped"],
      "bfd",
      "How to pack: best fit (long texts cut, or split), or one stream cut anywhere.",
    ),
    eval_packing: optionalBooleanField("Pack the evaluation data; absent: as packing."),
    completion_only_loss: optionalBooleanField("Loss on completions only; absent: yes for prompt-completion data, no otherwise."),
    assistant_only_loss: booleanField(false, "Loss on the assistant's turns of conversations only."),
  })
  .superRefine(requireOneOf(["model_name_or_path"], "the model to start from (a folder or a hub id)"))
  .superRefine(requireData);

export type SFTConfig = z.output<typeof sftConfigSchema>;
