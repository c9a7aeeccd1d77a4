/** Keys of `spar dpo`: TRL 1.16's DPOConfig. */

import * as z from "zod";
import { differenceLossTypes, dpoLossTypes, fDivergences, sortingLossTypes } from "../losses/index.ts";
import {
  booleanField,
  choiceField,
  choiceListField,
  integerField,
  numberField,
  optionalIntegerField,
  optionalNumberField,
  optionalNumberListField,
  optionalTextField,
} from "./config-fields.ts";
import { createTrainingArguments, requireData, requireOneOf, tokenizationArguments } from "./training-arguments.ts";

export const dpoConfigSchema = z
  .strictObject({
    ...createTrainingArguments({ learning_rate: 1e-6, logging_steps: 10, gradient_checkpointing: true }),
    ...tokenizationArguments,
    disable_dropout: booleanField(true, "Train without dropout."),

    // The loss
    loss_type: choiceListField(dpoLossTypes, ["sigmoid"], "One loss, or several that are added."),
    loss_weights: optionalNumberListField("A weight for each of loss_type; absent: 1 each."),
    beta: numberField(0.1, "How closely the model is kept to the reference: larger is closer (ipo: its τ).", { above: 0 }),
    label_smoothing: numberField(0, "Share of labels taken to be the wrong way round, in robust, exo_pair, aot and aot_unpaired.", {
      min: 0,
      max: 1,
    }),
    ld_alpha: optionalNumberField(null, "LD-DPO: weight of the tokens beyond the shorter completion's length; absent: all count alike.", {
      min: 0,
      max: 1,
    }),
    f_divergence_type: choiceField(fDivergences, "reverse_kl", "What holds the model to the reference."),
    f_alpha_divergence_coef: numberField(0.5, "α of alpha_divergence."),
    use_weighting: booleanField(false, "WPO: weigh each pair by how likely the model itself would write it."),
    discopop_tau: numberField(0.05, "Temperature of the blend in discopop.", { above: 0 }),

    // The reference
    ref_model_name_or_path: optionalTextField("Reference model; absent: the model that training starts from."),
    precompute_ref_log_probs: booleanField(
      false,
      "Compute the reference's log-probs of all pairs before the first step, cached on disk, and keep no reference in memory.",
    ),
    precompute_ref_batch_size: optionalIntegerField(null, "Pairs in a batch of that; absent: as in training and in evaluation.", {
      min: 1,
    }),
    sync_ref_model: booleanField(false, "TR-DPO: move the reference towards the model every ref_model_sync_steps."),
    ref_model_mixup_alpha: numberField(0.6, "Share of the model in the moved reference.", { min: 0, max: 1 }),
    ref_model_sync_steps: integerField(512, "Steps between two moves of the reference.", { min: 1 }),
  })
  .superRefine(requireOneOf(["model_name_or_path"], "the model to start from (a folder or a hub id)"))
  .superRefine(requireData)
  .superRefine((config, context) => {
    const types = config.loss_type;
    const refuse = (key: keyof typeof config, message: string): void => context.addIssue({ code: "custom", path: [key], message });
    if (config.loss_weights !== null && config.loss_weights.length !== config.loss_type.length) {
      refuse("loss_weights", `expected a weight for each loss (${config.loss_type.length}), found ${config.loss_weights.length}`);
    }
    const notOfDifference = types.filter((type) => !differenceLossTypes.has(type));
    if (config.f_divergence_type !== "reverse_kl" && notOfDifference.length > 0) {
      const message = `expected reverse_kl: ${notOfDifference.join(", ")} looks at chosen and rejected apart, where other divergences are not defined`;
      refuse("f_divergence_type", message);
    }
    const unweighable = types.filter((type) => sortingLossTypes.has(type) || type === "sft");
    if (config.use_weighting && unweighable.length > 0) {
      refuse("use_weighting", `expected false: the terms of ${unweighable.join(", ")} do not belong to single pairs`);
    }
    if (types.includes("exo_pair") && !(config.label_smoothing > 0 && config.label_smoothing < 1)) {
      refuse("loss_type", `exo_pair needs a label_smoothing between 0 and 1 (its paper: 1e-3), found ${config.label_smoothing}`);
    }
    if (types.includes("robust") && config.label_smoothing >= 0.5) {
      refuse("label_smoothing", `expected below 0.5 for robust, found ${config.label_smoothing}`);
    }
    if (config.sync_ref_model && config.precompute_ref_log_probs) {
      refuse(
        "sync_ref_model",
        "expected precompute_ref_log_probs: false with it: the precomputed log-probs would be of a reference that has moved",
      );
    }
  });

export type DPOConfig = z.output<typeof dpoConfigSchema>;
