/** A conversation as ids that leave room for an answer. */
import type { ChatMessage } from "./chat-template.ts";
import type { Tokenizer } from "./hugging-face.ts";

export interface FittedConversation {
  readonly ids: number[];
  readonly kept: ChatMessage[];
  /** Turns at the start that are not in `kept`. */
  readonly leftOut: number;
}

/**
 * Through the chat template, or as one running text where there is none. The oldest turns are left out until `most` ids are left;
 * system messages stay. Where the last message alone is too long, nothing is left out: it is not ours to cut, and no reason to forget
 * the others.
 */
export function fitConversation(
  tokenizer: Pick<Tokenizer, "hasChatTemplate" | "encode" | "encodeChat">,
  messages: readonly ChatMessage[],
  most: number,
): FittedConversation {
  const encode = (some: readonly ChatMessage[]): number[] =>
    tokenizer.hasChatTemplate ? tokenizer.encodeChat(some, { addGenerationPrompt: true }) : tokenizer.encode(joinTexts(some));
  const whole = encode(messages);
  const kept = [...messages];
  for (let [leftOut, ids] = [0, whole]; ; ids = encode(kept)) {
    if (ids.length <= most) return { ids, kept, leftOut };
    const first = kept.findIndex(({ role }) => role !== "system");
    if (first === kept.length - 1) return { ids: whole, kept: [...messages], leftOut: 0 };
    const next = kept.findIndex(({ role }, i) => i > first && role === "user");
    kept.splice(first, (next === -1 ? kept.length - 1 : next) - first);
    leftOut++;
  }
}

export function joinTexts(messages: readonly ChatMessage[]): string {
  return messages.map(({ content }) => String(content)).join("");
}
