/** What a judge did, without anything to compare it with: how often it was consistent, silent, or fooled by places. */
import type { Comparison, Grade, Verdict } from "../rewards/index.ts";

export interface ComparisonSummary {
  readonly n: number;
  /** Wins that both orders confirmed. */
  readonly a: number;
  readonly b: number;
  /** Ties, those included where the orders contradict each other. */
  readonly ties: number;
  readonly voids: number;
  /** Comparisons in which the two orders named different answers, or one of them a tie. */
  readonly inconsistent: number;
  /** Share of comparisons that are not void in which both orders said the same; null without any. */
  readonly self_agreement: number | null;
  /** Share of judgements for the answer shown first minus share for the second, −1 to 1; null without any. */
  readonly position_bias: number | null;
  /** Questions that were asked a second time. */
  readonly retries: number;
}

export function summariseComparisons(comparisons: readonly Comparison[]): ComparisonSummary {
  const valid = comparisons.filter(({ verdict }) => verdict !== null);
  const count = (verdict: Verdict): number => valid.filter((comparison) => comparison.verdict === verdict).length;
  const inconsistent = valid.filter(({ orders: [aFirst, bFirst] }) => aFirst !== bFirst).length;
  const towardsFirst = valid.reduce((sum, { orders: [aFirst, bFirst] }) => sum + sign(aFirst) - sign(bFirst), 0);
  return {
    n: comparisons.length,
    a: count("a"),
    b: count("b"),
    ties: count("tie"),
    voids: comparisons.length - valid.length,
    inconsistent,
    self_agreement: valid.length === 0 ? null : 1 - inconsistent / valid.length,
    position_bias: valid.length === 0 ? null : towardsFirst / (2 * valid.length),
    retries: comparisons.reduce((sum, { retries }) => sum + retries, 0),
  };
}

export interface GradeSummary {
  readonly n: number;
  /** Answers without any grade. */
  readonly voids: number;
  /** Judgements without a score after the second try, of answers that may have others. */
  readonly void_judgements: number;
  readonly mean: number | null;
  /** Sample standard deviation between answers; null below two. */
  readonly deviation: number | null;
  /** Share of pairs of judgements of one answer that are equal to the nearest whole number; null where none has two. */
  readonly self_agreement: number | null;
  readonly retries: number;
}

export function summariseGrades(grades: readonly Grade[]): GradeSummary {
  const scores = grades.flatMap(({ score }) => (score === null ? [] : [score]));
  const mean = scores.length === 0 ? null : scores.reduce((sum, score) => sum + score, 0) / scores.length;
  let [pairs, equal] = [0, 0];
  for (const { judgements } of grades) {
    const given = judgements.flatMap((score) => (score === null ? [] : [Math.round(score)]));
    for (let i = 0; i < given.length; i++) {
      for (let j = 0; j < i; j++) {
        pairs++;
        if (given[i] === given[j]) equal++;
      }
    }
  }
  return {
    n: grades.length,
    voids: grades.length - scores.length,
    void_judgements: grades.reduce((sum, { judgements }) => sum + judgements.filter((score) => score === null).length, 0),
    mean,
    deviation:
      mean === null || scores.length < 2
        ? null
        : Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / (scores.length - 1)),
    self_agreement: pairs === 0 ? null : equal / pairs,
    retries: grades.reduce((sum, { retries }) => sum + retries, 0),
  };
}

/** 1 for a, −1 for b. */
function sign(verdict: Verdict | null): number {
  return verdict === "a" ? 1 : verdict === "b" ? -1 : 0;
}
