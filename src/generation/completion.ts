/** A row on its way: its ids, its text, and when it ends. */
import type { IncrementalDecoder, Tokenizer } from "../tokenizer/index.ts";
import type { GenerationSettings } from "./settings.ts";
import { createStopTexts, type StopTexts } from "./stop-texts.ts";

/** `stop`: an end token or a stop text; `length`: as many tokens as allowed; `aborted`: by the caller's signal. */
export type FinishReason = "stop" | "length" | "aborted";

export interface Completion {
  /** The index of its request, and which of the request's candidates it is. */
  readonly request: number;
  readonly candidate: number;
  /** The end token included. */
  readonly ids: readonly number[];
  /** Of each id, under logits ÷ temperature (1 where greedy), before penalty and filters. */
  readonly logprobs: readonly number[];
  /** [C] each: the hidden state that each id was drawn from; only where asked for. */
  readonly states?: readonly Float32Array[];
  /** What follows the prompt's text, without special tokens and stop text; undefined without a tokenizer. */
  readonly text: string | undefined;
  readonly finishReason: FinishReason;
}

export interface CompletionRow {
  readonly request: number;
  readonly candidate: number;
  readonly promptIds: ArrayLike<number>;
  readonly ids: number[];
  readonly limit: number;
  readonly settings: GenerationSettings;
  readonly top: number;
  /** Takes a token (and the state it was drawn from); true where the row ends with it. */
  push(id: number, logprob: number, state?: Float32Array): boolean;
  finish(reason?: FinishReason): Completion;
}

export interface RowOptions {
  readonly request: number;
  readonly candidate: number;
  readonly promptIds: ArrayLike<number>;
  /** The most new tokens. */
  readonly limit: number;
  readonly settings: GenerationSettings;
  readonly tokenizer: Tokenizer | undefined;
  readonly onText: ((text: string, row: { request: number; candidate: number }) => void) | undefined;
  /** The likeliest tokens that are wanted at each position; default 0. */
  readonly top?: number;
}

export function createRow(options: RowOptions): CompletionRow {
  const { request, candidate, promptIds, limit, settings, tokenizer, onText, top = 0 } = options;
  const ids: number[] = [];
  const logprobs: number[] = [];
  const states: Float32Array[] = [];
  let text = "";
  let reason: FinishReason = "length";
  let isTextOver = false;
  const stops: StopTexts = createStopTexts(settings.stopTexts);
  // Primed with the prompt: what a decoder strips or adds at a text's start belongs there, not to the completion.
  const decoder: IncrementalDecoder | undefined = tokenizer?.createIncrementalDecoder({ skipSpecialTokens: true });
  for (let i = 0; i < promptIds.length; i++) decoder?.push(promptIds[i]);
  const show = (piece: string): void => {
    text += piece;
    if (piece !== "") onText?.(piece, { request, candidate });
  };
  const take = (piece: string): boolean => {
    const shown = stops.push(piece);
    show(shown.text);
    return shown.stopped;
  };
  return {
    request,
    candidate,
    promptIds,
    ids,
    limit,
    settings,
    top,
    push(id, logprob, state) {
      ids.push(id);
      logprobs.push(logprob);
      if (state !== undefined) states.push(state);
      if (decoder !== undefined) isTextOver = take(decoder.push(id));
      if (isTextOver || settings.stopIds.includes(id)) reason = "stop";
      return reason === "stop" || ids.length >= limit;
    },
    finish(given) {
      if (decoder !== undefined && !isTextOver && !take(decoder.flush())) show(stops.flush());
      const shown = decoder === undefined ? undefined : text;
      return { request, candidate, ids, logprobs, ...(states.length > 0 ? { states } : {}), text: shown, finishReason: given ?? reason };
    },
  };
}

/** What a repetition penalty counts: the prompt's ids too. */
export function* seenBy(row: CompletionRow): Iterable<number> {
  for (let i = 0; i < row.promptIds.length; i++) yield row.promptIds[i];
  yield* row.ids;
}
