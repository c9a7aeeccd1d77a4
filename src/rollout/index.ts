export { computeTargets, estimateAdvantages, type AdvantageOptions, type DiscountOptions, type TrainingTargets } from "./advantages.ts";
export { estimateKL, type KLOptions } from "./estimate-kl.ts";
export { createAdaptiveKLController, createFixedKLController, type KLController } from "./kl-controller.ts";
export { summarizeObjective, type Objective } from "./objective.ts";
export {
  clipScores,
  createReferenceNormalizer,
  createRunningNormalizer,
  measureScores,
  type ScoreMoments,
  type ScoreNormalizer,
} from "./reward-normalizer.ts";
export { penalizeMissingEnd, shapeRewards, type ShapedRewards } from "./reward-shaping.ts";
export { checkRollout, countStates, type Rollout } from "./rollout.ts";
export { whiten, type WhitenOptions } from "./whiten.ts";
