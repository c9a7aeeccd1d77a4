/** MT-bench (Zheng et al. 2023, arXiv 2306.05685): questions of two turns, each turn's answer judged with what was said before. */
import { SparError } from "../internal/errors.ts";
import type { Comparison, Grade } from "../rewards/index.ts";
import type { ChatMessage } from "../tokenizer/index.ts";
import { bootstrapInterval, mean, type Interval } from "./interval.ts";

export interface BenchQuestion {
  readonly id: string;
  readonly category: string;
  readonly turns: readonly string[];
}

/** A row `{question_id, category, turns: [first, second]}`, as FastChat's question.jsonl. Throws `data/bad-row`. */
export function parseBenchQuestion(row: { readonly [column: string]: unknown }): BenchQuestion {
  const { question_id: id, category = "none", turns } = row;
  if (!Array.isArray(turns) || turns.length === 0 || !turns.every((turn) => typeof turn === "string" && turn.trim() !== ""))
    throw new SparError("data/bad-row", `turns: expected a list of texts, found ${JSON.stringify(turns)?.slice(0, 60)}`);
  if (typeof category !== "string") throw new SparError("data/bad-row", `category: expected a text, found ${JSON.stringify(category)}`);
  return { id: String(id ?? ""), category, turns: turns as string[] };
}

/** FastChat's temperatures by category; others have .7. */
const temperatures: { readonly [category: string]: number } = {
  writing: 0.7,
  roleplay: 0.7,
  extraction: 0,
  math: 0,
  coding: 0,
  reasoning: 0,
  stem: 0.1,
  humanities: 0.1,
};

export function temperatureOf({ category }: BenchQuestion): number {
  return temperatures[category] ?? 0.7;
}

/** What was said before the answer of turn `turn` (from 0). */
export function conversationUntil({ turns }: BenchQuestion, answers: readonly string[], turn: number): ChatMessage[] {
  return turns
    .slice(0, turn + 1)
    .flatMap((content, i): ChatMessage[] => [{ role: "user", content }, ...(i < turn ? [{ role: "assistant", content: answers[i] }] : [])]);
}

/** What a comparing judge is shown after the first question: one model's whole side of the conversation up to an answer, as FastChat shows it. */
export function transcribe({ turns }: BenchQuestion, answers: readonly string[], turn: number): string {
  const later = answers.slice(1, turn + 1).map((answer, i) => `\n\n[User]\n${turns[i + 1]}\n\n[Assistant]\n${answer}`);
  return `${answers[0]}${later.join("")}`;
}

export interface BenchScores {
  readonly questions: number;
  /** Mean over all turns that got a grade, in the judge's points; null without any. */
  readonly mean: number | null;
  /** 95 %, by a bootstrap over questions. */
  readonly interval: Interval | null;
  /** Of the first turns, of the second turns … */
  readonly turns: readonly (number | null)[];
  readonly categories: { readonly [category: string]: number | null };
  readonly voids: number;
}

/** `grades`: those of each question, a turn each. */
export function summariseBench(questions: readonly BenchQuestion[], grades: readonly (readonly Grade[])[]): BenchScores {
  const scores = grades.map((turns) => turns.map(({ score }) => score));
  const meanOf = (values: readonly (number | null)[]): number | null => {
    const given = values.filter((value) => value !== null);
    return given.length === 0 ? null : mean(given);
  };
  const all = meanOf(scores.flat());
  const longest = Math.max(0, ...questions.map(({ turns }) => turns.length));
  const categories = [...new Set(questions.map(({ category }) => category))];
  return {
    questions: questions.length,
    mean: all,
    interval: all === null ? null : bootstrapInterval(scores, (some) => meanOf(some.flat()) ?? 0),
    turns: Array.from({ length: longest }, (_, turn) => meanOf(scores.map((row) => row[turn] ?? null))),
    categories: Object.fromEntries(
      categories.map((category) => [category, meanOf(scores.filter((_, i) => questions[i].category === category).flat())]),
    ),
    voids: scores.flat().filter((score) => score === null).length,
  };
}

/** Wins, ties and losses of each turn; voids count nowhere. */
export interface BenchTurn {
  readonly win: number;
  readonly tie: number;
  readonly lose: number;
}

export function countBenchTurns(comparisons: readonly (readonly Comparison[])[]): BenchTurn[] {
  const longest = Math.max(0, ...comparisons.map((turns) => turns.length));
  return Array.from({ length: longest }, (_, turn) => {
    const verdicts = comparisons.flatMap((turns) => (turns[turn] === undefined ? [] : [turns[turn].verdict]));
    const count = (wanted: string): number => verdicts.filter((verdict) => verdict === wanted).length;
    return { win: count("a"), tie: count("tie"), lose: count("b") };
  });
}
