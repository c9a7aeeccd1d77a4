/** What says how good an answer is, or which of two is better: a model, a service, a rule, people. */
import { SparError } from "../internal/errors.ts";
import type { ChatMessage } from "../tokenizer/index.ts";

export interface GradeRequest {
  /** Text that the answer continues, or messages that it replies to. */
  readonly prompt: string | readonly ChatMessage[];
  readonly answer: string;
  /** Further columns of the row, for rules that read them. */
  readonly columns?: { readonly [name: string]: unknown };
}

export interface CompareRequest {
  readonly prompt: string | readonly ChatMessage[];
  readonly a: string;
  readonly b: string;
  readonly columns?: { readonly [name: string]: unknown };
}

export interface Grade {
  /** Mean of the judgements that gave a score; null: void, there is none. */
  readonly score: number | null;
  /** Each judgement by itself; null where it gave no score, not at the second try either. */
  readonly judgements: readonly (number | null)[];
  /** Judgements that were asked for a second time. */
  readonly retries: number;
  /** What the judge wrote, one text a judgement; absent where it writes nothing. */
  readonly texts?: readonly string[];
  /** Probability that the judge gives to all answers that can be read, together; only in expected-score mode. Near 0 the grade means little. */
  readonly mass?: number;
  /** Why it is void, where that is known. */
  readonly problem?: string;
}

/** Which answer is better. */
export type Verdict = "a" | "b" | "tie";

export interface Comparison {
  /** A win only where both orders name the same answer; else `tie`. Null: void, an order gave no verdict. */
  readonly verdict: Verdict | null;
  /**
   * What was said with a shown first, and with b shown first (in terms of a and b, not of places). Judges that look at one
   * answer at a time say the same twice.
   */
  readonly orders: readonly [aFirst: Verdict | null, bFirst: Verdict | null];
  /** How probable it is that a is better, 0 to 1, mean of both orders; null where the judge gives verdicts only. */
  readonly preference: number | null;
  /** Questions that were asked for a second time. */
  readonly retries: number;
  /** What the judge wrote for the two orders; absent where it writes nothing. */
  readonly texts?: readonly string[];
  /** The grades of a and b, where the verdict comes from grades. */
  readonly grades?: readonly [a: number | null, b: number | null];
  /** As in `Grade`: the smaller of the two. */
  readonly mass?: number;
  /** Why it is void, where that is known. */
  readonly problem?: string;
}

export interface JudgeOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called as answers come, in units of requests. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What a judge behind a network has used up. */
export interface JudgeUsage {
  /** Requests sent, repeated ones included. */
  readonly requests: number;
  /** Answers that came from the cache. */
  readonly cached: number;
  /** Requests repeated because of limits, time-outs or broken answers. */
  readonly repeated: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** In the currency of the prices given; null without prices. */
  readonly cost: number | null;
}

export interface Judge {
  /** For logs and messages. */
  readonly name: string;
  /** `grades`: both methods work, comparisons come from grades. `comparisons`: `grade` throws `judge/cannot-grade`. */
  readonly kind: "grades" | "comparisons";
  /** Bounds of the grades; undefined where they have none, or where the judge only compares. */
  readonly range: readonly [low: number, high: number] | undefined;
  /** One grade a request, in order; the result does not depend on how requests are batched. */
  grade(requests: readonly GradeRequest[], options?: JudgeOptions): Promise<Grade[]>;
  /** One comparison a request, in order, each judged in both orders. */
  compare(requests: readonly CompareRequest[], options?: JudgeOptions): Promise<Comparison[]>;
  usage?(): JudgeUsage;
  /** Gives memory back, where it holds any. */
  release?(): void;
}

/** Both orders as one verdict: a win counts only when consistent; a missing one makes it void. */
export function combineOrders(aFirst: Verdict | null, bFirst: Verdict | null): Verdict | null {
  if (aFirst === null || bFirst === null) return null;
  return aFirst === bFirst ? aFirst : "tie";
}

/** The verdict of two grades; those at most `tieWithin` apart are a tie. */
export function compareGrades(a: number | null, b: number | null, tieWithin = 0): Verdict | null {
  if (a === null || b === null) return null;
  if (Math.abs(a - b) <= tieWithin) return "tie";
  return a > b ? "a" : "b";
}

