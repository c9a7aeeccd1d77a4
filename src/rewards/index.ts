export { combineScores } from "./combine.ts";
export {
  createRewards,
  joinRewards,
  parseRewardSpec,
  type RewardSet,
  type RewardSpec,
  type RewardsOptions,
  type ScoredRows,
} from "./create-rewards.ts";
export { createHTTPReward, type HTTPRewardOptions } from "./http.ts";
export { loadModuleReward } from "./js-module.ts";
export {
  averageScores,
  combineOrders,
  compareGrades,
  createComparingJudge,
  createGradingJudge,
  type CompareRequest,
  type Comparison,
  type Grade,
  type GradeRequest,
  type Judge,
  type JudgeOptions,
  type JudgeUsage,
  type OrderedJudgement,
  type Verdict,
} from "./judge.ts";
export {
  checkJudge,
  createJudge,
  loadHumanLabels,
  parseJudgeSpec,
  type CreateJudgeOptions,
  type JudgeSpec,
} from "./judges/create-judge.ts";
export { chooseMajority, createHumanJudge, type HumanLabels } from "./judges/human-judge.ts";
export {
  comparisonColumns,
  holdsComparison,
  parseAnswer,
  parseComparison,
  parseLabelledComparison,
  type LabelledAnswer,
  type LabelledComparison,
} from "./judges/labelled-row.ts";
export { readHumanLabels } from "./judges/label-comparisons.ts";
export { createModelJudge, type ModelJudgeOptions } from "./judges/model-judge.ts";
export { createOpenAIJudge, type OpenAIJudgeOptions } from "./judges/openai-judge.ts";
export { createRewardJudge } from "./judges/reward-judge.ts";
export { loadRubric, parseRubric } from "./judges/rubric-file.ts";
export { checkRubric, parseJudgement, renderRubric, type Rubric } from "./judges/rubric.ts";
export { createModelReward, encodeRow, loadModelReward } from "./model-reward.ts";
export { checkScores, type RewardFunction, type RewardRow, type Score } from "./reward.ts";
export { createRuleReward, listRules } from "./rules/index.ts";
export type { Rule, RuleOption } from "./rules/rule.ts";
export { loadVader } from "./vader.ts";
export { listNGrams, measureDistinct, splitWords } from "./words.ts";
