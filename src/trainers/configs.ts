/** Door to the methods' config schemas and the types around training: recipes and help texts need them without loading any trainer. */

import type * as z from "zod";
import { dpoConfigSchema } from "./dpo-config.ts";
import { pretrainConfigSchema } from "./pretrain-config.ts";
import { ppoConfigSchema } from "./ppo-config.ts";
import { rewardConfigSchema } from "./reward-config.ts";
import { selfRewardingConfigSchema } from "./self-rewarding-config.ts";
import { sftConfigSchema } from "./sft-config.ts";
import { spinConfigSchema } from "./spin-config.ts";

export const configSchemas = {
  pretrain: pretrainConfigSchema,
  sft: sftConfigSchema,
  reward: rewardConfigSchema,
  ppo: ppoConfigSchema,
  dpo: dpoConfigSchema,
  "self-rewarding": selfRewardingConfigSchema,
  spin: spinConfigSchema,
};

export type Method = keyof typeof configSchemas;
export type MethodConfigs = { [M in Method]: z.output<(typeof configSchemas)[M]> };

export { getFieldInfo, type FieldInfo } from "./config-fields.ts";
export { defaultWhenNull, ignoredKeys, ignoredPPOKeys, keyAliases, unavailableKeys } from "./compatible-keys.ts";
export { dpoConfigSchema, type DPOConfig } from "./dpo-config.ts";
export { pretrainConfigSchema, type PretrainConfig } from "./pretrain-config.ts";
export { ppoConfigSchema, type PPOConfig } from "./ppo-config.ts";
export { rewardConfigSchema, type RewardConfig } from "./reward-config.ts";
export { pickDPOKeys } from "./self-play-arguments.ts";
export { selfRewardingConfigSchema, type SelfRewardingConfig } from "./self-rewarding-config.ts";
export { sftConfigSchema, type SFTConfig } from "./sft-config.ts";
export { spinConfigSchema, type SPINConfig } from "./spin-config.ts";
export { datasetKeys } from "./training-arguments.ts";
export type { DatasetArguments, TrainingArguments } from "./training-arguments.ts";
export type { ControlRequest, TrainingContext, TrainingOutcome } from "./training-context.ts";
