/** Scores of a reward model as Label Studio's predictions. */

import { makeTaskPrompt, readStudioTask, type Row, type SideNames } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";
import { readSideNames } from "../labeling/index.ts";
import type { ChatMessage } from "../tokenizer/index.ts";

/** The tag that a prediction fills in. */
export interface StudioControl {
  readonly type: "pairwise" | "ranker";
  readonly name: string;
  readonly toName: string;
  readonly sides: SideNames;
}

/** Undefined where a task is something else than a comparison: it gets no prediction. */
export interface StudioQuestion {
  readonly prompt: string | readonly ChatMessage[];
  /** As displayed. */
  readonly answers: readonly string[];
  /** Ids of a list's items, as displayed; empty for two answers. */
  readonly items: readonly string[];
  /** The first answer is displayed on the right. */
  readonly isReversed: boolean;
}

/** Throws `label-studio/config` where the configuration has neither Pairwise nor Ranker. */
export function readStudioControl(config: string): StudioControl {
  for (const [tag, type] of [
    ["Pairwise", "pairwise"],
    ["Ranker", "ranker"],
  ] as const) {
    const attributes = new RegExp(`<${tag}\\b([^>]*)>`, "i").exec(config)?.[1];
    const name = /\bname\s*=\s*["']([^"']+)["']/i.exec(attributes ?? "")?.[1];
    // A Pairwise result names the control itself as its object.
    const toName = type === "pairwise" ? name : /\btoName\s*=\s*["']([^"']+)["']/i.exec(attributes ?? "")?.[1];
    if (name !== undefined && toName !== undefined) return { type, name, toName, sides: readSideNames(config) };
  }
  throw new SparError(
    "label-studio/config",
    "the project's labeling interface has neither <Pairwise> nor <Ranker>: there is nothing that a reward model could choose",
    {
      hint: "spar label-studio config prints one that has.",
    },
  );
}

/** Answers are in the order of their columns, of which `predictQuestion` knows which is on the left. */
export function listStudioQuestions(
  tasks: readonly unknown[],
  hasChatTemplate: boolean,
  { sides }: StudioControl,
): (StudioQuestion | undefined)[] {
  return tasks.map((task) => {
    if (typeof task !== "object" || task === null) return undefined;
    try {
      const row = { ...(task as Row), annotations: [] };
      const { candidates, order } = readStudioTask(row, { sides });
      const { items, ...columns } = (row as { data?: Row }).data ?? {};
      return {
        prompt: makeTaskPrompt(row, hasChatTemplate),
        answers: order.map((candidate) => candidates[candidate].text),
        // As the reading of labels has it: the second column on the left.
        isReversed: sides.columns !== undefined && columns[sides.columns[0]] !== candidates[order[0]].text,
        items: Array.isArray(items) ? (items as Row[]).map(({ id }, i) => String(id ?? i)) : [],
      };
    } catch (error) {
      if (error instanceof SparError) return undefined;
      throw error;
    }
  });
}

export interface StudioPrediction {
  readonly result: readonly object[];
  /** How sure: the probability, under Bradley–Terry, that the first is better than the second; absent where there is no prediction. */
  readonly score?: number;
}

/** @param scores one an answer, as displayed */
export function predictQuestion(question: StudioQuestion | undefined, scores: readonly number[], control: StudioControl): StudioPrediction {
  if (question === undefined || scores.some((score) => !Number.isFinite(score))) return { result: [] };
  const best = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
  const score = 1 / (1 + Math.exp(scores[best[1]] - scores[best[0]]));
  const region = { id: "spar-1", from_name: control.name, to_name: control.toName, type: control.type };
  if (control.type === "pairwise") {
    if (question.answers.length !== 2) return { result: [] };
    return { result: [{ ...region, value: { selected: (best[0] === 0) === question.isReversed ? "right" : "left" } }], score };
  }
  if (question.items.length !== question.answers.length) return { result: [] };
  return { result: [{ ...region, value: { ranker: { [control.name]: best.map((i) => question.items[i]) } } }], score };
}
