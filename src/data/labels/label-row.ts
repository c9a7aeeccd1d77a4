/** A line of labels.jsonl: one label as it was given, with everything that is needed to understand it years later. */

import type { Content } from "../formats/example.ts";
import { readContent, RowProblem } from "../formats/read-values.ts";
import { isRow, type Row } from "../row.ts";

/** `a`, `b`: the task's first and second answer, on whichever side they were shown. */
export type LabelChoice = "a" | "b" | "tie" | "both_bad" | "skip" | "flag";

const choices: ReadonlySet<unknown> = new Set<LabelChoice>(["a", "b", "tie", "both_bad", "skip", "flag"]);

export interface LabelCandidate {
  readonly text: string;
  readonly model?: string;
}

export interface LabelRow {
  /** Made by whoever gave the label; a second row with the same id is the same label. */
  readonly id: string;
  readonly task: string;
  readonly annotator: string;
  readonly prompt: Content;
  readonly candidates: readonly LabelCandidate[];
  /** Null: a ranking, a rating, or an undo. */
  readonly choice: LabelChoice | null;
  /** Which candidate was shown at each position, from the left. */
  readonly order: readonly number[];
  /** How much better: 1 slightly, 2 clearly, 3 much. */
  readonly strength?: 1 | 2 | 3;
  /** Candidates, best first; those in one group are as good as each other. */
  readonly ranking?: readonly (readonly number[])[];
  /** One a candidate, 1 … rating_max; null: not rated. */
  readonly ratings?: readonly (number | null)[];
  readonly rating_max?: number;
  /** A better text for one of the candidates. */
  readonly edit?: { readonly candidate: number; readonly text: string };
  readonly reasons?: readonly string[];
  readonly comment?: string;
  /** Between showing the task and the choice. */
  readonly milliseconds: number;
  readonly guidelines_version: number;
  /** ISO 8601. */
  readonly given: string;
  /** The label of the same annotator that this one takes the place of. */
  readonly revises?: string;
  /** The label of the same annotator that this row takes back. */
  readonly undoes?: string;
}

/** Whether a row is meant to be a label; `parseLabelRow` says whether it is a whole one. */
export function isLabelRow(row: Row): boolean {
  return "task" in row && "annotator" in row && "choice" in row && Array.isArray(row["candidates"]) && Array.isArray(row["order"]);
}

/** @throws {RowProblem} what was found and what is expected */
export function parseLabelRow(row: Row): LabelRow {
  const candidates = readCandidates(row);
  const count = candidates.length;
  const choice = row["choice"] ?? null;
  if (choice !== null && !choices.has(choice)) throw expected(`choice: one of ${[...choices].join(", ")} or null`, choice);
  if ((choice === "a" || choice === "b") && count !== 2)
    throw expected(`choice: a and b for two candidates only, of which there are ${count}`, choice);
  const order = row["order"];
  if (!isPermutation(order, count)) throw expected(`order: each of 0 to ${count - 1} once`, order);
  const { strength, ranking, ratings, edit, reasons, comment } = row;
  if (isGiven(strength) && strength !== 1 && strength !== 2 && strength !== 3) throw expected("strength: 1, 2 or 3", strength);
  if (isGiven(ranking) && !isRanking(ranking, count)) throw expected(`ranking: groups that hold each of 0 to ${count - 1} once`, ranking);
  if (isGiven(ratings)) checkRatings(ratings, row["rating_max"], count);
  if (isGiven(edit) && !(isRow(edit) && isIndex(edit["candidate"], count) && typeof edit["text"] === "string"))
    throw expected("edit: {candidate, text}", edit);
  if (isGiven(reasons) && !(Array.isArray(reasons) && reasons.every((reason) => typeof reason === "string")))
    throw expected("reasons: a list of texts", reasons);
  if (isGiven(comment) && typeof comment !== "string") throw expected("comment: a text", comment);
  for (const column of ["revises", "undoes"]) if (isGiven(row[column])) readName(row, column);
  const given = {
    id: readName(row, "id"),
    task: readName(row, "task"),
    annotator: readName(row, "annotator"),
    prompt: isGiven(row["prompt"]) ? readContent(row, "prompt") : "",
    candidates,
    choice,
    order,
    milliseconds: readCount(row, "milliseconds"),
    guidelines_version: readCount(row, "guidelines_version"),
    given: readName(row, "given"),
  };
  const optional = ["strength", "ranking", "ratings", "rating_max", "edit", "reasons", "comment", "revises", "undoes"];
  const present = optional.filter((column) => isGiven(row[column])).map((column) => [column, row[column]]);
  return { ...given, ...Object.fromEntries(present) } as LabelRow;
}

/** Whether `ranking` is groups of positions that hold each of 0 … count−1 once. */
export function isRanking(ranking: unknown, count: number): ranking is number[][] {
  return (
    Array.isArray(ranking) && ranking.every((group) => Array.isArray(group) && group.length > 0) && isPermutation(ranking.flat(), count)
  );
}

function readCandidates(row: Row): LabelCandidate[] {
  const { candidates } = row;
  if (!Array.isArray(candidates) || candidates.length < 2) throw expected("candidates: at least two", candidates);
  const bad: unknown = candidates.find((candidate) => !isRow(candidate) || typeof candidate["text"] !== "string");
  if (bad !== undefined || candidates.includes(undefined)) throw expected("candidates: {text} or {text, model}", bad);
  return (candidates as Row[]).map(({ text, model }) => ({ text: text as string, ...(typeof model === "string" ? { model } : {}) }));
}

function checkRatings(ratings: unknown, max: unknown, count: number): void {
  const isRating = (rating: unknown): boolean => rating === null || (typeof rating === "number" && Number.isFinite(rating));
  if (!Array.isArray(ratings) || ratings.length !== count || !ratings.every(isRating))
    throw expected(`ratings: ${count} numbers or nulls`, ratings);
  if (isGiven(max) && !(typeof max === "number" && max > 1)) throw expected("rating_max: a number above 1", max);
}

function isPermutation(value: unknown, count: number): value is number[] {
  return Array.isArray(value) && value.length === count && new Set(value).size === count && value.every((item) => isIndex(item, count));
}

function isIndex(value: unknown, count: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < count;
}

/** Absent or null. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function readName(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string" || value === "") throw expected(`${column}: a text that is not empty`, value);
  return value;
}

function readCount(row: Row, column: string): number {
  const value = row[column] ?? 0;
  if (typeof value !== "number" || !(value >= 0)) throw expected(`${column}: a number from 0`, value);
  return value;
}

function expected(what: string, found: unknown): RowProblem {
  return new RowProblem(`expected ${what}; found ${found === undefined ? "nothing" : JSON.stringify(found).slice(0, 60)}`);
}
