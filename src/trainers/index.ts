export { pretrain } from "./pretrain.ts";
export { trainDPO } from "./dpo.ts";
export { trainPPO } from "./ppo.ts";
export { trainReward } from "./reward.ts";
export { trainSFT } from "./sft.ts";
export { loadRunTokenizer } from "./run-tokenizer.ts";
export { findModel, trainingSpecs } from "./training-setup.ts";
export type { TrainingContext, TrainingOutcome } from "./training-context.ts";

// Parts for loops of one's own
export { createOptimizer, type Optimizer, type OptimizerConfig, type Trainable } from "./optimizer.ts";
export { createStepProgram, type StepGraph, type StepProgram } from "./step-program.ts";
export { batchScoredRows, scoreTokens, splitByLogits, type ScoredBatch, type ScoredRow } from "./token-losses.ts";
export { selectTrainables } from "./trainables.ts";
