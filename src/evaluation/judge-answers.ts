/** What a judge says of the answers: grades, or comparisons of both sides. */
import { SparError } from "../internal/errors.ts";
import type { Judge, Verdict } from "../rewards/index.ts";
import type { EvaluationOptions, Written } from "./evaluation-options.ts";
import type { EvaluationReport, MeanFigure, SideReport } from "./evaluation-report.ts";
import { conversationUntil, countBenchTurns, summariseBench, transcribe, type BenchQuestion } from "./mt-bench.ts";
import { averageOf } from "./score-answers.ts";
import { measureWinRate } from "./win-rate.ts";
import type { BenchRemark } from "./written-rows.ts";

interface Judged {
  readonly winRate?: ReturnType<typeof measureWinRate>;
  readonly verdicts?: readonly ("win" | "tie" | "lose" | null)[];
  /** A side each. */
  readonly grades?: readonly (MeanFigure | undefined)[];
}

export async function judgeAnswers(
  judge: Judge,
  written: readonly Written[],
  { prompts, signal, onProgress }: EvaluationOptions,
): Promise<Judged> {
  if (prompts === undefined) return {};
  const asked = { signal, onProgress: (done: number, total: number) => onProgress?.("judge", done, total) };
  const [model, against] = written;
  if (against === undefined) {
    const grades = await judge.grade(
      prompts.rows.map(({ prompt, columns }, i) => ({ prompt, answer: model.answers[i].text, columns })),
      asked,
    );
    return { grades: [averageOf(grades.map(({ score }) => score))] };
  }
  const comparisons = await judge.compare(
    prompts.rows.map(({ prompt, columns }, i) => ({ prompt, a: model.answers[i].text, b: against.answers[i].text, columns })),
    asked,
  );
  const lengthOf = (side: Written, i: number): number => [...side.answers[i].text].length;
  const graded = comparisons.some(({ grades }) => grades !== undefined);
  return {
    winRate: measureWinRate(
      comparisons.map((comparison, i) => ({ comparison, lengthA: lengthOf(model, i), lengthB: lengthOf(against, i) })),
    ),
    verdicts: comparisons.map(({ verdict }) => nameOutcome(verdict, "a")),
    ...(graded ? { grades: [0, 1].map((side) => averageOf(comparisons.map(({ grades }) => grades?.[side] ?? null))) } : {}),
  };
}

function nameOutcome(verdict: Verdict | null, winner: "a" | "b"): "win" | "tie" | "lose" | null {
  if (verdict === null || verdict === "tie") return verdict;
  return verdict === winner ? "win" : "lose";
}

interface JudgedBench {
  /** By side, question and turn. */
  readonly of?: readonly (readonly (readonly BenchRemark[])[])[];
  readonly scores?: readonly SideReport["mt_bench"][];
  readonly turns?: EvaluationReport["mt_bench_turns"];
}

/** Grades where the judge grades; comparisons where there are two models. */
export async function judgeBench(
  judge: Judge,
  questions: readonly BenchQuestion[],
  written: readonly Written[],
  { signal, onProgress }: EvaluationOptions,
): Promise<JudgedBench> {
  const places = questions.flatMap(({ turns }, question) => turns.map((_, turn) => ({ question, turn })));
  const regroup = <T>(flat: readonly T[]): T[][] =>
    questions.map((_, question) => flat.filter((_item, i) => places[i].question === question));
  const asked = { signal, onProgress: (done: number, total: number) => onProgress?.("judge: MT-bench", done, total) };
  const answerOf = (side: Written, { question, turn }: (typeof places)[number]): string => side.bench[question][turn];
  let result: JudgedBench = {};
  if (judge.kind === "grades") {
    const scores: SideReport["mt_bench"][] = [];
    const of: BenchRemark[][][] = [];
    for (const side of written) {
      const requests = places.map((place) => ({
        prompt: conversationUntil(questions[place.question], side.bench[place.question], place.turn),
        answer: answerOf(side, place),
      }));
      const grades = regroup(await judge.grade(requests, asked));
      scores.push(summariseBench(questions, grades));
      of.push(grades.map((turns) => turns.map(({ score }) => ({ score }))));
    }
    result = { scores, of };
  } else if (written.length === 2) {
    const [model, against] = written;
    const requests = places.map((place) => ({
      prompt: conversationUntil(questions[place.question], [], 0),
      a: transcribe(questions[place.question], model.bench[place.question], place.turn),
      b: transcribe(questions[place.question], against.bench[place.question], place.turn),
    }));
    const comparisons = regroup(await judge.compare(requests, asked));
    const remarks = (winner: "a" | "b"): BenchRemark[][] =>
      comparisons.map((turns) => turns.map(({ verdict }) => ({ verdict: nameOutcome(verdict, winner) })));
    result = { turns: countBenchTurns(comparisons), of: [remarks("a"), remarks("b")] };
  } else {
    throw new SparError("judge/cannot-grade", `MT-bench: ${judge.name} only compares; expected a second model (--against), got one`, {
      hint: "Use a judge that grades, or give --against.",
    });
  }
  return result;
}
