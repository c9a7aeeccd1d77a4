export { bootstrapInterval, intervalOfShare, type Interval } from "./interval.ts";
export { computePerplexity } from "./perplexity.ts";
export { correlate, measureRewardAccuracy, type ScoredPairs } from "./reward-accuracy.ts";
export { measureSentiment, positiveFrom, type SentimentReport } from "./sentiment.ts";
export { measureTexts, type TextStatistics } from "./text-statistics.ts";
export { trainTrigram, type TrigramModel } from "./trigram.ts";
