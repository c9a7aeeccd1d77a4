/** Keys of `spar self-rewarding`: Yuan et al. 2024 (arXiv 2401.10020); DPO's keys are those of its iterations. */

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
  textField,
  textListField,
} from "./config-fields.ts";
import { answerTemperature, answerTopP, checkDPOKeys, createSelfPlayArguments } from "./self-play-arguments.ts";
import { requireData, requireOneOf } from "./training-arguments.ts";

export const selfRewardingConfigSchema = z
  .strictObject({
    ...createSelfPlayArguments({ learning_rate: 1e-6, logging_steps: 10, gradient_checkpointing: true, num_train_epochs: 1 }),

    // M0 → M1
    ift_dataset: optionalTextField("Instruction examples (as for sft) that M1 learns from; absent: none."),
    eft_dataset: optionalTextField(
      "Judging examples: graded or labelled answers, preference pairs, or {prompt, completion} as they are; absent: none.",
    ),
    eft_first_epochs: numberField(0, "Passes over the judging examples alone, before they are mixed with the instruction examples.", {
      min: 0,
    }),
    sft_learning_rate: numberField(5.5e-6, "Peak learning rate of M1's training.", { min: 0 }),
    sft_num_train_epochs: numberField(1, "Passes over instruction and judging examples together.", { above: 0 }),
    sft_batch_size: integerField(16, "Rows in a training micro-batch of M1.", { min: 1 }),
    sft_lr_scheduler_type: choiceField(["linear", "cosine", "constant", "constant_with_warmup"], "cosine", "Course of M1's learning rate."),

    // Prompts
    num_iterations: integerField(2, "Iterations after M1: 2 make M2 and M3.", { min: 1 }),
    prompts_per_iteration: optionalIntegerField(null, "Prompts of an iteration; absent: all that are given.", { min: 1 }),
    make_prompts: booleanField(
      false,
      "Let a model make new prompts after the pattern of the data's (8 are shown); else the data's own are used.",
    ),
    prompt_model: optionalTextField("Model that makes prompts; absent: the model that the run starts from, in all iterations."),
    prompt_temperature: numberField(0.6, "Sampling temperature of new prompts.", { above: 0 }),
    prompt_top_p: numberField(0.9, "Top-p of new prompts.", { above: 0, max: 1 }),
    prompt_max_new_tokens: integerField(128, "New tokens of a new prompt at most.", { min: 1 }),
    prompt_rouge_limit: numberField(0.7, "Leave out new prompts whose ROUGE-L with an earlier one is above this.", { above: 0, max: 1 }),
    prompt_min_words: integerField(3, "Leave out shorter new prompts.", { min: 1 }),
    prompt_max_words: integerField(150, "Leave out longer new prompts.", { min: 1 }),
    prompt_banned_words: textListField(
      [
        "image",
        "images",
        "graph",
        "graphs",
        "picture",
        "pictures",
        "file",
        "files",
        "map",
        "maps",
        "draw",
        "plot",
        "go to",
        "video",
        "audio",
      ],
      "Leave out new prompts with one of these words: what a language model cannot do.",
    ),

    // Candidates and their judge
    num_candidates: integerField(4, "Answers to each prompt.", { min: 2 }),
    temperature: answerTemperature(0.7),
    top_p: answerTopP(0.9),
    judge: textField(
      "self",
      "Who grades: self (the model of the iteration), frozen (M1 in all iterations), start (M0, the model that the run starts from, in all), or model:…, openai:URL#MODEL, reward:…, rule:NAME, human:FILE.",
    ),
    judge_rubric: textField("additive-v1", "Rubric: a shipped one's name, or a file."),
    judge_mode: choiceField(["sample", "expected"], "sample", "Sampled judgements, or the expected score from the answers' logits."),
    num_judgements: integerField(3, "Judgements averaged, where they are sampled.", { min: 1 }),
    judge_max_new_tokens: integerField(512, "New tokens of a sampled judgement at most.", { min: 1 }),
    judge_api_key_file: optionalTextField(
      "File with the key of an openai: judge; absent: OPENAI_API_KEY, where the command line finds one.",
    ),
    judge_concurrency: integerField(8, "Requests at a time to an openai: judge, the outside one too.", { min: 1 }),
    judge_timeout: numberField(120, "Seconds that one such request may take.", { above: 0 }),
    judge_retries: integerField(5, "Further attempts at such a request after the first.", { min: 0 }),
    judge_cache: optionalTextField(
      "Folder for the answers of openai: judges, so that nothing is asked twice; several runs may share it. Absent: judge-cache in output_dir.",
    ),
    judge_price_in: optionalNumberField(null, "Price of a million tokens that an openai: judge reads, to log the cost.", { min: 0 }),
    judge_price_out: optionalNumberField(null, "Price of a million tokens that it writes.", { min: 0 }),
    reward_model_path: optionalTextField("Grade by this reward model instead of a judge (iterative DPO)."),
    reward_funcs: textListField([], "Grade by these instead of a judge: model folders, ./file.mjs, http(s)://…, rule:NAME."),
    reward_weights: optionalNumberListField("A weight for each reward (reward_model_path first, then reward_funcs); absent: 1 each."),

    // Pairs
    tie_within: numberField(0, "Best and worst whose grades differ by no more are a tie; ties are dropped.", { min: 0 }),
    length_tier: numberField(
      0,
      "Length control: of the answers within this share of the range of grades from the best take the shortest, from the worst the longest.",
      { min: 0, below: 0.5 },
    ),

    // Watching and stopping
    eval_dataset: optionalTextField("Prompts to watch on, none of them trained on; absent: some of the data's, set apart."),
    num_eval_prompts: integerField(64, "Prompts to watch on.", { min: 1 }),
    outside_judge: optionalTextField("Judge that is not the policy, of every model against M1: model:…, openai:…, reward:… or rule:NAME."),
    outside_judge_rubric: optionalTextField("Rubric of the outside judge; absent: judge_rubric."),
    outside_judge_mode: optionalChoiceField(
      ["sample", "expected"],
      "Mode of the outside judge; absent: judge_mode for model:, and sample for openai:, which has no logits to offer.",
    ),
    outside_judge_api_key_file: optionalTextField(
      "File with the key of an openai: outside judge; absent: the judge's key where both have the same origin; else OPENAI_API_KEY where judge is not openai:.",
    ),
    outside_judge_price_in: optionalNumberField(null, "Price of a million tokens that an openai: outside judge reads.", { min: 0 }),
    outside_judge_price_out: optionalNumberField(null, "Price of a million tokens that it writes.", { min: 0 }),
    stop_without_gain: booleanField(false, "Stop when a model's mean grade by the outside judge is not above the one before."),
    stop_length_growth: optionalNumberField(null, "Stop when answers are longer than M1's by more than this factor.", { above: 1 }),
    stop_distinct_2: optionalNumberField(null, "Stop when distinct-2 falls below this share of M1's.", { above: 0, max: 1 }),
  })
  .superRefine(requireOneOf(["model_name_or_path"], "the model to start from (a folder or a hub id)"))
  .superRefine(requireData)
  .superRefine(checkDPOKeys)
  .superRefine((config, context) => {
    const refuse = (key: keyof typeof config, message: string): void => context.addIssue({ code: "custom", path: [key], message });
    const isRewarded = config.reward_model_path !== null || config.reward_funcs.length > 0;
    if (isRewarded && config.judge !== "self") refuse("judge", "expected none beside reward_model_path or reward_funcs");
    const rewards = (config.reward_model_path === null ? 0 : 1) + config.reward_funcs.length;
    if (config.reward_weights !== null && config.reward_weights.length !== rewards)
      refuse("reward_weights", `expected a weight for each reward (${rewards}), found ${config.reward_weights.length}`);
    const isEndpoint = (judge: string | null): boolean => judge?.startsWith("openai:") === true;
    if (!/^(self|frozen|start)$/.test(config.judge) && !isJudge(config.judge))
      refuse("judge", `expected self, frozen, start, model:…, openai:URL#MODEL, reward:…, rule:NAME or human:FILE, found ${config.judge}`);
    else if (isEndpoint(config.judge) && config.judge_mode === "expected")
      refuse("judge_mode", "expected sample with an openai: judge: expected scores need a model's logits");
    if (config.judge_api_key_file !== null && !isEndpoint(config.judge))
      refuse("judge_api_key_file", "expected judge: openai:… with it (the outside judge's is outside_judge_api_key_file)");
    if (config.outside_judge !== null && !isJudge(config.outside_judge))
      refuse("outside_judge", `expected model:…, openai:URL#MODEL, reward:…, rule:NAME or human:FILE, found ${config.outside_judge}`);
    else if (isEndpoint(config.outside_judge) && config.outside_judge_mode === "expected")
      refuse("outside_judge_mode", "expected sample with an openai: judge: expected scores need a model's logits");
    if (config.outside_judge_api_key_file !== null && !isEndpoint(config.outside_judge))
      refuse("outside_judge_api_key_file", "expected outside_judge: openai:… with it");
    if (config.stop_without_gain && config.outside_judge === null) refuse("stop_without_gain", "expected outside_judge with it");
    if (config.prompt_min_words > config.prompt_max_words) refuse("prompt_min_words", "expected no more than prompt_max_words");
    if (config.make_prompts && config.prompts_per_iteration === null) refuse("make_prompts", "expected prompts_per_iteration with it");
  });

/** The form only; what is behind it is looked for with the recipe's files. */
const isJudge = (judge: string): boolean => /^((model|reward|rule|human):.|openai:[^#]+#.)/s.test(judge);

export type SelfRewardingConfig = z.output<typeof selfRewardingConfigSchema>;
