/** The conversation on the page, and what is done to it: asking, stopping, editing, preferring. Kept in this browser. */
import { batch, computed, signal } from "@preact/signals";
import type { ModelEntry, PreferenceAnswer, StreamEvent, TokenPiece } from "../../../../src/server/ui/chat/protocol.ts";
import { api, ApiError } from "../../api.ts";
import { readStored, writeStored } from "../../stored.ts";
import {
  emptyConversation,
  listMessages,
  makeExchange,
  shrink,
  type Answer,
  type Conversation,
  type Exchange,
  type Preference,
  type PreferenceChoice,
} from "./conversation.ts";
import { readEvents } from "./read-events.ts";
import { nextSeed, sampling } from "./sampling-store.ts";

const keys = { conversation: "spar.chat.conversation", chosen: "spar.chat.models", draft: "spar.chat.draft" };

const stored = readStored<Conversation>(keys.conversation);
/** What was running when the page was left has stopped. */
const settle = (answer: Answer): Answer => (isRunning(answer) ? { ...answer, state: "stopped" } : answer);
export const conversation = signal<Conversation>(
  stored === undefined
    ? emptyConversation
    : { ...stored, exchanges: stored.exchanges.map((exchange) => ({ ...exchange, answers: exchange.answers.map(settle) })) },
);

/** Ids of one or two models. */
export const chosenModels = signal<readonly string[]>(readStored<string[]>(keys.chosen) ?? []);
export const draft = signal(readStored<string>(keys.draft) ?? "");
export const models = signal<readonly ModelEntry[] | undefined>(undefined);
/** For who does not see the page. */
export const announcement = signal("");
export const lastPreference = signal<PreferenceAnswer | undefined>(undefined);

export const isBusy = computed(() => conversation.value.exchanges.some(({ answers }) => answers.some(isRunning)));

const running = new Map<string, AbortController>();

export function isRunning({ state }: Answer): boolean {
  return state === "waiting" || state === "loading" || state === "streaming";
}

export function chooseModels(ids: readonly string[]): void {
  chosenModels.value = ids;
  writeStored(keys.chosen, ids);
}

export function setDraft(text: string): void {
  draft.value = text;
  writeStored(keys.draft, text);
}

export function replaceConversation(next: Conversation): void {
  stop();
  conversation.value = next;
  save();
}

export function setSystem(system: string): void {
  conversation.value = { ...conversation.value, system };
  save();
}

/** Asks the chosen models; the conversation goes on. */
export function ask(text: string): void {
  const exchange = { ...makeExchange(text, []), id: crypto.randomUUID() };
  conversation.value = { ...conversation.value, exchanges: [...conversation.value.exchanges, exchange] };
  void generate(exchange.id, nextSeed());
}

/** Answers once more from this exchange on; what came later is gone. */
export function regenerate(id: string, user?: string): void {
  const { exchanges } = conversation.value;
  const index = exchanges.findIndex((exchange) => exchange.id === id);
  if (index === -1) return;
  stop();
  const asked = makeExchange(user ?? exchanges[index].user, []);
  conversation.value = { ...conversation.value, exchanges: [...exchanges.slice(0, index), asked] };
  void generate(asked.id, nextSeed());
}

export function editAnswer(id: string, side: number, text: string): void {
  changeAnswer(id, side, (answer) => ({ ...answer, text, pieces: [], isEdited: true, state: "done" }));
  changeExchange(id, (exchange) => ({ ...exchange, preference: undefined }));
  save();
}

export function keepAnswer(id: string, kept: number): void {
  changeExchange(id, (exchange) => ({ ...exchange, kept }));
  save();
}

export function stop(): void {
  for (const controller of running.values()) controller.abort();
}

async function generate(id: string, seed: number): Promise<void> {
  const known = models.value ?? [];
  const chosen = chosenModels.value.flatMap((model) => known.find((entry) => entry.id === model) ?? []);
  // A model beside itself would say the same twice.
  const seeds = chosen.map((model, i) => (i > 0 && model === chosen[0] ? (seed + 1_000_003) >>> 0 : seed));
  changeExchange(id, (exchange) => ({
    ...exchange,
    answers: seeds.map((one, i) => ({ model: chosen[i].id, modelName: chosen[i].name, state: "waiting", text: "", pieces: [], seed: one })),
  }));
  save();
  await Promise.all(chosen.map((model, side) => stream(id, side, model.id, seeds[side])));
  changeExchange(id, (exchange) => ({ ...exchange, answeredAt: performance.now() }));
  save();
}

