/** Keys of `spar ppo`: TRL 0.12.2's PPOConfig (the last with these names and this trainer), and what it has no name for. */

import * as z from "zod";
import {
  booleanField,
  choiceField,
  integerField,
  numberField,
  optionalChoiceField,
  optionalIntegerField,
  optionalNumberField,
  optionalNumberListField,
  optionalTextField,
  textListField,
} from "./config-fields.ts";
import { createTrainingArguments, requireData, requireOneOf } from "./training-arguments.ts";

export const ppoConfigSchema = z
  .strictObject({
    // TRL 0.12.2 stands on TrainingArguments as it is, and its PPO trainer logs every update whatever logging_steps says.
    ...createTrainingArguments({ learning_rate: 5e-5, logging_steps: 1, gradient_checkpointing: false }),

    // Models and rewards
    sft_model_path: optionalTextField("The policy's start and the reference; absent: model_name_or_path."),
    reward_model_path: optionalTextField("Reward model: a score-head model's folder or hub id."),
    value_model_path: optionalTextField("Separate value model; absent: a value head on the policy's trunk."),
    reward_funcs: textListField([], "More rewards: model folders, ./file.mjs, http(s)://…, rule:NAME."),
    reward_weights: optionalNumberListField("A weight for each reward (reward_model_path first, then reward_funcs); absent: 1 each."),
    chat_template_path: optionalTextField("Chat template: a jinja file, or a model whose template to take."),

    // Rollouts
    total_episodes: optionalIntegerField(null, "Completions to train on in all; absent: num_train_epochs times the prompts.", { min: 1 }),
    response_length: integerField(53, "New tokens of a completion at most.", { min: 1 }),
    max_prompt_length: optionalIntegerField(null, "Leave out prompts with more tokens; absent: none.", { min: 1 }),
    temperature: numberField(0.7, "Sampling temperature; log-probs everywhere are of logits ÷ temperature.", { above: 0 }),
    top_k: integerField(0, "Sample among the k likeliest tokens; 0: all.", { min: 0 }),
    top_p: numberField(1, "Sample among the likeliest tokens of this total probability.", { above: 0, max: 1 }),
    stop_token: optionalChoiceField(["eos"], "Cut completions after this token: eos, or null for none."),
    stop_token_id: optionalIntegerField(null, "Cut completions after the token of this id.", { min: 0 }),
    missing_eos_penalty: optionalNumberField(null, "Taken off the score of completions without end token.", { min: 0 }),
    local_rollout_forward_batch_size: integerField(64, "Rows in a forward pass while collecting.", { min: 1 }),
    num_sample_generations: integerField(10, "Times in a run that samples are logged; 0: never.", { min: 0 }),

    // Rewards on the way to advantages
    kl_coef: numberField(0.05, "Weight of the KL penalty in the reward (its start where the controller adapts)."),
    kl_estimator: choiceField(["k1", "k3"], "k1", "Estimate of KL a token: log-ratio (k1), or its unbiased low-variance form (k3)."),
    adap_kl_ctrl: booleanField(false, "Adapt kl_coef so that KL (summed over the sequence) approaches kl_target (Ziegler et al. 2019)."),
    kl_target: numberField(6, "KL that the adaptive controller aims at.", { above: 0 }),
    kl_horizon: numberField(10000, "Episodes over which the adaptive controller acts.", { above: 0 }),
    use_score_scaling: booleanField(false, "Divide scores by their running standard deviation."),
    use_score_norm: booleanField(false, "With use_score_scaling: subtract the running mean too."),
    score_clip: optionalNumberField(null, "Clip scores to ± this.", { above: 0 }),
    whiten_rewards: booleanField(false, "Scale rewards to variance 1 before advantages (mean kept)."),
    whiten_advantages: booleanField(true, "Shift and scale advantages to mean 0, variance 1."),
    gamma: numberField(1, "Discount.", { min: 0, max: 1 }),
    lam: numberField(0.95, "λ of generalised advantage estimation.", { min: 0, max: 1 }),

    // Updates
    num_ppo_epochs: integerField(4, "Passes over each batch of rollouts.", { min: 1 }),
    num_mini_batches: integerField(1, "Optimizer steps a pass.", { min: 1 }),
    cliprange: numberField(0.2, "ε of the clipped policy ratio.", { above: 0 }),
    cliprange_value: numberField(0.2, "Values may move this far from the rollout's.", { above: 0 }),
    vf_coef: numberField(0.1, "Weight of the value loss."),
  })
  .superRefine(requireOneOf(["sft_model_path", "model_name_or_path"], "the policy to start from (a folder or a hub id)"))
  .superRefine(requireData)
  .superRefine((config, context) => {
    const rewards = config.reward_funcs.length + (config.reward_model_path === null ? 0 : 1);
    if (rewards === 0) {
      context.addIssue({
        code: "custom",
        path: ["reward_model_path"],
        message: "reward_model_path or reward_funcs is missing: what to maximise",
      });
    } else if (config.reward_weights !== null && config.reward_weights.length !== rewards) {
      const message = `expected a weight for each reward (${rewards}), found ${config.reward_weights.length}`;
      context.addIssue({ code: "custom", path: ["reward_weights"], message });
    }
    if (config.stop_token !== null && config.stop_token_id !== null) {
      context.addIssue({ code: "custom", path: ["stop_token_id"], message: "expected stop_token or stop_token_id, found both" });
    }
    if (config.use_score_norm && !config.use_score_scaling) {
      context.addIssue({ code: "custom", path: ["use_score_norm"], message: "expected use_score_scaling: true with it" });
    }
  });

export type PPOConfig = z.output<typeof ppoConfigSchema>;
