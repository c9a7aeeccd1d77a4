/** What to run with the pairs that `spar label` has made. */

import { quoteWord } from "../internal/quote-word.ts";

export interface LabelledFiles {
  /** The tasks, and so the prompts. */
  readonly data: string;
  readonly pairsFile: string;
  readonly pairs: number;
  /** Whether the quickstart's recipes lie here, as they do in a clone of spar; elsewhere the model is to be named. */
  readonly hasRecipes: boolean;
}

export function describeNextSteps({ data, pairsFile, pairs, hasRecipes }: LabelledFiles): string {
  // Too few to hold some back: what would be measured on two pairs says nothing.
  const held = pairs < 20 ? "--eval_strategy no" : "--test_split_size 0.1";
  const reward = hasRecipes ? `--config recipes/quickstart/reward.yaml ${held}` : "--model_name_or_path MODEL";
  const ppo = hasRecipes ? "--config recipes/quickstart/ppo.yaml" : "--sft_model_path MODEL";
  return `
next, a reward model that learns from them, and a model that learns from it${hasRecipes ? "" : " (MODEL: the one whose answers these are)"}:
  spar reward ${reward} --dataset_name ${quoteWord(pairsFile)} --output_dir runs/labelled-reward
  spar ppo ${ppo} --reward_model_path runs/labelled-reward --dataset_name ${quoteWord(data)} --output_dir runs/labelled-ppo
more labels where they teach the most:
  spar label --data ${quoteWord(data)} --reward-model runs/labelled-reward${pairsFile === "pairs.jsonl" ? "" : ` --out ${quoteWord(pairsFile)}`}`;
}
