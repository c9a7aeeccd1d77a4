import type { PromptExample } from "./formats/example.ts";
import type { Row } from "./row.ts";
import { encodeContent, type TokeniseContext } from "./tokenise-content.ts";

/** A prompt to be completed; `row` is the data set's row with all its columns, for reward functions. */
export type TokenizedPrompt = { promptIds: number[]; row: Row };

/**
 * The ids of a prompt for generation: text as it is; messages with the generation prompt, or, where the
 * last message is the assistant's, so that this message is continued.
 */
export function tokenisePrompt({ prompt, chat }: PromptExample, context: TokeniseContext): number[] {
  const isContinued = typeof prompt !== "string" && prompt.at(-1)?.role === "assistant";
  return encodeContent(context, prompt, isContinued ? { continueFinalMessage: true, chat } : { addGenerationPrompt: true, chat });
}
