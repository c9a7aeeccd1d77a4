/** spar's front door. What is not named here is internal and may change without notice. */

// Trainers and their configurations
export { trainSelfRewarding, trainSPIN } from "./self-play/index.ts";
export { pretrain, trainDPO, trainPPO, trainReward, trainSFT, type TrainingContext, type TrainingOutcome } from "./trainers/index.ts";
// … and the parts for training loops of one's own
export {
  batchScoredRows,
  createOptimizer,
  createStepProgram,
  scoreTokens,
  selectTrainables,
  type StepGraph,
  type Trainable,
} from "./trainers/index.ts";
export {
  configSchemas,
  type DPOConfig,
  type Method,
  type PPOConfig,
  type PretrainConfig,
  type RewardConfig,
  type SFTConfig,
} from "./trainers/configs.ts";
export { loadRecipe, runRecipe, type ResolvedRecipe } from "./recipes/index.ts";

// Models, tokenizers, checkpoints
export {
  batchRows,
  copyModel,
  freeModel,
  initializeModel,
  loadModel,
  saveModel,
  scoreHead,
  valueHead,
  type LanguageModel,
  type SequenceRow,
} from "./models/index.ts";
export { loadTokenizer, saveTokenizer, trainBPE, type Tokenizer } from "./tokenizer/index.ts";
export { resolveModel } from "./hub/index.ts";
export { openWeights, saveWeights } from "./checkpoint/index.ts";

// Generation
export {
  createGenerator,
  createScorer,
  type Completion,
  type GenerationSettings,
  type Generator,
  type Scorer,
} from "./generation/index.ts";

// Rewards, rollouts, evaluation
export { createRewards, listRules, type RewardFunction, type RewardRow, type RewardSet } from "./rewards/index.ts";
export {
  createJudge,
  createModelJudge,
  createOpenAIJudge,
  createRewardJudge,
  loadRubric,
  type Comparison,
  type Grade,
  type Judge,
  type Rubric,
} from "./rewards/index.ts";
export {
  computeTargets,
  countStates,
  createAdaptiveKLController,
  createFixedKLController,
  estimateAdvantages,
  whiten,
  type Rollout,
} from "./rollout/index.ts";
export {
  bootstrapInterval,
  compareResults,
  computePerplexity,
  evaluateModels,
  intervalOfDifference,
  intervalOfShare,
  loadResult,
  measureAgreement,
  measureRewardAccuracy,
  measureSentiment,
  measureTexts,
  renderEvaluationMarkdown,
  summariseComparisons,
  summariseGrades,
  type Agreement,
  type EvaluationOptions,
  type EvaluationReport,
  type EvaluationResult,
  type Interval,
  type LoadedResult,
  type RunComparison,
} from "./evaluation/index.ts";

// Losses and optimisation
export {
  bradleyTerry,
  clippedPolicyLoss,
  clippedValueLoss,
  crossEntropy,
  dpoLoss,
  estimateTokenKL,
  temperedLogprobs,
} from "./losses/index.ts";
export { adamwGraph, adamwScalars, clipFactor, learningRateAt } from "./optim/index.ts";

// The engine
export * as tensor from "./tensor/index.ts";
export { createFullSequence, createParameters } from "./nn/index.ts";
export { createCpuBackend, profileOf, type Backend, type DeviceBuffer, type Executable } from "./runtime/index.ts";

// Data
export { createDataset, loadDataset, preparePairs, preparePrompts, prepareTexts, type Dataset } from "./data/index.ts";

// Tracking
export {
  createConsoleTracker,
  createFanOut,
  createTensorBoardTracker,
  openRunDirectory,
  type Tracker,
  type TrackerSettings,
} from "./tracking/index.ts";

export { SparError } from "./internal/errors.ts";
