/** What is labelled: a prompt with two or more answers. */

import { createHash } from "node:crypto";
import type { Content, LabelCandidate, Row } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";

export interface LabelTask {
  /** The row's `id`, `pair_id` or `task`, or a hash of its texts: the same when the file is sorted anew, or grows. */
  readonly id: string;
  readonly prompt: Content;
  readonly candidates: readonly LabelCandidate[];
}

export const taskColumns =
  "{prompt, answer1, answer2}, {prompt, candidates: [text or {text, model}, …]}, {prompt, answers: [text or {text}, …]}, {prompt, a, b} or {prompt, chosen, rejected}, the prompt as text or messages";

const layouts: readonly (readonly [string, string])[] = [
  ["answer1", "answer2"],
  ["a", "b"],
  ["chosen", "rejected"],
];

/** @throws SparError `data/bad-row`: what was found and what is expected */
export function parseTaskRow(row: Row): LabelTask {
  const prompt = readPrompt(row["prompt"]);
  const candidates = readCandidates(row);
  const named = row["id"] ?? row["pair_id"] ?? row["task"];
  if (named !== undefined && named !== null && typeof named !== "string" && typeof named !== "number")
    throw expected("id: a text or a number", named);
  const id = named === undefined || named === null ? "" : String(named).trim();
  if (id.length > 200) throw expected("id: at most 200 characters", id);
  return { id: id === "" ? hashTask(prompt, candidates) : id, prompt, candidates };
}

function hashTask(prompt: Content, candidates: readonly LabelCandidate[]): string {
  const text = JSON.stringify([prompt, candidates.map((candidate) => candidate.text)]);
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function readPrompt(value: unknown): Content {
  // Texts that continue nothing are compared by themselves.
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  if (isMessages(value)) return value;
  throw expected("prompt: text or messages {role, content}", value);
}

function readCandidates(row: Row): LabelCandidate[] {
  // `answers` is what spar self-rewarding writes into candidates.jsonl and judgements.jsonl.
  const column = ["candidates", "answers"].find((name) => row[name] !== undefined && row[name] !== null);
  if (column !== undefined) {
    const candidates = row[column];
    if (!Array.isArray(candidates) || candidates.length < 2) throw expected(`${column}: at least two answers`, candidates);
    if (candidates.length > 26) throw expected(`${column}: at most 26 answers`, `${candidates.length} of them`);
    return checkDifferent(candidates.map((candidate: unknown, i) => readCandidate(candidate, `${column}[${i}]`)));
  }
  const columns = layouts.find((pair) => pair.some((column) => column in row));
  if (columns === undefined)
    throw new SparError("data/bad-row", `expected answers, found the columns ${Object.keys(row).join(", ") || "(none)"}`);
  return checkDifferent(columns.map((column) => readCandidate(row[column], column, row)));
}

/** A text, `{text, model}`, or what an assistant says in messages; the model may stand in a column beside it. */
function readCandidate(value: unknown, column: string, row?: Row): LabelCandidate {
  const beside = row?.[`${column}_model`] ?? row?.[column.replace("answer", "model")];
  const model = typeof beside === "string" && beside !== value ? { model: beside } : {};
  if (typeof value === "string") return { text: value, ...model };
  if (isMessages(value)) return { text: joinAnswer(value), ...model };
  if (typeof value === "object" && value !== null && "text" in value && typeof value.text === "string")
    return { text: value.text, ...("model" in value && typeof value.model === "string" ? { model: value.model } : model) };
  throw expected(`${column}: a text or {text, model}`, value);
}

function checkDifferent(candidates: LabelCandidate[]): LabelCandidate[] {
  if (candidates.every(({ text }) => text === candidates[0].text)) throw new SparError("data/bad-row", "all answers are the same text");
  return candidates;
}

type Messages = Exclude<Content, string>;

function joinAnswer(messages: Messages): string {
  const said = messages.filter(({ role }) => role === "assistant");
  return (said.length === 0 ? messages : said).map(({ content }) => content).join("\n\n");
}

function isMessages(value: unknown): value is Messages {
  const isMessage = (item: unknown): boolean =>
    typeof item === "object" &&
    item !== null &&
    "role" in item &&
    typeof item.role === "string" &&
    "content" in item &&
    typeof item.content === "string";
  return Array.isArray(value) && value.length > 0 && value.every(isMessage);
}

function expected(what: string, found: unknown): SparError {
  return new SparError("data/bad-row", `expected ${what}; found ${found === undefined ? "nothing" : JSON.stringify(found).slice(0, 60)}`);
}
