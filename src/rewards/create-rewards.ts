/** `reward_funcs` and `reward_weights` → one thing that scores rows. */
import { basename } from "node:path";
import { SparError } from "../internal/errors.ts";
import type { Backend } from "../runtime/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { combineScores } from "./combine.ts";
import { createHTTPReward, type HTTPRewardOptions } from "./http.ts";
import { loadModuleReward } from "./js-module.ts";
import { loadModelReward } from "./model-reward.ts";
import type { RewardFunction, RewardRow, Score } from "./reward.ts";
import { createRuleReward } from "./rules/index.ts";

export type RewardSpec = { readonly kind: "rule" | "http" | "module" | "model"; readonly value: string };

/** `rule:NAME`, `http(s)://…`, a JavaScript file, or else a model (folder or hub id). */
export function parseRewardSpec(spec: string): RewardSpec {
  if (spec.trim() === "")
    throw new SparError(
      "rewards/invalid-spec",
      "reward_funcs: expected a model folder, ./file.mjs, http(s)://… or rule:NAME, got an empty text",
    );
  if (spec.startsWith("rule:")) return { kind: "rule", value: spec.slice("rule:".length) };
  if (/^https?:\/\//i.test(spec)) return { kind: "http", value: spec };
  if (/\.[mc]?[jt]s$/i.test(spec)) return { kind: "module", value: spec };
  return { kind: "model", value: spec };
}

export interface RewardsOptions {
  /** What relative paths of modules start from. */
  readonly folder: string;
  /** Needed for reward models. */
  readonly backend?: Backend;
  /** The policy's: a reward model with another one tokenises texts anew. */
  readonly tokenizer?: Tokenizer;
  /** A model's name in the recipe → its folder (hub ids are downloaded); absent: it is a folder. */
  readonly resolveModel?: (name: string) => Promise<string>;
  /** One a reward; absent: 1 each. */
  readonly weights?: readonly number[] | null;
  /** Rows a forward pass of a reward model. */
  readonly batchSize?: number;
  readonly http?: HTTPRewardOptions;
}

export interface RewardSet {
  /** In the order given; names are unique. */
  readonly rewards: readonly RewardFunction[];
  readonly weights: readonly number[];
  score(rows: readonly RewardRow[], options?: { readonly signal?: AbortSignal | undefined }): Promise<ScoredRows>;
  release(): void;
}

export interface ScoredRows {
  /** Weighted sum over the rewards that apply; NaN where none does. */
  readonly total: Float64Array;
  /** By the reward's name, before weighting. */
  readonly byReward: ReadonlyMap<string, readonly Score[]>;
}

/** Builds the rewards of a recipe; what was built is released again when one of them fails. */
export async function createRewards(specs: readonly string[], options: RewardsOptions): Promise<RewardSet> {
  const rewards: RewardFunction[] = [];
  try {
    for (const spec of specs) rewards.push(await createReward(parseRewardSpec(spec), options));
    return joinRewards(rewards, options.weights ?? undefined);
  } catch (error) {
    for (const reward of rewards) reward.release?.();
    throw error;
  }
}

/** Joins rewards that exist already. */
export function joinRewards(given: readonly RewardFunction[], weights: readonly number[] = given.map(() => 1)): RewardSet {
  if (given.length === 0) throw new SparError("rewards/none", "createRewards: expected at least one reward, got none");
  if (weights.length !== given.length)
    throw new SparError(
      "rewards/invalid-weights",
      `reward_weights: expected one weight for each of ${given.length} rewards, got ${weights.length}`,
    );
  const rewards = nameApart(given);
  return {
    rewards,
    weights,
    async score(rows, options) {
      const scores: Score[][] = [];
      for (const reward of rewards) scores.push(await reward.score(rows, options));
      return { total: combineScores(scores, weights), byReward: new Map(rewards.map((reward, i) => [reward.name, scores[i]])) };
    },
    release() {
      for (const reward of rewards) reward.release?.();
    },
  };
}

async function createReward({ kind, value }: RewardSpec, options: RewardsOptions): Promise<RewardFunction> {
  if (kind === "rule") return createRuleReward(value);
  if (kind === "http") return createHTTPReward(value, options.http);
  if (kind === "module") return loadModuleReward(value, options.folder);
  const { backend, tokenizer, batchSize } = options;
  if (backend === undefined)
    throw new SparError("rewards/no-backend", `createRewards: the reward model ${value} needs a backend, got none`);
  const folder = (await options.resolveModel?.(value)) ?? value;
  return loadModelReward(folder, backend, { name: basename(value), tokenizer, batchSize });
}

/** Two rewards of one name become `name` and `name-2`: they are columns of logs. */
function nameApart(rewards: readonly RewardFunction[]): RewardFunction[] {
  const taken = new Set<string>();
  return rewards.map((reward) => {
    let name = reward.name;
    for (let i = 2; taken.has(name); i++) name = `${reward.name}-${i}`;
    taken.add(name);
    return name === reward.name
      ? reward
      : { name, score: (rows, options) => reward.score(rows, options), release: () => reward.release?.() };
  });
}
