/** A conversation as the page keeps it: what was asked, and one or two answers to each question. */
import type { TalkMessage, TokenPiece } from "../../../../src/server/ui/chat/protocol.ts";

export type AnswerState = "waiting" | "loading" | "streaming" | "done" | "stopped" | "failed";

export interface Answer {
  readonly model: string;
  readonly modelName: string;
  readonly state: AnswerState;
  readonly text: string;
  /** Empty where the text was edited, or loaded from a file. */
  readonly pieces: readonly TokenPiece[];
  /** Undefined until the model is known to have a chat template or not. */
  readonly mode?: "chat" | "text" | undefined;
  readonly seed: number;
  readonly finishReason?: "stop" | "length" | undefined;
  readonly tokens?: number | undefined;
  readonly seconds?: number | undefined;
  /** Turns that the model did not see any more. */
  readonly leftOut?: number | undefined;
  readonly isEdited?: boolean | undefined;
  readonly error?: { readonly message: string; readonly hint?: string | undefined } | undefined;
}

export type PreferenceChoice = "left" | "right" | "tie" | "both_bad";

export interface Preference {
  readonly id: string;
  readonly choice: PreferenceChoice;
  readonly state: "saving" | "saved" | "failed";
  readonly message?: string | undefined;
}

export interface Exchange {
  readonly id: string;
  readonly user: string;
  readonly answers: readonly Answer[];
  /** Which of the answers the conversation goes on from. */
  readonly kept: number;
  /** When the last answer was there: performance of this page's clock, ms. */
  readonly answeredAt?: number | undefined;
  readonly preference?: Preference | undefined;
}

export interface Conversation {
  readonly system: string;
  readonly exchanges: readonly Exchange[];
}

export const emptyConversation: Conversation = { system: "", exchanges: [] };

/** What a model is asked at exchange `index`: everything before it, and its question. */
export function listMessages({ system, exchanges }: Conversation, index: number): TalkMessage[] {
  const messages: TalkMessage[] = system === "" ? [] : [{ role: "system", content: system }];
  for (const { user, answers, kept } of exchanges.slice(0, index)) {
    messages.push({ role: "user", content: user });
    const answer = answers[kept];
    if (answer !== undefined) messages.push({ role: "assistant", content: answer.text });
  }
  const asked = exchanges[index];
  return asked === undefined ? messages : [...messages, { role: "user", content: asked.user }];
}

/** Tokens and what was beside them are large; older answers keep their texts only. */
export function shrink(conversation: Conversation, fullExchanges = 2): Conversation {
  const from = conversation.exchanges.length - fullExchanges;
  return {
    ...conversation,
    exchanges: conversation.exchanges.map((exchange, i) =>
      i >= from ? exchange : { ...exchange, answers: exchange.answers.map((answer) => ({ ...answer, pieces: [] })) },
    ),
  };
}

/** The file of "Save": the conversation, and its messages as a row that can be trained on. */
export function formatConversation(conversation: Conversation): string {
  const messages = listMessages(conversation, conversation.exchanges.length);
  const whole = shrink(conversation, 0);
  return `${JSON.stringify({ format: "spar-chat", version: 1, messages, ...whole }, undefined, 2)}\n`;
}

/** A saved conversation, or a row `{messages}` or `{text}` as `spar chat` saves them. Throws Error that says what was found. */
export function parseConversation(text: string): Conversation {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("The file is not JSON.");
  }
  const row = (typeof value === "object" && value !== null ? value : {}) as { readonly [key: string]: unknown };
  if (row["format"] === "spar-chat" && Array.isArray(row["exchanges"])) return readSaved(row);
  if (Array.isArray(row["messages"])) return readMessages(row["messages"]);
  if (typeof row["text"] === "string") return { system: "", exchanges: [makeExchange(row["text"], [])] };
  throw new Error("Expected a conversation saved here, or a row {messages} or {text}.");
}

export function makeExchange(user: string, answers: readonly Answer[]): Exchange {
  return { id: crypto.randomUUID(), user, answers, kept: 0 };
}

function readSaved(row: { readonly [key: string]: unknown }): Conversation {
  const exchanges = (row["exchanges"] as readonly unknown[]).map((value): Exchange => {
    const { user, answers, kept } = (value ?? {}) as Partial<Exchange>;
    if (typeof user !== "string" || !Array.isArray(answers))
      throw new Error("The saved conversation is damaged: an exchange has no question.");
    const read = (answers as readonly Partial<Answer>[]).map(readAnswer);
    return { ...makeExchange(user, read), kept: kept === 1 && read.length === 2 ? 1 : 0 };
  });
  return { system: typeof row["system"] === "string" ? row["system"] : "", exchanges };
}

function readAnswer({ model, modelName, text, mode, seed, finishReason, tokens, seconds, isEdited }: Partial<Answer>): Answer {
  if (typeof text !== "string") throw new Error("The saved conversation is damaged: an answer has no text.");
  return {
    model: typeof model === "string" ? model : "",
    modelName: typeof modelName === "string" ? modelName : "from a file",
    state: "done",
    text,
    pieces: [],
    mode: mode === "chat" || mode === "text" ? mode : undefined,
    seed: typeof seed === "number" ? seed : 0,
    finishReason: finishReason === "stop" || finishReason === "length" ? finishReason : undefined,
    tokens: typeof tokens === "number" ? tokens : undefined,
    seconds: typeof seconds === "number" ? seconds : undefined,
    isEdited: isEdited === true,
  };
}

function readMessages(messages: readonly unknown[]): Conversation {
  let system = "";
  const exchanges: Exchange[] = [];
  for (const value of messages) {
    const { role, content } = (value ?? {}) as { role?: unknown; content?: unknown };
    if (typeof content !== "string") throw new Error("messages: expected texts in content.");
    if (role === "system" && exchanges.length === 0) system = content;
    else if (role === "assistant" && exchanges.length > 0) {
      const last = exchanges[exchanges.length - 1];
      const answer = readAnswer({ text: content });
      exchanges[exchanges.length - 1] = { ...last, answers: [answer] };
    } else exchanges.push(makeExchange(content, []));
  }
  return { system, exchanges };
}