async function stream(id: string, side: number, model: string, seed: number): Promise<void> {
  const controller = new AbortController();
  const name = `${id} ${side}`;
  running.set(name, controller);
  // Tokens come faster than a screen can show them: they are put in once a frame.
  let waiting: TokenPiece[] = [];
  let frame = 0;
  const flush = (): void => {
    cancelAnimationFrame(frame);
    frame = 0;
    const pieces = waiting;
    waiting = [];
    if (pieces.length === 0) return;
    const text = pieces.map((piece) => piece.text).join("");
    changeAnswer(id, side, (answer) => ({
      ...answer,
      state: "streaming",
      text: answer.text + text,
      pieces: [...answer.pieces, ...pieces],
    }));
  };
  const change = (edit: (answer: Answer) => Answer): void =>
    batch(() => {
      flush();
      changeAnswer(id, side, edit);
    });
  try {
    const index = conversation.value.exchanges.findIndex((exchange) => exchange.id === id);
    const messages = listMessages(conversation.value, index);
    const body = { model, messages, sampling: sampling.value, seed };
    for await (const event of readEvents<StreamEvent>("/chat/stream", body, controller.signal)) {
      if (event.type === "loading") change((answer) => ({ ...answer, state: "loading" }));
      else if (event.type === "start") change((answer) => ({ ...answer, state: "streaming", mode: event.mode, leftOut: event.leftOut }));
      else if (event.type === "piece") {
        waiting.push(event.piece);
        // A page that nobody sees gets no frames.
        if (document.hidden) flush();
        else if (frame === 0) frame = requestAnimationFrame(flush);
      } else if (event.type === "end")
        change((answer) => ({
          ...answer,
          state: "done",
          text: event.text,
          finishReason: event.finishReason,
          tokens: event.tokens,
          seconds: event.seconds,
        }));
      else change((answer) => ({ ...answer, state: "failed", error: { message: event.message, hint: event.hint } }));
    }
    change((answer) => (isRunning(answer) ? { ...answer, state: "failed", error: { message: "The answer broke off." } } : answer));
  } catch (error) {
    if (controller.signal.aborted) change((answer) => ({ ...answer, state: "stopped" }));
    else {
      const hint = error instanceof ApiError ? error.hint : undefined;
      const message = error instanceof Error ? error.message : String(error);
      change((answer) => ({ ...answer, state: "failed", error: { message, hint } }));
    }
  } finally {
    running.delete(name);
    announcement.value = describeEnd(id, side);
  }
}

function describeEnd(id: string, side: number): string {
  const answer = conversation.value.exchanges.find((exchange) => exchange.id === id)?.answers[side];
  if (answer === undefined) return "";
  if (answer.state === "failed") return `${answer.modelName} failed: ${answer.error?.message ?? ""}`;
  return `${answer.modelName}: ${answer.state === "stopped" ? "stopped, " : ""}${answer.text}`;
}

/** "Prefer this one" and what else may be said of two answers: on the server's disk before the page says so. */
export async function prefer(id: string, choice: PreferenceChoice): Promise<void> {
  const { exchanges } = conversation.value;
  const index = exchanges.findIndex((exchange) => exchange.id === id);
  const exchange = exchanges[index];
  if (exchange === undefined || exchange.answers.length !== 2) return;
  const before = exchange.preference;
  if (before?.state === "saving" || (before?.state === "saved" && before.choice === choice)) return;
  const said: Preference = { id: crypto.randomUUID(), choice, state: "saving" };
  const kept = choice === "left" ? 0 : choice === "right" ? 1 : exchange.kept;
  changeExchange(id, (one) => ({ ...one, preference: said, kept }));
  const revises = before?.state === "saved" ? { revises: before.id } : {};
  try {
    const answer = await api.post<PreferenceAnswer>("/chat/preferences", {
      id: said.id,
      messages: listMessages(conversation.value, index),
      form: exchange.answers.some(({ mode }) => mode === "chat") ? "messages" : "text",
      answers: exchange.answers.map(({ model, text }) => ({ model, text })),
      choice,
      milliseconds: Math.max(0, performance.now() - (exchange.answeredAt ?? performance.now())),
      ...revises,
    });
    lastPreference.value = answer;
    announcement.value = "Preference saved.";
    changeExchange(id, (one) => ({ ...one, preference: { ...said, state: "saved" } }));
  } catch (error) {
    const message = error instanceof ApiError ? [error.message, error.hint].filter(Boolean).join(". ") : String(error);
    // What was saved before is still what counts.
    const fallback =
      before?.state === "saved" ? { ...before, message: `Not changed: ${message}` } : { ...said, state: "failed" as const, message };
    changeExchange(id, (one) => ({ ...one, preference: fallback }));
    announcement.value = message;
  }
  save();
}

function changeExchange(id: string, edit: (exchange: Exchange) => Exchange): void {
  const { exchanges } = conversation.value;
  conversation.value = {
    ...conversation.value,
    exchanges: exchanges.map((exchange) => (exchange.id === id ? edit(exchange) : exchange)),
  };
}

function changeAnswer(id: string, side: number, edit: (answer: Answer) => Answer): void {
  changeExchange(id, (exchange) => ({
    ...exchange,
    answers: exchange.answers.map((answer, i) => (i === side ? edit(answer) : answer)),
  }));
}

function save(): void {
  writeStored(keys.conversation, shrink(conversation.value));
}
