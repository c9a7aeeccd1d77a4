/** PPO before PPO: a few completions, what the rewards say of them, and whether sampler and trainer agree on their log-probs. */
import type { Row } from "../data/index.ts";
import { createGenerator, createScorer, type Completion } from "../generation/index.ts";
import { resolveModel } from "../hub/index.ts";
import { SparError } from "../internal/errors.ts";
import { freeModel, loadModel, type LanguageModel } from "../models/index.ts";
import type { ResolvedRecipe } from "../recipes/index.ts";
import { createRewards, type RewardRow } from "../rewards/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { findingOfError, type Finding } from "./finding.ts";

type PPORecipe = Extract<ResolvedRecipe, { method: "ppo" }>;

export interface RolloutCheck {
  readonly backend: Backend;
  readonly folder: string;
  readonly tokenizer: Tokenizer;
  readonly prompts: readonly { readonly promptIds: readonly number[]; readonly row: Row }[];
}

/** Tokens a completion at most: enough to compare and to score. */
const longest = 32;
/** Rounding differs between the cached and the whole-sequence graph by far less. */
const tolerance = 1e-3;

export async function checkRollout({ config }: PPORecipe, { backend, folder, tokenizer, prompts }: RolloutCheck): Promise<Finding[]> {
  const model = await loadModel(folder, backend, { head: "lm" });
  try {
    const stopIds =
      config.stop_token_id !== null
        ? [config.stop_token_id]
        : config.stop_token !== null && tokenizer.eosId !== undefined
          ? [tokenizer.eosId]
          : [];
    const usable = prompts.filter(({ promptIds }) => promptIds.length + longest < model.config.maxPositions);
    if (usable.length === 0) return [];
    const generator = createGenerator(model, backend, { tokenizer });
    const completions = await generator
      .generate(
        usable.map(({ promptIds }) => ({ promptIds })),
        {
          maxNewTokens: Math.min(longest, config.response_length),
          temperature: config.temperature,
          topK: config.top_k,
          topP: config.top_p,
          stopIds,
          seed: config.seed,
        },
      )
      .finally(() => generator.release());
    const difference = await compareLogprobs(
      model,
      backend,
      usable.map(({ promptIds }) => promptIds),
      completions,
      config.temperature,
    );
    return [...judgeLogprobs(difference), ...(await scoreCompletions(config, { backend, tokenizer }, usable, completions))];
  } catch (error) {
    return [findingOfError(error)];
  } finally {
    freeModel(model);
  }
}

/** The largest difference of a sampled token's log-prob between the sampler and the graph that the trainer differentiates. */
async function compareLogprobs(
  model: LanguageModel,
  backend: Backend,
  prompts: readonly (readonly number[])[],
  completions: readonly Completion[],
  temperature: number,
): Promise<number> {
  const scorer = createScorer(model, backend);
  const scored = await scorer
    .logprobs(
      completions.map(({ ids }, i) => ({ ids: [...prompts[i], ...ids], from: prompts[i].length })),
      { temperature },
    )
    .finally(() => scorer.release());
  let difference = 0;
  for (const [i, { logprobs }] of completions.entries())
    for (const [t, value] of logprobs.entries()) difference = Math.max(difference, Math.abs(value - scored[i].logprobs[t]));
  return difference;
}

export function judgeLogprobs(difference: number): Finding[] {
  if (difference <= tolerance) return [];
  return [
    {
      code: "doctor/logprobs-differ",
      level: "error",
      found: `the sampler's and the trainer's log-probs of the same tokens differ by up to ${difference.toPrecision(3)}`,
      why: "PPO's ratios would be wrong from the first step on",
      action: "run spar doctor to test this machine's kernels, and report it with the model's config.json",
    },
  ];
}

async function scoreCompletions(
  config: PPORecipe["config"],
  { backend, tokenizer }: { backend: Backend; tokenizer: Tokenizer },
  prompts: RolloutCheck["prompts"],
  completions: readonly Completion[],
): Promise<Finding[]> {
  let rewards: Awaited<ReturnType<typeof createRewards>>;
  try {
    rewards = await createRewards([...(config.reward_model_path === null ? [] : [config.reward_model_path]), ...config.reward_funcs], {
      folder: ".",
      backend,
      tokenizer,
      resolveModel: (name) => resolveModel(name),
      weights: config.reward_weights,
    });
  } catch (error) {
    return [findingOfError(error)];
  }
  try {
    const rows: RewardRow[] = completions.map(({ ids }, i) => {
      const { promptIds, row } = prompts[i];
      const given = row["prompt"];
      const prompt =
        typeof given === "string" || Array.isArray(given)
          ? (given as RewardRow["prompt"])
          : tokenizer.decode(promptIds, { skipSpecialTokens: true });
      return { ...row, prompt, completion: tokenizer.decode(ids, { skipSpecialTokens: true }), completion_ids: ids, prompt_ids: promptIds };
    });
    const { total } = await rewards.score(rows);
    return judgeScores([...total]);
  } catch (error) {
    if (error instanceof SparError) return [findingOfError(error)];
    throw error;
  } finally {
    rewards.release();
  }
}

/** `scores`: of different completions; NaN where no reward applies. */
export function judgeScores(scores: readonly number[]): Finding[] {
  const known = scores.filter((score) => !Number.isNaN(score));
  if (known.length < scores.length) {
    const none = known.length === 0;
    const found = `no reward applies to ${scores.length - known.length} of ${scores.length} sampled completions`;
    return [
      {
        code: "doctor/reward-missing",
        level: none ? "error" : "warning",
        found,
        why: "there is nothing to learn from them",
        action: "give a reward that applies to every row",
      },
    ];
  }
  if (known.length > 1 && known.every((score) => score === known[0])) {
    const found = `all ${known.length} sampled completions have the same reward, ${known[0]}`;
    return [
      {
        code: "doctor/constant-reward",
        level: "warning",
        found,
        why: "with equal rewards only the KL penalty moves the model",
        action: "check the reward on rows of your own, or its options",
      },
    ];
  }
  return [];
}
