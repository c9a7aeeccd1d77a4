/** Rows that people have judged: comparisons with their labels, and graded answers. */
import { detectFormat, type Content, type Message, type Row } from "../../data/index.ts";
import { SparError } from "../../internal/errors.ts";
import type { CompareRequest, GradeRequest, Verdict } from "../judge.ts";

export interface LabelledComparison extends CompareRequest {
  /** One an annotator. */
  readonly labels: readonly Verdict[];
  /** False for rows of a chosen and a rejected answer: which of them is called a means nothing there. */
  readonly hasSides: boolean;
}

export interface LabelledAnswer extends GradeRequest {
  readonly scores: readonly number[];
}

export const comparisonColumns = '{prompt, a, b, labels: ["a" | "b" | "tie", …]} or {prompt, chosen, rejected}';

/**
 * A comparison with labels, from `{prompt, a, b, labels}` (or `label`), or from any layout of preference pairs. Throws `data/bad-row` and
 * what the layouts throw: what was found and what is expected.
 */
export function parseLabelledComparison(row: Row): LabelledComparison {
  const request = parseComparison(row);
  if ("a" in row && "b" in row) {
    const labels = row["labels"] ?? (row["label"] === undefined ? undefined : [row["label"]]);
    if (!Array.isArray(labels) || labels.length === 0)
      throw new SparError("data/bad-row", `labels: expected at least one of "a", "b" or "tie", found ${show(labels)}`);
    const bad = labels.find((label) => !isVerdict(label)) as unknown;
    if (bad !== undefined || labels.includes(undefined))
      throw new SparError("data/bad-row", `labels: expected "a", "b" or "tie", found ${show(bad)}`);
    return { ...request, labels: labels as Verdict[], hasSides: true };
  }
  return { ...request, labels: ["a"], hasSides: false };
}

/** Two answers to be compared: `{prompt, a, b}`, or a preference pair, whose chosen answer is a. */
export function parseComparison(row: Row): CompareRequest {
  if ("a" in row || "b" in row) {
    const { prompt, a, b, labels: _labels, label: _label, ...columns } = row;
    return { prompt: readPrompt(prompt), a: readAnswer("a", a), b: readAnswer("b", b), columns };
  }
  const example = detectFormat(row, "preference", { hasChatTemplate: true }, "a row").convert(row);
  if (example.kind === "pair-ids") throw new SparError("data/bad-row", "expected texts, found token ids");
  const { prompt, chosen, rejected } = example;
  return { prompt, a: joinAnswer(chosen), b: joinAnswer(rejected) };
}

/** An answer to be graded: `{prompt, completion}` or `{prompt, answer}`. */
export function parseAnswer(row: Row): GradeRequest {
  const { prompt, answer, completion, score: _score, scores: _scores, ...columns } = row;
  const name = answer === undefined ? "completion" : "answer";
  return { prompt: readPrompt(prompt), answer: readAnswer(name, answer ?? completion), columns };
}

/** A graded answer: `{prompt, completion, score}` or `scores: [number, …]`. */
export function parseLabelledAnswer(row: Row): LabelledAnswer {
  const scores = row["scores"] ?? [row["score"]];
  if (!Array.isArray(scores) || scores.length === 0 || !scores.every((score) => typeof score === "number" && Number.isFinite(score)))
    throw new SparError("data/bad-row", `scores: expected numbers, found ${show(scores)}`);
  return { ...parseAnswer(row), scores: scores as number[] };
}

/** Whether a row holds two answers rather than one. */
export function holdsComparison(row: Row): boolean {
  return !("answer" in row || "completion" in row);
}

function isVerdict(value: unknown): value is Verdict {
  return value === "a" || value === "b" || value === "tie";
}

function readPrompt(value: unknown): Content {
  // Text that continues nothing is judged by itself.
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  if (isMessages(value)) return value;
  throw new SparError("data/bad-row", `prompt: expected text or messages, found ${show(value)}`);
}

function readAnswer(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  if (isMessages(value)) return joinAnswer(value);
  throw new SparError("data/bad-row", `${name}: expected text or messages, found ${show(value)}`);
}

function isMessages(value: unknown): value is Message[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every(
      (message) =>
        typeof message === "object" &&
        message !== null &&
        typeof (message as Message).role === "string" &&
        typeof (message as Message).content === "string",
    )
  );
}

/** What the assistant says in a completion of messages. */
function joinAnswer(content: Content): string {
  if (typeof content === "string") return content;
  const said = content.filter(({ role }) => role === "assistant");
  return (said.length === 0 ? content : said).map((message) => message.content).join("\n\n");
}

function show(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value).slice(0, 60);
}