/** The mean of what there is; null where there is nothing. */
export function averageScores(judgements: readonly (number | null)[]): number | null {
  const given = judgements.filter((score) => score !== null);
  return given.length === 0 ? null : given.reduce((sum, score) => sum + score, 0) / given.length;
}

/** A judge out of something that grades: comparisons are made of grades, each answer graded by itself. */
export function createGradingJudge(
  judge: Pick<Judge, "name" | "range" | "grade" | "usage" | "release">,
  { tieWithin = 0 }: { readonly tieWithin?: number | undefined } = {},
): Judge {
  return {
    ...judge,
    kind: "grades",
    async compare(requests, { signal, onProgress } = {}) {
      const answers = requests.flatMap(({ prompt, a, b, columns = {} }) => [
        { prompt, answer: a, columns },
        { prompt, answer: b, columns },
      ]);
      const grades = await judge.grade(answers, {
        signal,
        onProgress: onProgress === undefined ? undefined : (done) => onProgress(Math.floor(done / 2), requests.length),
      });
      return requests.map((_, i) => {
        const [a, b] = [grades[2 * i], grades[2 * i + 1]];
        const verdict = compareGrades(a.score, b.score, tieWithin);
        return {
          verdict,
          orders: [verdict, verdict],
          preference: null,
          ...joinRemarks(a, b),
          grades: [a.score, b.score],
        };
      });
    },
  };
}

/** What one question with two answers in a fixed order gave. */
export interface OrderedJudgement {
  readonly verdict: "first" | "second" | "tie" | null;
  /** How probable it is that the first is better; null where only a verdict came. */
  readonly preference: number | null;
  readonly retries: number;
  readonly texts?: readonly string[];
  readonly mass?: number;
  readonly problem?: string;
}

/** A judge out of something that compares two answers in a given order: every pair is asked in both. */
export function createComparingJudge(judge: {
  readonly name: string;
  readonly usage?: Judge["usage"];
  readonly release?: Judge["release"];
  compareOrdered(
    requests: readonly { readonly prompt: GradeRequest["prompt"]; readonly first: string; readonly second: string }[],
    options?: JudgeOptions,
  ): Promise<OrderedJudgement[]>;
}): Judge {
  const { name, usage, release } = judge;
  return {
    name,
    ...(usage === undefined ? {} : { usage: () => usage.call(judge) }),
    ...(release === undefined ? {} : { release: () => release.call(judge) }),
    kind: "comparisons",
    range: undefined,
    async grade() {
      throw new SparError("judge/cannot-grade", `${name}: expected two answers to compare, got single answers to grade`, {
        hint: "Give rows {prompt, a, b} or {prompt, chosen, rejected}, or use a judge that grades (a rubric, a reward model, a rule).",
      });
    },
    async compare(requests, { signal, onProgress } = {}) {
      const ordered = requests.flatMap(({ prompt, a, b }) => [
        { prompt, first: a, second: b },
        { prompt, first: b, second: a },
      ]);
      const said = await judge.compareOrdered(ordered, {
        signal,
        onProgress: onProgress === undefined ? undefined : (done) => onProgress(Math.floor(done / 2), requests.length),
      });
      return requests.map((_, i) => {
        const [one, two] = [said[2 * i], said[2 * i + 1]];
        const orders = [nameVerdict(one.verdict, "a", "b"), nameVerdict(two.verdict, "b", "a")] as const;
        return {
          verdict: combineOrders(...orders),
          orders,
          preference: one.preference === null || two.preference === null ? null : (one.preference + 1 - two.preference) / 2,
          ...joinRemarks(one, two),
        };
      });
    },
  };
}

type Remarks = Pick<Comparison, "retries" | "texts" | "mass" | "problem">;

/** What two answers of a judge left beside their verdicts. */
function joinRemarks(one: Remarks, two: Remarks): Remarks {
  const problem = one.problem ?? two.problem;
  return {
    retries: one.retries + two.retries,
    ...(one.texts === undefined || two.texts === undefined ? {} : { texts: [...one.texts, ...two.texts] }),
    ...(one.mass === undefined || two.mass === undefined ? {} : { mass: Math.min(one.mass, two.mass) }),
    ...(problem === undefined ? {} : { problem }),
  };
}

function nameVerdict(verdict: OrderedJudgement["verdict"], first: "a" | "b", second: "a" | "b"): Verdict | null {
  if (verdict === "first") return first;
  return verdict === "second" ? second : verdict;
}
