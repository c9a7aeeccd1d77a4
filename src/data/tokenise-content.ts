import type { RunEvent } from "../tracking/tracker.ts";
import { SparError } from "../internal/errors.ts";
import type { Content, Message } from "./formats/example.ts";

/** What tokenising needs of a tokenizer. */
export interface DataTokenizer {
  readonly eosId: number | undefined;
  readonly hasChatTemplate: boolean;
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  decode(ids: readonly number[] | number[], options?: { skipSpecialTokens?: boolean }): string;
  applyChatTemplate(messages: Message[], options?: { addGenerationPrompt?: boolean }): string;
}

/** What happens on the way and is said once: `data/format`, `data/rows-dropped`, `data/prompt-boundary` … */
export type EventSink = (event: RunEvent) => void;

/** A tokenizer with what stays the same over a data set: the end token's text, and the warnings given already. */
export type TokeniseContext = { tokenizer: DataTokenizer; eosText: string; warned: Set<string>; onEvent: EventSink };

export function createTokeniseContext(tokenizer: DataTokenizer, onEvent: EventSink = () => {}): TokeniseContext {
  const eosText = tokenizer.eosId === undefined ? "" : tokenizer.decode([tokenizer.eosId], { skipSpecialTokens: false });
  const context: TokeniseContext = { tokenizer, eosText, warned: new Set(), onEvent };
  if (eosText === "") {
    warnOnce(context, {
      code: "data/no-eos",
      level: "warning",
      message: "the tokenizer has no end token: completions are learnt without an end, and generation will not stop by itself",
    });
  }
  return context;
}

/** Text through the tokenizer's own post-processor. */
export function encodeText({ tokenizer }: TokeniseContext, text: string): number[] {
  return tokenizer.encode(text);
}

/** Text, or messages through the chat template, which brings its own special tokens (so no second BOS). */
export function encodeContent(context: TokeniseContext, content: Content, options: { addGenerationPrompt?: boolean } = {}): number[] {
  if (typeof content === "string") return encodeText(context, content);
  return context.tokenizer.encode(renderMessages(context, content, options), { addSpecialTokens: false });
}

export function renderMessages({ tokenizer }: TokeniseContext, messages: Message[], options: { addGenerationPrompt?: boolean } = {}): string {
  if (!tokenizer.hasChatTemplate) {
    throw new SparError("data/no-chat-template", "the data are conversations, and the tokenizer has no chat template", {
      hint: "set chat_template_path, start from a chat model, or give the data as text (prompt, completion)",
    });
  }
  return tokenizer.applyChatTemplate(messages, { addGenerationPrompt: options.addGenerationPrompt ?? false });
}

/** Text with the end token's text after it, unless it ends so already (as TRL compares: by text). */
export function appendEos({ eosText }: TokeniseContext, text: string): string {
  return text.endsWith(eosText) ? text : text + eosText;
}

/** Prompt and completion as one content; both are text or both messages. */
export function joinContent(prompt: Content, completion: Content): Content {
  if (typeof prompt === "string" && typeof completion === "string") return prompt + completion;
  return [...(prompt as Message[]), ...(completion as Message[])];
}

export function countCommonPrefix(a: readonly number[], b: readonly number[]): number {
  const shorter = Math.min(a.length, b.length);
  let length = 0;
  while (length < shorter && a[length] === b[length]) length++;
  return length;
}

/** Says once that a prompt alone tokenises otherwise than with its completion; the completion then starts earlier. */
export function warnOfPromptBoundary(context: TokeniseContext, promptIds: readonly number[], prefix: number): void {
  if (prefix >= promptIds.length || context.warned.has("data/prompt-boundary")) return;
  const cut = context.tokenizer.decode(promptIds.slice(prefix), { skipSpecialTokens: false });
  warnOnce(context, {
    code: "data/prompt-boundary",
    level: "warning",
    message:
      `a prompt alone ends in other tokens (${JSON.stringify(cut)}) than the same prompt with its completion; the completion is taken to start ` +
      "where the two part, so training sees another context there than generation will. Prompts that end at a token's end (without a trailing " +
      "space, say), or a chat template that renders both alike, avoid this. Said once; other rows may have it too",
  });
}

export function warnOnce(context: TokeniseContext, event: RunEvent): void {
  if (context.warned.has(event.code)) return;
  context.warned.add(event.code);
  context.onEvent(event);
}
