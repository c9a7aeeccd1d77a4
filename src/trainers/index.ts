export { trainPPO } from "./ppo.ts";
export { pretrain } from "./pretrain.ts";
export { trainReward } from "./reward.ts";
export { trainSFT } from "./sft.ts";
export type { TrainingContext, TrainingOutcome } from "./training-context.ts";
