/** Share of positive texts by a scorer that nothing was trained on. */
import { loadVader } from "../rewards/index.ts";
import { intervalOfShare, mean, type Interval } from "./interval.ts";

/** VADER's authors call a text positive from this compound score on. */
export const positiveFrom = 0.05;

export interface SentimentReport {
  /** VADER's compound score of each text, −1 to 1. */
  readonly scores: readonly number[];
  readonly meanScore: number;
  /** Share of texts with a score ≥ .05, and its 95 % Wilson interval. */
  readonly positiveShare: number;
  readonly interval: Interval;
}

/** English texts only: others count as neutral. */
export async function measureSentiment(texts: readonly string[]): Promise<SentimentReport> {
  const rate = await loadVader();
  const scores = texts.map(rate);
  const positive = scores.filter((score) => score >= positiveFrom).length;
  return { scores, meanScore: mean(scores), positiveShare: positive / texts.length, interval: intervalOfShare(positive, texts.length) };
}
