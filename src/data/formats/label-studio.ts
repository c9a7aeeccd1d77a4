import { isRow, type Row } from "../row.ts";
import type { Content } from "./example.ts";
import { readFilledText, readText, RowLeftOut, RowProblem } from "./read-values.ts";

/**
 * Tasks of a Label Studio JSON export in which people chose between two answers (its Pairwise tag):
 * `{data: {prompt, answer1, answer2}, annotations: [{was_cancelled, result: [{type: "pairwise", value: {selected: "left" | "right"}}]}]}`.
 */
export function isLabelStudioTask(row: Row): boolean {
  const { data, annotations } = row;
  return isRow(data) && typeof data["prompt"] === "string" && Array.isArray(annotations) && findAnswerColumns(data) !== undefined;
}

/** The question as a text that ends in a line break, after which the answer begins; with a chat template one user turn. */
export function makeTaskPrompt(row: Row, chat: boolean): Content {
  const prompt = readFilledText(readData(row), "prompt");
  if (chat) return [{ role: "user", content: prompt }];
  return /\s$/.test(prompt) ? prompt : `${prompt}\n`;
}

/**
 * The answer that most annotators chose, and the other.
 * @throws {RowLeftOut} where nobody chose, or as many the one as the other, or there is no difference
 */
export function makeTaskAnswers(row: Row, chat: boolean): { chosen: Content; rejected: Content } {
  const data = readData(row);
  const columns = findAnswerColumns(data);
  if (columns === undefined) throw new RowProblem("expected two answers (answer1, answer2) in data");
  const votes = countVotes(row);
  if (votes.left + votes.right === 0) throw new RowLeftOut("without a choice between the answers");
  if (votes.left === votes.right) throw new RowLeftOut("annotators are divided");
  // An empty answer is one too: a model that ended at once.
  const [first, second] = columns.map((column) => readText(data, column)) as [string, string];
  if (first === second) throw new RowLeftOut("both answers are the same");
  const [left, right] = [makeAnswer(first, chat), makeAnswer(second, chat)];
  return votes.left > votes.right ? { chosen: left, rejected: right } : { chosen: right, rejected: left };
}

function makeAnswer(text: string, chat: boolean): Content {
  return chat ? [{ role: "assistant", content: text }] : text;
}

function readData(row: Row): Row {
  if (!isRow(row["data"])) throw new RowProblem("expected a task with data {prompt, answer1, answer2}");
  return row["data"];
}

/** `answer1` and `answer2`, or whatever two text columns differ only in their last 1 and 2. */
function findAnswerColumns(data: Row): [string, string] | undefined {
  for (const left of Object.keys(data)) {
    if (!left.endsWith("1")) continue;
    const right = `${left.slice(0, -1)}2`;
    if (typeof data[left] === "string" && typeof data[right] === "string") return [left, right];
  }
  return undefined;
}

/** A vote an annotation that was submitted; one that contradicts itself has none. */
function countVotes(row: Row): { left: number; right: number } {
  const annotations = row["annotations"];
  if (!Array.isArray(annotations)) throw new RowProblem("expected a list of annotations");
  const votes = { left: 0, right: 0 };
  for (const annotation of annotations as unknown[]) {
    if (!isRow(annotation)) throw new RowProblem("expected annotations of the form {was_cancelled, result}");
    if (annotation["was_cancelled"] === true || !Array.isArray(annotation["result"])) continue;
    const sides = new Set((annotation["result"] as unknown[]).filter(isPairwise).map(readSide));
    const [side] = sides;
    if (sides.size === 1 && side !== undefined) votes[side]++;
  }
  return votes;
}

function isPairwise(result: unknown): result is Row {
  return isRow(result) && result["type"] === "pairwise";
}

function readSide(result: Row): "left" | "right" {
  const side = isRow(result["value"]) ? readText(result["value"], "selected") : "";
  if (side === "left" || side === "right") return side;
  throw new RowProblem(`expected left or right as the selected side, found ${JSON.stringify(side)}`);
}
