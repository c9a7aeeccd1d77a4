/** Tasks as Label Studio imports them: what is shown in `data`, how it was shuffled in `meta`. */

import type { Content } from "../../data/index.ts";
import type { LabelMode } from "../label-settings.ts";
import { drawSides } from "../sides.ts";
import type { LabelTask } from "../task.ts";

export interface StudioImportTask {
  /** What people see, and what the Data Manager shows: nothing that tells whose answer is whose. */
  readonly data: {
    readonly prompt: string;
    readonly pair_id: string;
    readonly answer1?: string;
    readonly answer2?: string;
    readonly items?: readonly { readonly id: string; readonly title: string; readonly body: string }[];
  };
  readonly meta: {
    readonly pair_id: string;
    /** Of pairs: whether the second answer of the row is on the left. */
    readonly swap?: boolean;
    /** Which answer of the row is at each position, from the left or the top. */
    readonly order: readonly number[];
    readonly models?: readonly (string | null)[];
    /** The prompt, where it is a conversation, of which `data` holds a text. */
    readonly prompt?: Exclude<Content, string>;
    /** The answers are completions, which follow their prompts without a line break. */
    readonly continues?: true;
    readonly rating_max?: number;
  };
}

export interface StudioTaskOptions {
  readonly mode: LabelMode;
  /** Of the shuffle of sides. */
  readonly seed?: number | undefined;
  readonly ratingMax?: number | undefined;
}

/** The same rows and seed give the same tasks, whichever rows are beside them. */
export function makeStudioTasks(tasks: readonly LabelTask[], { mode, seed = 0, ratingMax = 5 }: StudioTaskOptions): StudioImportTask[] {
  // Completions of a base model begin with a space; answers that people or chat models wrote do not.
  const continues = tasks.some((task) => task.candidates.some(({ text }) => /^\s/.test(text)));
  return tasks.map(({ id, prompt, candidates }) => {
    const order = drawSides(seed, id, "", candidates.length);
    const shown = order.map((candidate) => candidates[candidate].text);
    const text = typeof prompt === "string" ? prompt : renderConversation(prompt);
    const isPair = mode === "pair";
    return {
      data: {
        prompt: text,
        ...(isPair
          ? { answer1: shown[0], answer2: shown[1] }
          : { items: shown.map((body, position) => ({ id: String(position + 1), title: `Answer ${position + 1}`, body })) }),
        pair_id: id,
      },
      meta: {
        pair_id: id,
        ...(isPair ? { swap: order[0] === 1 } : {}),
        order,
        ...(candidates.some(({ model }) => model !== undefined) ? { models: candidates.map(({ model }) => model ?? null) } : {}),
        ...(typeof prompt === "string" ? {} : { prompt }),
        ...(continues ? { continues: true } : {}),
        ...(mode === "rating" ? { rating_max: ratingMax } : {}),
      },
    };
  });
}

/** A conversation as people read it; a single question without the name of who asks. */
export function renderConversation(messages: Exclude<Content, string>): string {
  const [first] = messages;
  if (messages.length === 1 && first !== undefined && first.role === "user") return first.content;
  return messages.map(({ role, content }) => `${role.slice(0, 1).toUpperCase()}${role.slice(1)}: ${content}`).join("\n\n");
}
