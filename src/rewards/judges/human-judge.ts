/** People as judge: what they said before, looked up by the texts. */
import { averageScores, combineOrders, type CompareRequest, type Comparison, type Grade, type Judge, type Verdict } from "../judge.ts";
import type { LabelledAnswer, LabelledComparison } from "./labelled-row.ts";

export interface HumanLabels {
  readonly comparisons: readonly LabelledComparison[];
  readonly answers: readonly LabelledAnswer[];
}

/**
 * Comparisons have the label that most annotators gave (no majority: a tie), whichever of the two answers is called a; grades the
 * annotators' mean. What nobody has judged is void.
 */
export function createHumanJudge(labels: HumanLabels, { name = "human" }: { readonly name?: string } = {}): Judge {
  const comparisons = new Map<string, Verdict[]>();
  for (const row of labels.comparisons) {
    add(comparisons, keyOf(row.prompt, row.a, row.b), row.labels);
    if (row.a !== row.b) add(comparisons, keyOf(row.prompt, row.b, row.a), row.labels.map(swapVerdict));
  }
  const grades = new Map<string, number[]>();
  for (const { prompt, answer, scores } of labels.answers) add(grades, keyOf(prompt, answer), scores);

  const compareOne = (request: CompareRequest): Comparison => {
    const said = comparisons.get(keyOf(request.prompt, request.a, request.b));
    if (said === undefined) {
      const pair = [request.a, request.b].map((answer) => averageScores(grades.get(keyOf(request.prompt, answer)) ?? []));
      const [a, b] = pair;
      if (a === null || b === null)
        return { verdict: null, orders: [null, null], preference: null, retries: 0, problem: "nobody has judged it" };
      const verdict = a === b ? "tie" : a > b ? "a" : "b";
      return { verdict, orders: [verdict, verdict], preference: null, retries: 0, grades: [a, b] };
    }
    const verdict = chooseMajority(said);
    const preference = said.reduce((sum, label) => sum + (label === "a" ? 1 : label === "tie" ? 0.5 : 0), 0) / said.length;
    return { verdict: combineOrders(verdict, verdict), orders: [verdict, verdict], preference, retries: 0 };
  };

  return {
    name,
    kind: grades.size > 0 ? "grades" : "comparisons",
    range: undefined,
    grade: async (requests) =>
      requests.map(({ prompt, answer }): Grade => {
        const scores = grades.get(keyOf(prompt, answer));
        if (scores === undefined) return { score: null, judgements: [null], retries: 0, problem: "nobody has graded it" };
        return { score: averageScores(scores), judgements: scores, retries: 0 };
      }),
    compare: async (requests) => requests.map(compareOne),
  };
}

/** The label given most often; a tie where there is no such one. */
export function chooseMajority(labels: readonly Verdict[]): Verdict {
  const count = (label: Verdict): number => labels.filter((given) => given === label).length;
  const [a, b, tie] = [count("a"), count("b"), count("tie")];
  if (a > b && a > tie) return "a";
  return b > a && b > tie ? "b" : "tie";
}

function swapVerdict(verdict: Verdict): Verdict {
  if (verdict === "tie") return "tie";
  return verdict === "a" ? "b" : "a";
}

function add<T>(map: Map<string, T[]>, key: string, values: readonly T[]): void {
  map.set(key, [...(map.get(key) ?? []), ...values]);
}

const keyOf = (...parts: readonly unknown[]): string => JSON.stringify(parts);
