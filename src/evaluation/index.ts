export { correlate, measureRewardAccuracy, type ScoredPairs } from "./reward-accuracy.ts";
