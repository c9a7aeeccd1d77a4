export {
  cohenKappa,
  fleissKappa,
  intervalOfClusters,
  measureAgreement,
  measureDecided,
  type Agreement,
  type JudgedComparison,
} from "./agreement.ts";
export { concludeAgreement, listAgreement, renderAgreementReport, type AgreementReport } from "./agreement-report.ts";
export { renderCalibration } from "./calibration-chart.ts";
export { measureCalibration, type Calibration, type CalibrationBin } from "./calibration.ts";
export { compareResults, listComparison, type Difference, type RunComparison } from "./compare-results.ts";
export { renderComparisonMarkdown, renderComparisonPage } from "./comparison-page.ts";
export { evaluateModels, type EvaluationResult } from "./evaluate-models.ts";
export type { EvaluatedPrompt, EvaluationOptions, WrittenRows } from "./evaluation-options.ts";
export { renderEvaluationMarkdown, renderEvaluationPage } from "./evaluation-page.ts";
export { concludeEvaluation, listEvaluation, shortenName, type EvaluationReport } from "./evaluation-report.ts";
export { parseArithmeticQuestion } from "./gsm8k.ts";
export { bootstrapInterval, intervalOfDifference, intervalOfShare, type Interval, type Measured } from "./interval.ts";
export { summariseComparisons, summariseGrades, type ComparisonSummary, type GradeSummary } from "./judge-summary.ts";
export { loadResult, type LoadedResult } from "./load-result.ts";
export { parseBenchQuestion } from "./mt-bench.ts";
export { computePerplexity } from "./perplexity.ts";
export { correlate, measureRewardAccuracy, type ScoredPairs } from "./reward-accuracy.ts";
export { measureSentiment, positiveFrom, type SentimentReport } from "./sentiment.ts";
export { measureTexts, type TextStatistics } from "./text-statistics.ts";
export { trainTrigram, type TrigramModel } from "./trigram.ts";
export type { WriterSource } from "./writer.ts";
