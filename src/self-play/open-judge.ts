/** Who grades in an iteration: the model itself, a frozen one, another judge, or rewards. */
import { readFile } from "node:fs/promises";
import { SparError } from "../internal/errors.ts";
import {
  createJudge,
  createRewardJudge,
  createRewards,
  joinRewards,
  loadModelReward,
  loadRubric,
  parseJudgeSpec,
  parseRewardSpec,
  type Judge,
  type RewardFunction,
} from "../rewards/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { SelfRewardingConfig } from "../trainers/configs.ts";

export interface JudgeSetting {
  readonly backend: Backend;
  readonly seed: number;
  readonly resolveModel: (name: string) => Promise<string>;
}

/** The judge's name in the sense of `--judge`: `self` and `frozen` become the folder they stand for. Rewards have none. */
export function nameJudge(config: SelfRewardingConfig, folders: { readonly current: string; readonly first: string }): string | undefined {
  if (config.reward_model_path !== null || config.reward_funcs.length > 0) return undefined;
  if (config.judge === "self") return `model:${folders.current}`;
  return config.judge === "frozen" ? `model:${folders.first}` : config.judge;
}

/** What of a judge lies on the disk, and so decides what it says. */
export function listJudgeFiles(name: string | undefined, config: SelfRewardingConfig): string[] {
  const rubric = /[/\\.]/.test(config.judge_rubric) ? [config.judge_rubric] : [];
  if (name === undefined)
    return [
      ...(config.reward_model_path === null ? [] : [config.reward_model_path]),
      ...config.reward_funcs.filter((spec) => !spec.includes(":")),
    ];
  const { kind, value } = parseJudgeSpec(name);
  return kind === "rule" || kind === "openai" ? rubric : [value, ...rubric];
}

/** Of the config's keys those that decide what the judge says. */
export function describeJudge(config: SelfRewardingConfig): object {
  const { judge_rubric, judge_mode, num_judgements, judge_max_new_tokens, reward_model_path, reward_funcs, reward_weights } = config;
  return {
    judge: config.judge,
    judge_rubric,
    judge_mode,
    num_judgements,
    judge_max_new_tokens,
    reward_model_path,
    reward_funcs,
    reward_weights,
  };
}

/** What it loads is freed by its `release`. */
export async function openJudge(name: string | undefined, config: SelfRewardingConfig, setting: JudgeSetting): Promise<Judge> {
  if (name === undefined) return openRewards(config, setting);
  const { backend, seed, resolveModel } = setting;
  const { kind } = parseJudgeSpec(name);
  const asked =
    kind === "model" || kind === "openai"
      ? {
          rubric: await loadRubric(config.judge_rubric),
          mode: config.judge_mode,
          judgements: config.num_judgements,
          sampling: { seed, maxNewTokens: config.judge_max_new_tokens },
        }
      : {};
  return createJudge(name, {
    backend,
    resolveModel,
    batchSize: config.generation_batch_size,
    ...asked,
    ...(kind === "openai" && config.judge_api_key_file !== null ? { apiKey: await readKey(config.judge_api_key_file) } : {}),
  });
}

async function openRewards(config: SelfRewardingConfig, { backend, resolveModel }: JudgeSetting): Promise<Judge> {
  const specs = [...(config.reward_model_path === null ? [] : [config.reward_model_path]), ...config.reward_funcs];
  const rewards: RewardFunction[] = [];
  const release = (): void => {
    for (const reward of rewards) reward.release?.();
  };
  try {
    for (const spec of specs) {
      // Answers are texts here, whoever wrote them: a reward model tokenises them itself.
      if (parseRewardSpec(spec).kind === "model")
        rewards.push(
          await loadModelReward(await resolveModel(spec), backend, {
            name: spec,
            encodeTexts: true,
            batchSize: config.generation_batch_size,
          }),
        );
      else rewards.push(...(await createRewards([spec], { folder: "." })).rewards);
    }
    const set = joinRewards(rewards, config.reward_weights ?? undefined);
    const joined: RewardFunction = {
      name: set.rewards.map((reward) => reward.name).join(" + "),
      score: async (rows, options) => Array.from((await set.score(rows, options)).total, (score) => (Number.isNaN(score) ? null : score)),
      release,
    };
    return createRewardJudge(joined);
  } catch (error) {
    release();
    throw error;
  }
}

async function readKey(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new SparError("recipe/invalid", `judge_api_key_file: ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
