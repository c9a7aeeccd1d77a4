/** How far a judge agrees with people: accuracy, chance-corrected agreement, and what the judge does by itself. */
import type { Comparison, LabelledComparison, Verdict } from "../rewards/index.ts";
import { intervalOfShare, type Interval } from "./interval.ts";
import { summariseComparisons } from "./judge-summary.ts";

/** A labelled comparison and what the judge said to it. */
export interface JudgedComparison {
  readonly labels: LabelledComparison["labels"];
  /** False for rows of a chosen and a rejected answer. */
  readonly hasSides: boolean;
  readonly comparison: Comparison;
}

/** Every share is null where there is nothing to take a share of. */
export interface Agreement {
  /** Rows read. */
  readonly n: number;
  /** Rows without a verdict: in `n`, and in nothing else. */
  readonly voids: number;
  /** Share of labels that the judge's verdict equals; a tie agrees with a tie only. Each annotator's label is one comparison. */
  readonly accuracy: number | null;
  /** The same over the comparisons in which neither side says tie. */
  readonly accuracy_without_ties: number | null;
  /** 95 % interval of `accuracy`: Wilson's, with fewer effective cases where annotators of one row agree more than strangers would. */
  readonly interval: Interval | null;
  /** Judge against annotators (Cohen 1960), over the same comparisons. Null where both always say the same one thing. */
  readonly cohen_kappa: number | null;
  /** The annotators among themselves (Fleiss 1971), over rows with two labels or more: what a judge can hope for. */
  readonly fleiss_kappa: number | null;
  /** Share of judgements for the answer shown first minus share for the second: 0 is fair, 1 always the first. */
  readonly position_bias: number | null;
}

export function measureAgreement(rows: readonly JudgedComparison[]): Agreement {
  const judged = rows.flatMap(({ labels, hasSides, comparison: { verdict } }) => (verdict === null ? [] : [{ labels, hasSides, verdict }]));
  const all = shareOfLabels(judged);
  const { position_bias } = summariseComparisons(rows.map(({ comparison }) => comparison));
  return {
    n: rows.length,
    voids: rows.length - judged.length,
    accuracy: all?.share ?? null,
    accuracy_without_ties: measureDecided(rows)?.share ?? null,
    interval: all?.interval ?? null,
    cohen_kappa: cohenKappa(
      judged.flatMap(({ labels, hasSides, verdict }) =>
        labels.flatMap((label) => {
          const pair = [label, verdict] as const;
          // Where a is always the chosen one, chance would agree as often as the judge says a: both ways round it does not.
          return hasSides ? [pair] : [pair, [mirror(label), mirror(verdict)] as const];
        }),
      ),
    ),
    fleiss_kappa: fleissKappa(rows.map(({ labels }) => labels)),
    position_bias,
  };
}

/**
 * Cohen's kappa of two raters over cases [one, other]: (p − c) ÷ (1 − c), p the share of equal ratings and c the share expected of
 * two raters with these habits who look at nothing. Null without cases, and where c is 1.
 */
export function cohenKappa<T>(pairs: readonly (readonly [one: T, other: T])[]): number | null {
  const n = pairs.length;
  if (n === 0) return null;
  const categories = [...new Set(pairs.flat())];
  const count = (side: 0 | 1, category: T): number => pairs.filter((pair) => pair[side] === category).length;
  // In whole numbers up to the last division: n² where both raters know one category only.
  const chance = categories.reduce((sum, category) => sum + count(0, category) * count(1, category), 0);
  if (chance === n * n) return null;
  const equal = pairs.filter(([one, other]) => one === other).length;
  return (equal * n - chance) / (n * n - chance);
}

/**
 * Fleiss' kappa of any number of raters: `ratings` are the labels of one case each, those with fewer than two are left out. With the
 * same number of labels everywhere it is Fleiss' own formula; else each case counts once and each label once in the marginals.
 * Null without such cases, and where all labels are the same.
 */
export function fleissKappa<T>(ratings: readonly (readonly T[])[]): number | null {
  const cases = ratings.filter((labels) => labels.length >= 2);
  const all = cases.flat();
  const categories = [...new Set(all)];
  if (categories.length < 2) return null;
  const agreement = cases.map((labels) => {
    const equalPairs = categories.reduce((sum, category) => {
      const count = labels.filter((label) => label === category).length;
      return sum + count * (count - 1);
    }, 0);
    return equalPairs / (labels.length * (labels.length - 1));
  });
  const observed = agreement.reduce((sum, share) => sum + share, 0) / cases.length;
  const chance = categories.reduce((sum, category) => sum + (all.filter((label) => label === category).length / all.length) ** 2, 0);
  return (observed - chance) / (1 - chance);
}

/**
 * 95 % interval of the share of successes over cases that come in clusters (several annotators of one row are not independent):
 * Wilson's interval with n ÷ design effect cases (Kish 1965), no fewer than the clusters and no more than the cases.
 */
export function intervalOfClusters(clusters: readonly { readonly cases: number; readonly successes: number }[]): Interval {
  const filled = clusters.filter(({ cases }) => cases > 0);
  const n = filled.reduce((sum, { cases }) => sum + cases, 0);
  const successes = filled.reduce((sum, cluster) => sum + cluster.successes, 0);
  if (n === 0) return [0, 1];
  const share = successes / n;
  const simple = (share * (1 - share)) / n;
  const groups = filled.length;
  const spread = filled.reduce((sum, cluster) => sum + (cluster.successes - share * cluster.cases) ** 2, 0);
  const clustered = groups > 1 ? ((spread / n ** 2) * groups) / (groups - 1) : Infinity;
  const effective = simple === 0 ? groups : Math.min(n, Math.max(groups, (n * simple) / clustered));
  return intervalOfShare(share === 1 ? effective : share * effective, effective);
}

type Verdicts = { readonly labels: readonly Verdict[]; readonly verdict: Verdict };

/** `accuracy_without_ties` with its own 95 % interval: what is to be held against a coin's half. Null without such comparisons. */
export function measureDecided(rows: readonly JudgedComparison[]): { readonly share: number; readonly interval: Interval } | null {
  return shareOfLabels(
    rows.flatMap(({ labels, comparison: { verdict } }) =>
      verdict === null || verdict === "tie" ? [] : [{ labels: labels.filter((label) => label !== "tie"), verdict }],
    ),
  );
}

function shareOfLabels(judged: readonly Verdicts[]): { share: number; interval: Interval } | null {
  const clusters = judged.map(({ labels, verdict }) => ({
    cases: labels.length,
    successes: labels.filter((label) => label === verdict).length,
  }));
  const cases = clusters.reduce((sum, cluster) => sum + cluster.cases, 0);
  if (cases === 0) return null;
  return { share: clusters.reduce((sum, { successes }) => sum + successes, 0) / cases, interval: intervalOfClusters(clusters) };
}

function mirror(verdict: Verdict): Verdict {
  if (verdict === "tie") return "tie";
  return verdict === "a" ? "b" : "a";
}
