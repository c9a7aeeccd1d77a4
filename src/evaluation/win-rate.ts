/** How often one model's answers are preferred to another's. */
import type { Comparison, Verdict } from "../rewards/index.ts";
import { bootstrapInterval, type Interval } from "./interval.ts";
import { summariseComparisons } from "./judge-summary.ts";
import { controlForLength } from "./length-control.ts";

export interface JudgedPair {
  readonly comparison: Comparison;
  /** Characters of the answers of a (the model) and b (the other). */
  readonly lengthA: number;
  readonly lengthB: number;
}

export interface WinRate {
  /** Comparisons asked for; voids are among them and in no other figure. */
  readonly n: number;
  readonly voids: number;
  readonly win: number;
  readonly tie: number;
  readonly lose: number;
  /** (win + tie ÷ 2) ÷ (win + tie + lose); null where there is no verdict, as all below. */
  readonly win_rate: number | null;
  /** 95 %, by a bootstrap over prompts. */
  readonly interval: Interval | null;
  /** The win rate if both answers were equally long (`controlForLength`). */
  readonly length_controlled: number | null;
  readonly length_controlled_interval: Interval | null;
  /** 1: always the answer shown first, −1: always the second. */
  readonly position_bias: number | null;
  /** Share of comparisons in which both orders said the same. */
  readonly self_agreement: number | null;
}

/** Fewer resamples than elsewhere: each is a regression. */
const regressions = 400;

export function measureWinRate(pairs: readonly JudgedPair[], { seed = 0 }: { readonly seed?: number } = {}): WinRate {
  const { n, voids, a, b, ties, position_bias, self_agreement } = summariseComparisons(pairs.map(({ comparison }) => comparison));
  const cases = pairs.flatMap(({ comparison: { verdict }, lengthA, lengthB }) =>
    verdict === null ? [] : [{ outcome: outcomeOf(verdict), lengthA, lengthB }],
  );
  const rate = (some: readonly { readonly outcome: number }[]): number => some.reduce((sum, { outcome }) => sum + outcome, 0) / some.length;
  const known = cases.length > 0;
  return {
    n,
    voids,
    win: a,
    tie: ties,
    lose: b,
    win_rate: known ? rate(cases) : null,
    interval: known ? bootstrapInterval(cases, rate, { seed }) : null,
    length_controlled: known ? controlForLength(cases) : null,
    length_controlled_interval: known ? bootstrapInterval(cases, controlForLength, { seed, resamples: regressions }) : null,
    position_bias,
    self_agreement,
  };
}

function outcomeOf(verdict: Verdict): number {
  return verdict === "a" ? 1 : verdict === "b" ? 0 : 0.5;
}
