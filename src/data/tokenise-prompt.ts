import type { Message, PromptExample } from "./formats/example.ts";
import { RowProblem } from "./formats/read-values.ts";
import type { Row } from "./row.ts";
import { encodeContent, renderMessages, type TokeniseContext } from "./tokenise-content.ts";

/** A prompt to be completed; `row` is the data set's row with all its columns, for reward functions. */
export type TokenizedPrompt = { promptIds: number[]; row: Row };

/**
 * Tokenises a prompt for generation: text as it is; messages with the generation prompt, or, where the
 * last message is the assistant's, so that this message is continued.
 */
export function tokenisePrompt(example: PromptExample, row: Row, context: TokeniseContext): TokenizedPrompt {
  const { prompt } = example;
  if (typeof prompt === "string" || prompt.at(-1)?.role !== "assistant") {
    return { promptIds: encodeContent(context, prompt, { addGenerationPrompt: true }), row };
  }
  return { promptIds: context.tokenizer.encode(renderUnfinished(prompt, context), { addSpecialTokens: false }), row };
}

/** The conversation rendered up to the end of its last message's text. */
function renderUnfinished(messages: Message[], context: TokeniseContext): string {
  const rendered = renderMessages(context, messages);
  const text = messages.at(-1)!.content;
  const at = rendered.lastIndexOf(text);
  if (at >= 0) return rendered.slice(0, at + text.length);
  // most templates trim what they are given
  const trimmedAt = rendered.lastIndexOf(text.trim());
  if (trimmedAt < 0) throw new RowProblem("the chat template does not render the last message's text, so it cannot be continued");
  return rendered.slice(0, trimmedAt + text.trim().length);
}
