/** What a person has said of a task so far, before it becomes a label; and how it becomes one. */
import type { Choice, LabelMode, ShownTask, SubmittedLabel } from "../../../../src/server/ui/label/protocol.ts";

export interface Draft {
  readonly strength: 1 | 2 | 3 | null;
  readonly reasons: readonly string[];
  readonly comment: string;
  readonly edit: { readonly answer: number; readonly text: string } | null;
  /** One an answer as displayed: its place (1 is best) or its mark; null: none yet. */
  readonly marks: readonly (number | null)[];
}

export function createDraft(task: ShownTask): Draft {
  return { strength: null, reasons: [], comment: "", edit: null, marks: task.answers.map(() => null) };
}

/** As somebody finds it who has taken the label back: what took work is there, what was one press is not. */
export function reopenDraft(task: ShownTask, label: SubmittedLabel): Draft {
  return { ...restoreDraft(task, label), strength: null };
}

/** As somebody who goes back to a label finds it. */
export function restoreDraft(task: ShownTask, label: SubmittedLabel): Draft {
  const marks = task.answers.map((_, at) => {
    const place = label.ranking?.findIndex((group) => group.includes(at)) ?? -1;
    return label.ratings?.[at] ?? (place < 0 ? null : place + 1);
  });
  const isBare = label.choice === "skip" || label.choice === "flag";
  return {
    strength: label.strength ?? null,
    // Reasons to skip or to flag are asked for again.
    reasons: isBare ? [] : (label.reasons ?? []),
    comment: label.comment ?? "",
    edit: label.edit ?? null,
    marks,
  };
}

export function isComplete(mode: LabelMode, { marks }: Draft): boolean {
  return mode === "ranking" ? marks.every((mark) => mark !== null) : marks.some((mark) => mark !== null);
}

/** Groups of positions, best first; answers with the same place are one group. */
export function rankByMarks(marks: readonly (number | null)[]): number[][] {
  const places = [...new Set(marks.filter((mark) => mark !== null))].sort((a, b) => a - b);
  return places.map((place) => marks.flatMap((mark, at) => (mark === place ? [at] : [])));
}

export interface Verdict {
  readonly choice: Choice | null;
  readonly strength?: 1 | 2 | 3;
  /** In place of the draft's. */
  readonly reasons?: readonly string[];
}

type Content = Pick<SubmittedLabel, "choice" | "strength" | "ranking" | "ratings" | "edit" | "reasons" | "comment">;

/** Only what belongs to the verdict goes with it: no strength to a tie, no places to a skip. */
export function describeContent(mode: LabelMode, draft: Draft, verdict: Verdict): Content {
  const { choice } = verdict;
  const isBare = choice === "skip" || choice === "flag";
  const strength = verdict.strength ?? draft.strength;
  const reasons = verdict.reasons ?? (isBare ? [] : draft.reasons);
  const comment = draft.comment.trim();
  return {
    choice,
    ...((choice === "left" || choice === "right") && strength !== null && { strength }),
    ...(choice === null && mode === "ranking" && { ranking: rankByMarks(draft.marks) }),
    ...(choice === null && mode === "rating" && { ratings: draft.marks }),
    ...(!isBare && draft.edit !== null && { edit: draft.edit }),
    ...(reasons.length > 0 && { reasons }),
    ...(comment !== "" && { comment }),
  };
}

export const answerName = (at: number): string => String.fromCharCode(65 + at);

/** `A better, much`, `B > A = C`, `A 4, B 2`: a label in a few signs. */
export function describeLabel(label: Pick<SubmittedLabel, "choice" | "strength" | "ranking" | "ratings" | "edit">): string {
  const edited = label.edit === undefined ? "" : `, ${answerName(label.edit.answer)} edited`;
  if (label.ranking !== undefined) return label.ranking.map((group) => group.map(answerName).join(" = ")).join(" > ") + edited;
  if (label.ratings !== undefined)
    return label.ratings.map((rating, at) => `${answerName(at)} ${rating === null ? "–" : String(rating)}`).join(", ") + edited;
  const strength = label.strength === undefined ? "" : `, ${strengthNames[label.strength]}`;
  return choiceName(label.choice) + strength + edited;
}

export const strengthNames = { 1: "slightly", 2: "clearly", 3: "much" } as const;

export function choiceName(choice: Choice | null): string {
  return choice === null ? "No choice" : choiceNames[choice];
}

export const choiceNames: { readonly [choice in Choice]: string } = {
  left: "A better",
  right: "B better",
  tie: "Tie",
  both_bad: "Both bad",
  skip: "Skipped",
  flag: "Flagged",
};
