import { isContinued, isStudioTask, readStudioData, readStudioTask } from "../label-studio/studio-task.ts";
import { listPreferences } from "../labels/preferences.ts";
import { isRow, type Row } from "../row.ts";
import type { Content, Message } from "./example.ts";
import { readFilledText, RowLeftOut } from "./read-values.ts";

/**
 * Tasks of a Label Studio JSON export in which people chose between two answers (its Pairwise tag):
 * `{data: {prompt, answer1, answer2}, annotations: [{was_cancelled, result: [{type: "pairwise", value: {selected: "left" | "right"}}]}]}`.
 */
export function isLabelStudioTask(row: Row): boolean {
  return isStudioTask(row);
}

/**
 * The question as a text that ends in a line break, after which the answer begins, unless the task says that its answers continue it
 * (`meta.continues`, of completions that begin with a space); with a chat template one user turn, or the conversation that the task was
 * made of.
 */
export function makeTaskPrompt(row: Row, chat: boolean): Content {
  const prompt = readFilledText(readStudioData(row), "prompt");
  const conversation = isRow(row["meta"]) ? row["meta"]["prompt"] : undefined;
  if (chat && Array.isArray(conversation)) return conversation as Message[];
  if (chat) return [{ role: "user", content: prompt }];
  return isContinued(row) || /\s$/.test(prompt) ? prompt : `${prompt}\n`;
}

/**
 * The answer that most annotators chose, and the other; ties and "both bad" are votes for neither.
 * @throws {RowLeftOut} where nobody chose, or as many the one as the other, or there is no difference
 */
export function makeTaskAnswers(row: Row, chat: boolean): { chosen: Content; rejected: Content } {
  const { candidates, labels } = readStudioTask(row);
  const votes = { first: 0, second: 0, tie: 0 };
  for (const label of labels) for (const { verdict } of listPreferences(label)) votes[verdict]++;
  if (votes.first + votes.second === 0)
    throw new RowLeftOut(votes.tie > 0 ? "a tie, or both answers bad" : "without a choice between the answers");
  if (votes.first === votes.second || Math.max(votes.first, votes.second) <= votes.tie) throw new RowLeftOut("annotators are divided");
  // An empty answer is one too: a model that ended at once.
  const [a, b] = candidates.map(({ text }) => text);
  if (a === b) throw new RowLeftOut("both answers are the same");
  const [first, second] = [makeAnswer(a, chat), makeAnswer(b, chat)];
  return votes.first > votes.second ? { chosen: first, rejected: second } : { chosen: second, rejected: first };
}

function makeAnswer(text: string, chat: boolean): Content {
  return chat ? [{ role: "assistant", content: text }] : text;
}
