import type { RunEvent } from "../tracking/index.ts";
import { SparError } from "../internal/errors.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import type { ChatExtras, Content, Message } from "./formats/example.ts";

/** What tokenising needs of a tokenizer. */
export type DataTokenizer = Pick<
  Tokenizer,
  "eosId" | "specialTokens" | "hasChatTemplate" | "encode" | "decode" | "encodeChat" | "encodeChatWithMask"
>;

/** What happens on the way and is said once: `data/format`, `data/rows-dropped`, `data/prompt-boundary` … */
export type EventSink = (event: RunEvent) => void;

/** A tokenizer with what stays the same over a data set: the end token's text, and the warnings given already. */
export type TokeniseContext = { tokenizer: DataTokenizer; eosText: string; warned: Set<string>; onEvent: EventSink };

export function createTokeniseContext(tokenizer: DataTokenizer, onEvent: EventSink = () => {}): TokeniseContext {
  const eosText = tokenizer.specialTokens["eos_token"] ?? (tokenizer.eosId === undefined ? "" : tokenizer.decode([tokenizer.eosId]));
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

/** How a conversation is rendered: whether it is left open for the assistant, and what the row adds. */
export type ContentOptions = { addGenerationPrompt?: boolean; continueFinalMessage?: boolean; chat?: ChatExtras | undefined };

/**
 * Text through the tokenizer's own post-processor, or messages through the chat template, which brings its
 * own special tokens (so no second BOS).
 */
export function encodeContent(context: TokeniseContext, content: Content, options: ContentOptions = {}): number[] {
  if (typeof content === "string") return context.tokenizer.encode(content);
  requireChatTemplate(context);
  const { chat, ...open } = options;
  return context.tokenizer.encodeChat(content, { ...open, ...chat });
}

/** Messages as ids, and which of them (1) the assistant wrote. */
export function encodeWithAssistantMask(
  context: TokeniseContext,
  messages: Message[],
  chat?: ChatExtras,
): { ids: number[]; assistantMask: Uint8Array } {
  requireChatTemplate(context);
  return context.tokenizer.encodeChatWithMask(messages, { ...chat });
}

function requireChatTemplate({ tokenizer }: TokeniseContext): void {
  if (tokenizer.hasChatTemplate) return;
  throw new SparError("data/no-chat-template", "preparing data: they are conversations, and the tokenizer has no chat template", {
    hint: "set chat_template_path, start from a chat model, or give the data as text (prompt, completion)",
  });
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
