/** What a judge says of the answers to a prompt: a grade each, or the share of comparisons with the others that an answer wins. */
import type { Content } from "../data/index.ts";
import { averageScores, type Comparison, type Judge, type Verdict } from "../rewards/index.ts";
import { isEmptyAnswer } from "./choose-pairs.ts";

export interface CandidateRow {
  readonly prompt: Content;
  readonly answers: readonly { readonly text: string; readonly tokens: number }[];
}

export interface JudgedAnswer {
  readonly text: string;
  readonly tokens: number;
  /** A grade, or the share of its comparisons that it won, a tie counting half; null: void. */
  readonly score: number | null;
  readonly judgements: readonly (number | null)[];
  readonly retries: number;
  readonly reasons?: readonly string[];
}

export interface JudgedRow {
  readonly prompt: Content;
  readonly answers: readonly JudgedAnswer[];
  /** Where answers were compared: which (by their places), and what was said in each order. */
  readonly comparisons?: readonly CandidateComparison[];
}

interface CandidateComparison {
  readonly a: number;
  readonly b: number;
  readonly verdict: Verdict | null;
  readonly orders: Comparison["orders"];
  readonly reasons?: readonly string[];
}

export interface JudgeRowsOptions {
  readonly signal?: AbortSignal;
  /** In answers. */
  readonly onProgress?: (done: number) => void;
  /** The judge looks up what people said: comparisons cost nothing, and count also where it has grades of other answers. */
  readonly isLookup?: boolean;
}

/**
 * Answers stand in a circle, and each is compared with its three neighbours on either side: every pair of up to seven answers, and
 * never more than three comparisons an answer.
 */
const reach = 3;

/** Judges that only compare do so, in both orders; others grade. The judgement of a row does not depend on the rows beside it. */
export async function judgeRows(judge: Judge, rows: readonly CandidateRow[], options: JudgeRowsOptions = {}): Promise<JudgedRow[]> {
  if (judge.kind === "comparisons") return compareRows(judge, rows, options);
  const graded = await gradeRows(judge, rows, options);
  if (options.isLookup !== true) return graded;
  // One file may hold grades of some prompts' answers and comparisons of others'.
  const open = graded.flatMap(({ answers }, i) => (answers.filter(({ score }) => score !== null).length < 2 ? [i] : []));
  const compared = await compareRows(
    judge,
    open.map((i) => rows[i]),
    { ...options, onProgress: () => {} },
  );
  const isDecided = ({ answers }: JudgedRow): boolean => answers.some(({ score }) => score !== null);
  return graded.map((row, i) => {
    const other = open.includes(i) ? compared[open.indexOf(i)] : undefined;
    return other !== undefined && isDecided(other) ? other : row;
  });
}

async function gradeRows(judge: Judge, rows: readonly CandidateRow[], { signal, onProgress }: JudgeRowsOptions): Promise<JudgedRow[]> {
  const requests = rows.flatMap(({ prompt, answers, ...columns }) => answers.map(({ text }) => ({ prompt, answer: text, columns })));
  const grades = await judge.grade(requests, { signal, onProgress });
  let at = 0;
  return rows.map((row) => ({
    ...row,
    answers: row.answers.map(({ text, tokens }): JudgedAnswer => {
      const { score, judgements, retries, texts } = grades[at++];
      return { text, tokens, score, judgements, retries, ...(texts === undefined ? {} : { reasons: texts }) };
    }),
  }));
}

async function compareRows(
  judge: Judge,
  rows: readonly CandidateRow[],
  { signal, onProgress, isLookup = false }: JudgeRowsOptions,
): Promise<JudgedRow[]> {
  const meetings = rows.map(({ answers }) => listMeetings(answers, isLookup ? answers.length : reach));
  const requests = rows.flatMap(({ prompt, answers, ...columns }, i) =>
    meetings[i].filter(({ isSame }) => !isSame).map(({ a, b }) => ({ prompt, a: answers[a].text, b: answers[b].text, columns })),
  );
  const answersInAll = rows.reduce((sum, { answers }) => sum + answers.length, 0);
  const said = await judge.compare(requests, {
    signal,
    onProgress: onProgress && ((done, total) => onProgress(Math.floor((done / Math.max(1, total)) * answersInAll))),
  });
  let at = 0;
  return rows.map((row, i) => {
    const met = meetings[i].map(({ a, b, isSame }) => ({ a, b, comparison: isSame ? sameWords : said[at++] }));
    return {
      ...row,
      answers: row.answers.map(({ text, tokens }, place): JudgedAnswer => {
        const own = met.filter(({ a, b }) => a === place || b === place);
        const pointsOf = (verdict: Verdict | null, a: number): number | null =>
          verdict === null ? null : verdict === "tie" ? 0.5 : Number((verdict === "a") === (a === place));
        return {
          text,
          tokens,
          score: averageScores(own.map(({ a, comparison }) => pointsOf(comparison.verdict, a))),
          judgements: own.flatMap(({ a, comparison }) => comparison.orders.map((order) => pointsOf(order, a))),
          retries: own.reduce((sum, { comparison }) => sum + comparison.retries, 0),
        };
      }),
      comparisons: met.map(({ a, b, comparison: { verdict, orders, texts } }) => ({
        a,
        b,
        verdict,
        orders,
        ...(texts === undefined ? {} : { reasons: texts }),
      })),
    };
  });
}

const sameWords: Comparison = { verdict: "tie", orders: ["tie", "tie"], preference: 0.5, retries: 0 };

interface Meeting {
  readonly a: number;
  readonly b: number;
  /** Nobody need be asked. */
  readonly isSame: boolean;
}

/** Empty answers come into no pair, and so meet nobody. */
function listMeetings(answers: CandidateRow["answers"], distance: number): Meeting[] {
  const places = answers.flatMap(({ text }, place) => (isEmptyAnswer(text) ? [] : [place]));
  return places.flatMap((a, i) =>
    places.slice(i + 1).flatMap((b, later) => {
      const apart = later + 1;
      const isNear = Math.min(apart, places.length - apart) <= distance;
      return isNear ? [{ a, b, isSame: answers[a].text === answers[b].text }] : [];
    }),
  );
}

/**
 * What summaries of grades say wrongly of comparisons: their mean is always a half, and an answer's judgements are about different
 * opponents. Agreement is the share of comparisons in which both orders name the same; undefined where nothing was compared.
 */
export function summarizeCompared(
  rows: readonly JudgedRow[],
): { readonly mean_score: null; readonly self_agreement: number | null } | undefined {
  const compared = rows.flatMap(({ comparisons = [] }) => comparisons);
  if (compared.length === 0) return undefined;
  const whole = compared.filter(({ orders }) => orders[0] !== null && orders[1] !== null);
  const same = whole.filter(({ orders }) => orders[0] === orders[1]).length;
  return { mean_score: null, self_agreement: whole.length === 0 ? null : same / whole.length };
}
