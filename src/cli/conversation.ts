/** What has been said in a chat, and its ids: through the chat template, or as one running text where there is none. */

import { fitConversation, joinTexts, type ChatMessage, type Tokenizer } from "../tokenizer/index.ts";

export interface Conversation {
  /** How many answers there have been since the start; /reset does not set it back. */
  turns(): number;
  /** Takes what the user says; returns the ids to be continued. Turns at the start are left out (for good) until they are `most` at most. */
  ask(text: string, most?: number): { ids: number[]; leftOut: number };
  answered(text: string): void;
  /** Takes the last question back. */
  takeBack(): void;
  reset(): void;
  /** Returns what to tell the user. */
  setSystem(text: string): string;
  /** As a row of a data set: `{messages}` or `{text}`. */
  row(): { messages: ChatMessage[] } | { text: string };
}

export function createConversation(tokenizer: Tokenizer, system?: string): Conversation {
  const start = (): ChatMessage[] => (system === undefined || system === "" ? [] : [{ role: "system", content: system }]);
  let messages = start();
  let turns = 0;
  return {
    turns: () => turns,
    ask(text, most = Infinity) {
      messages.push({ role: "user", content: text });
      const { ids, kept, leftOut } = fitConversation(tokenizer, messages, most);
      messages = kept;
      return { ids, leftOut };
    },
    answered(text) {
      messages.push({ role: "assistant", content: text });
      turns++;
    },
    takeBack: () => void messages.pop(),
    reset() {
      messages = start();
    },
    setSystem(text) {
      if (!tokenizer.hasChatTemplate) return "This model has no chat template, so there are no system messages.";
      system = text;
      messages = [...start(), ...messages.filter(({ role }) => role !== "system")];
      return text === "" ? "No system message." : "The system message is set.";
    },
    row: () => (tokenizer.hasChatTemplate ? { messages } : { text: joinTexts(messages) }),
  };
}
