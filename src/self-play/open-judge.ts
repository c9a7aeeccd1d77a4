/** Who grades in an iteration: the model itself, M1 or M0 as they were, another judge, or rewards. */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { SparError } from "../internal/errors.ts";
import {
  checkJudge,
  createJudge,
  createRewardJudge,
  createRewards,
  joinRewards,
  loadModelReward,
  loadRubric,
  parseJudgeSpec,
  parseRewardSpec,
  type CreateJudgeOptions,
  type Judge,
  type RewardFunction,
} from "../rewards/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { SelfRewardingConfig, TrainingContext } from "../trainers/configs.ts";
import { addUsage, sayUsage, type JudgeRole } from "./judge-usage.ts";

export interface JudgeSetting {
  readonly backend: Backend;
  readonly seed: number;
  readonly resolveModel: (name: string) => Promise<string>;
  /** Folder of the model that it judges for: what an endpoint used up is added up there. */
  readonly folder: string;
  readonly context: Pick<TrainingContext, "tracker" | "judgeApiKey">;
}

/**
 * The judge's name in the sense of `--judge`: `self`, `frozen` and `start` become the folder they stand for. Rewards have none.
 * `first` is M1's folder, `start` M0's.
 */
export function nameJudge(
  config: SelfRewardingConfig,
  folders: { readonly current: string; readonly first: string; readonly start: string },
): string | undefined {
  if (config.reward_model_path !== null || config.reward_funcs.length > 0) return undefined;
  if (config.judge === "self") return `model:${folders.current}`;
  if (config.judge === "frozen") return `model:${folders.first}`;
  return config.judge === "start" ? `model:${folders.start}` : config.judge;
}

/** The config as the outside judge has it: its own rubric, mode and prices in the judge's keys; undefined without one. */
export function configureOutside(config: SelfRewardingConfig): (SelfRewardingConfig & { readonly outside_judge: string }) | undefined {
  const { outside_judge, outside_judge_rubric, outside_judge_mode, outside_judge_price_in, outside_judge_price_out } = config;
  if (outside_judge === null) return undefined;
  const isEndpoint = parseJudgeSpec(outside_judge).kind === "openai";
  return {
    ...config,
    outside_judge,
    judge_rubric: outside_judge_rubric ?? config.judge_rubric,
    judge_mode: outside_judge_mode ?? (isEndpoint ? "sample" : config.judge_mode),
    judge_price_in: outside_judge_price_in,
    judge_price_out: outside_judge_price_out,
  };
}

/** Models, rules, rubrics and keys that are not there, before anything is made. A recipe's files were looked for when it was read. */
export async function checkJudges(config: SelfRewardingConfig, setting: Pick<JudgeSetting, "resolveModel" | "context">): Promise<void> {
  const outside = configureOutside(config);
  const isRewarded = config.reward_model_path !== null || config.reward_funcs.length > 0;
  const judges = [
    ...(isRewarded ? [] : [{ name: config.judge, keys: config, role: "judge" as const }]),
    ...(outside === undefined ? [] : [{ name: outside.outside_judge, keys: outside, role: "outside" as const }]),
  ];
  for (const { name, keys, role } of judges) {
    const kind = /^(self|frozen|start)$/.test(name) ? "model" : parseJudgeSpec(name).kind;
    if (name.includes(":")) await checkJudge(name, setting.resolveModel);
    if (kind === "openai") await findKey(config, setting.context, role);
    if (kind !== "model" && kind !== "openai") continue;
    const rubric = await loadRubric(keys.judge_rubric);
    if (role === "outside" && rubric.kind === "compare" && config.stop_without_gain)
      throw new SparError(
        "recipe/invalid",
        `stop_without_gain: expected an outside judge that grades, and the rubric ${rubric.name} compares`,
        {
          hint: "Give outside_judge_rubric, for example additive-v1.",
        },
      );
  }
  for (const spec of config.reward_funcs) if (parseRewardSpec(spec).kind === "rule") await checkJudge(spec, setting.resolveModel);
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

/** What it loads is freed by its `release`, which also tells what it used up. */
export async function openJudge(name: string | undefined, config: SelfRewardingConfig, setting: JudgeSetting): Promise<Judge> {
  return name === undefined ? openRewards(config, setting) : openNamed(name, config, setting, "judge");
}

/** As `openJudge`, of what `configureOutside` gave. */
export async function openOutsideJudge(
  outside: SelfRewardingConfig & { readonly outside_judge: string },
  setting: JudgeSetting,
): Promise<Judge> {
  return openNamed(outside.outside_judge, outside, setting, "outside");
}

async function openNamed(name: string, config: SelfRewardingConfig, setting: JudgeSetting, role: JudgeRole): Promise<Judge> {
  const { backend, seed, resolveModel, folder, context } = setting;
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
  const judge = await createJudge(name, {
    backend,
    resolveModel,
    batchSize: config.generation_batch_size,
    ...asked,
    ...(kind === "openai" ? { ...describeEndpoint(config, role), apiKey: await findKey(config, context, role) } : {}),
  });
  return {
    ...judge,
    release() {
      const used = judge.usage?.();
      if (used !== undefined && used.requests + used.cached > 0) {
        addUsage(folder, role, used);
        const message = `${basename(folder)}: ${role === "judge" ? "the judge" : "the outside judge"} ${judge.name}: ${sayUsage(used)}`;
        context.tracker.event({ code: "self-play/judge-usage", message, role, ...used });
      }
      judge.release?.();
    },
  };
}

function describeEndpoint(config: SelfRewardingConfig, role: JudgeRole): Partial<CreateJudgeOptions> {
  const { judge_price_in: input, judge_price_out: output } = config;
  const key = role === "judge" ? "judge_api_key_file" : "outside_judge_api_key_file";
  return {
    concurrency: config.judge_concurrency,
    timeout: config.judge_timeout,
    retries: config.judge_retries,
    cacheFolder: config.judge_cache ?? join(config.output_dir, "judge-cache"),
    prices: input === null && output === null ? undefined : { prompt: input ?? 0, completion: output ?? 0 },
    keyHint: `Name a file that holds the key in ${key}, or set OPENAI_API_KEY where the command line is to send it (docs/self-play.md says to whom).`,
  };
}

/**
 * The key of an endpoint: out of its own file; else the judge's goes to the judge, and to the outside judge only where it is at the
 * same origin, or where the judge is no endpoint and the key was given for none other.
 */
async function findKey(
  config: SelfRewardingConfig,
  { judgeApiKey }: Pick<TrainingContext, "judgeApiKey">,
  role: JudgeRole,
): Promise<string | undefined> {
  if (role === "outside") {
    if (config.outside_judge_api_key_file !== null) return readKey("outside_judge_api_key_file", config.outside_judge_api_key_file);
    const judge = findOrigin(config.judge);
    if (judge === undefined) return judgeApiKey;
    if (judge !== findOrigin(config.outside_judge)) return undefined;
  }
  return config.judge_api_key_file === null ? judgeApiKey : readKey("judge_api_key_file", config.judge_api_key_file);
}

/** Undefined where the judge is no endpoint. */
function findOrigin(judge: string | null): string | undefined {
  if (judge === null || !judge.startsWith("openai:")) return undefined;
  return new URL(parseJudgeSpec(judge).value).origin;
}

async function openRewards(
  config: SelfRewardingConfig,
  { backend, resolveModel }: Pick<JudgeSetting, "backend" | "resolveModel">,
): Promise<Judge> {
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

async function readKey(key: string, path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new SparError("recipe/invalid", `${key}: ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
