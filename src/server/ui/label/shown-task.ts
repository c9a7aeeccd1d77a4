/**
 * Between a task's answers and their places on the screen. The page knows the places only; the id that it is given says, to the server
 * alone, which answer is where. So a label is understood after a restart too, with other settings, or days later from a page's queue.
 */
import { createHash } from "node:crypto";
import type { Content, LabelRow } from "../../../data/index.ts";
import type { LabelTask, NewLabel } from "../../../labeling/index.ts";
import type { Choice, GivenLabel, ShownTask, SubmittedLabel } from "./protocol.ts";

type Answers = Pick<LabelTask, "prompt" | "candidates">;

/** The task as it is shown in this order of its candidates. */
export function showTask(id: string, { prompt, candidates }: Answers, order: readonly number[]): ShownTask {
  return { id: nameShown(id, order), prompt: showPrompt(prompt), answers: order.map((index) => candidates[index].text) };
}

/** Only what is shown: messages may carry tools and more. */
function showPrompt(prompt: Content): ShownTask["prompt"] {
  return typeof prompt === "string" ? prompt : prompt.map(({ role, content }) => ({ role, content }));
}

const letters = "abcdefghijklmnopqrstuvwxyz";

function nameShown(id: string, order: readonly number[]): string {
  const turn = turnOf(id);
  return `${id}~${order.map((index) => letters[(index + turn) % order.length]).join("")}`;
}

/** The task's own id and the order in which it was shown; undefined where the text is none that `showTask` makes. */
export function parseShownId(text: string): { id: string; order: number[] } | undefined {
  const end = text.lastIndexOf("~");
  if (end < 0) return undefined;
  const [id, code] = [text.slice(0, end), text.slice(end + 1)];
  const turn = turnOf(id) % code.length;
  const order = [...code].map((letter) => (letters.indexOf(letter) - turn + code.length) % code.length);
  const isOrder =
    code.length >= 2 &&
    new Set(order).size === code.length &&
    [...code].every((letter) => letters.indexOf(letter) < code.length && letter >= "a" && letter <= "z");
  return isOrder ? { id, order } : undefined;
}

/** Nobody who reads the page's source is to see whether an answer was the file's first. */
function turnOf(id: string): number {
  return createHash("sha256").update(`turn ${id}`).digest().readUInt16LE(0);
}

/** A label as it came from the page, in the task's own order. */
export function readSubmitted(label: SubmittedLabel, id: string, order: readonly number[]): NewLabel {
  const { choice, strength, ranking, ratings, edit, reasons, comment, revises, undoes } = label;
  return {
    id: label.id,
    task: id,
    annotator: label.annotator,
    choice: choice === "left" || choice === "right" ? (order[choice === "left" ? 0 : 1] === 0 ? "a" : "b") : choice,
    order,
    ...(strength === undefined ? {} : { strength }),
    ...(ranking === undefined ? {} : { ranking: ranking.map((group) => group.map((place) => order[place]).sort((a, b) => a - b)) }),
    ...(ratings === undefined ? {} : { ratings: order.map((_, index) => ratings[order.indexOf(index)] ?? null) }),
    ...(edit === undefined ? {} : { edit: { candidate: order[edit.answer], text: edit.text } }),
    ...(reasons === undefined || reasons.length === 0 ? {} : { reasons }),
    ...(comment === undefined || comment === "" ? {} : { comment }),
    milliseconds: label.milliseconds,
    guidelines_version: label.guidelinesVersion,
    ...(revises === undefined ? {} : { revises }),
    ...(undoes === undefined ? {} : { undoes }),
  };
}

/** A stored label as the page would have sent it, in the order in which it was given or another. */
export function showLabel(label: LabelRow, order: readonly number[] = label.order): GivenLabel["label"] {
  const { choice, strength, ranking, ratings, edit, reasons, comment, revises, undoes } = label;
  return {
    id: label.id,
    task: nameShown(label.task, order),
    annotator: label.annotator,
    choice: showChoice(choice, order),
    ...(strength === undefined ? {} : { strength }),
    ...(ranking === undefined ? {} : { ranking: ranking.map((group) => group.map((index) => order.indexOf(index)).sort((a, b) => a - b)) }),
    ...(ratings === undefined ? {} : { ratings: order.map((index) => ratings[index]) }),
    ...(edit === undefined ? {} : { edit: { answer: order.indexOf(edit.candidate), text: edit.text } }),
    ...(reasons === undefined ? {} : { reasons }),
    ...(comment === undefined ? {} : { comment }),
    milliseconds: label.milliseconds,
    guidelinesVersion: label.guidelines_version,
    ...(revises === undefined ? {} : { revises }),
    ...(undoes === undefined ? {} : { undoes }),
  };
}

function showChoice(choice: LabelRow["choice"], order: readonly number[]): Choice | null {
  if (choice !== "a" && choice !== "b") return choice;
  return order[0] === (choice === "a" ? 0 : 1) ? "left" : "right";
}
