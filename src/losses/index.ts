export { bradleyTerry, type BradleyTerry, type BradleyTerryOptions } from "./bradley-terry.ts";
export { crossEntropy, crossEntropyMetrics, type CrossEntropy } from "./cross-entropy.ts";
export {
  differenceLossTypes,
  dpoLoss,
  dpoLossTypes,
  fDivergences,
  sortingLossTypes,
  type DPOInputs,
  type DPOLossType,
  type DPOOptions,
  type FDivergence,
} from "./dpo.ts";
export { estimateTokenKL, type KLEstimator } from "./kl.ts";
export {
  clippedPolicyLoss,
  clippedValueLoss,
  type ClippedPolicy,
  type ClippedPolicyInputs,
  type ClippedPolicyOptions,
  type ClippedValueInputs,
} from "./ppo.ts";
export { temperedLogprobs, weightedAccuracy, weightedEntropy } from "./token-logprobs.ts";
