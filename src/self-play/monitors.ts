/** What is watched from iteration to iteration: the signs that a model pleases its judge and nobody else. */
import { bootstrapInterval, measureTexts } from "../evaluation/index.ts";
import { averageScores, type Comparison } from "../rewards/index.ts";
import type { RunEvent } from "../tracking/index.ts";

/** Of one model, on prompts that nothing was trained on. */
export interface Watched {
  /** Tokens an answer. */
  readonly mean_length: number;
  /** Different bigrams ÷ all. */
  readonly distinct_2: number;
  /** Mean grade by the outside judge; null where there is none, or where it only compares. */
  readonly outside_score: number | null;
  /** Share of answers to which it gave no grade (of comparisons no verdict, where it only compares); null where it judged nothing. */
  readonly outside_voids: number | null;
  /** Against M1, ties half; null without an outside judge and for M1 itself. */
  readonly win_rate: number | null;
  readonly win_interval: readonly [low: number, high: number] | null;
}

export interface WatchedAnswer {
  readonly text: string;
  readonly tokens: number;
}

export function measureAnswers(answers: readonly WatchedAnswer[]): Pick<Watched, "mean_length" | "distinct_2"> {
  return {
    mean_length: answers.reduce((sum, { tokens }) => sum + tokens, 0) / Math.max(1, answers.length),
    distinct_2: measureTexts(answers.map(({ text }) => text)).distinct2,
  };
}

/** a is the model, b is M1; voids count nowhere. The interval is a bootstrap over prompts. */
export function measureWins(comparisons: readonly Comparison[], seed: number): Pick<Watched, "win_rate" | "win_interval"> {
  const points = comparisons.flatMap(({ verdict }) => (verdict === null ? [] : [verdict === "a" ? 1 : verdict === "tie" ? 0.5 : 0]));
  if (points.length === 0) return { win_rate: null, win_interval: null };
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  return { win_rate: mean(points), win_interval: bootstrapInterval(points, mean, { seed }) };
}

/** Of the grades of one iteration. */
export interface JudgementSummary {
  readonly answers: number;
  /** Shares of answers without a grade, and of judgements asked twice. */
  readonly voids: number;
  readonly retries: number;
  readonly mean_score: number | null;
  /** Share of pairs of judgements of the same answer that agree; null where each answer has one. */
  readonly self_agreement: number | null;
}

export function summarizeJudgements(
  answers: readonly { readonly score: number | null; readonly judgements: readonly (number | null)[]; readonly retries: number }[],
): JudgementSummary {
  let [same, pairs, asked] = [0, 0, 0];
  for (const { judgements } of answers) {
    asked += judgements.length;
    const given = judgements.filter((judgement) => judgement !== null);
    for (const [i, one] of given.entries()) {
      for (const other of given.slice(i + 1)) {
        pairs++;
        if (one === other) same++;
      }
    }
  }
  return {
    answers: answers.length,
    voids: answers.filter(({ score }) => score === null).length / Math.max(1, answers.length),
    retries: answers.reduce((sum, { retries }) => sum + retries, 0) / Math.max(1, asked),
    mean_score: averageScores(answers.map(({ score }) => score)),
    self_agreement: pairs === 0 ? null : same / pairs,
  };
}

export interface StopRules {
  readonly withoutGain: boolean;
  /** Factor on M1's length. */
  readonly lengthGrowth: number | null;
  /** Share of M1's distinct-2. */
  readonly distinct2: number | null;
}

/** Why the loop should end after `current`; undefined: it need not. */
export function findStopReason(
  watched: { readonly first: Watched; readonly previous: Watched; readonly current: Watched },
  rules: StopRules,
): string | undefined {
  const { first, previous, current } = watched;
  const growth = current.mean_length / first.mean_length;
  if (rules.lengthGrowth !== null && growth > rules.lengthGrowth)
    return `answers are ${growth.toFixed(2)} times as long as M1's, more than stop_length_growth ${rules.lengthGrowth}`;
  const diversity = current.distinct_2 / first.distinct_2;
  if (rules.distinct2 !== null && diversity < rules.distinct2)
    return `distinct-2 is ${diversity.toFixed(2)} of M1's, less than stop_distinct_2 ${rules.distinct2}`;
  if (
    rules.withoutGain &&
    current.outside_score !== null &&
    previous.outside_score !== null &&
    current.outside_score <= previous.outside_score
  )
    return `the outside judge gives ${current.outside_score.toFixed(3)} after ${previous.outside_score.toFixed(3)}: no gain`;
  return undefined;
}

/** Growth of length from which on people should look: Yuan et al. saw 1,092 → 2,552 characters over three iterations. */
const suspiciousGrowth = 1.5;

/** Warnings about model `name`, in the order of their weight. */
export function findWarnings(
  name: string,
  first: Watched,
  current: Watched,
  judgements: JudgementSummary & { readonly ties: number },
): RunEvent[] {
  const events: RunEvent[] = [];
  const warn = (code: string, message: string): void => {
    events.push({ code, level: "warning", message: `${name}: ${message}` });
  };
  const growth = current.mean_length / first.mean_length;
  if (growth > suspiciousGrowth)
    warn(
      "self-play/length-growth",
      `answers are ${growth.toFixed(2)} times as long as M1's: judges like length (length_tier holds it down)`,
    );
  if (current.distinct_2 < 0.5 * first.distinct_2)
    warn("self-play/diversity-loss", "half of M1's distinct bigrams are gone: the model repeats itself");
  if (judgements.ties > 0.5)
    warn(
      "self-play/many-ties",
      `${percent(judgements.ties)} of the prompts were ties, which teach nothing: the judge tells few answers apart`,
    );
  if (judgements.voids > 0.2)
    warn("self-play/many-voids", `${percent(judgements.voids)} of the answers got no grade: the judge does not keep to its form`);
  return events;
}

/** What the outside judge left unsaid: its figures are about the rest, and a stop rule without figures never holds. */
export function findOutsideWarnings(
  name: string,
  { outside_voids: voids, outside_score: score }: Pick<Watched, "outside_voids" | "outside_score">,
  { withoutGain }: Pick<StopRules, "withoutGain">,
): RunEvent[] {
  const events: RunEvent[] = [];
  const warn = (message: string): void => {
    events.push({ code: "self-play/outside-voids", level: "warning", message: `${name}: ${message}` });
  };
  if (typeof voids === "number" && voids > 0.2)
    warn(`the outside judge left ${percent(voids)} of the answers without a judgement: its figures are about the others`);
  if (withoutGain && score === null) warn("no grade by the outside judge, so stop_without_gain cannot say whether there is a gain");
  return events;
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
