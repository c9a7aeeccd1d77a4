/** Answers as the objects of OpenAI's protocol, whole and in chunks. */
import type { Tokenizer } from "../tokenizer/index.ts";
import type { Answer, Piece } from "./completion-service.ts";

/** What every object of one response begins with. */
export interface Envelope {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

export interface AnswerFormat {
  whole(answers: readonly Answer[], usage: object): object;
  /** Before the first piece of a candidate; undefined where the protocol has none. */
  opening(index: number): object | undefined;
  piece(piece: Piece): object;
  closing(answer: Answer): object;
  /** The last chunk, where it was asked for. */
  usage(usage: object): object;
}

export function formatUsage(promptTokens: number, answers: readonly Answer[]): object {
  const completionTokens = answers.reduce((sum, { tokens }) => sum + tokens, 0);
  return { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens };
}

export function createChatFormat({ id, created, model }: Envelope, tokenizer: Tokenizer, wantsLogprobs: boolean): AnswerFormat {
  const chunk = (choices: object[], usage?: object): object => ({
    id,
    object: "chat.completion.chunk",
    created,
    model,
    choices,
    ...(usage === undefined ? {} : { usage }),
  });
  const tokens = (pieces: readonly Piece[]): object | null =>
    wantsLogprobs ? { content: pieces.flatMap((piece) => formatToken(piece, tokenizer)), refusal: null } : null;
  return {
    whole: (answers, usage) => ({
      id,
      object: "chat.completion",
      created,
      model,
      choices: answers.map(({ index, text, pieces, finishReason }) => ({
        index,
        message: { role: "assistant", content: text, refusal: null },
        logprobs: tokens(pieces),
        finish_reason: finishReason,
      })),
      usage,
    }),
    opening: (index) => chunk([{ index, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }]),
    piece: (piece) => chunk([{ index: piece.index, delta: { content: piece.text }, logprobs: tokens([piece]), finish_reason: null }]),
    closing: ({ index, finishReason }) => chunk([{ index, delta: {}, logprobs: null, finish_reason: finishReason }]),
    usage: (usage) => chunk([], usage),
  };
}

export function createTextFormat({ id, created, model }: Envelope, tokenizer: Tokenizer, wantsLogprobs: boolean): AnswerFormat {
  const body = (choices: object[], usage?: object): object => ({
    id,
    object: "text_completion",
    created,
    model,
    choices,
    ...(usage === undefined ? {} : { usage }),
  });
  /** Where each candidate's text has got to. */
  const offsets = new Map<number, number>();
  const tokens = (pieces: readonly Piece[]): object | null => (wantsLogprobs ? formatLegacyTokens(pieces, tokenizer, offsets) : null);
  return {
    whole: (answers, usage) =>
      body(
        answers.map(({ index, text, pieces, finishReason }) => ({ index, text, logprobs: tokens(pieces), finish_reason: finishReason })),
        usage,
      ),
    opening: () => undefined,
    piece: (piece) => body([{ index: piece.index, text: piece.text, logprobs: tokens([piece]), finish_reason: null }]),
    closing: ({ index, finishReason }) => body([{ index, text: "", logprobs: null, finish_reason: finishReason }]),
    usage: (usage) => body([], usage),
  };
}

/** The text of a single id; `bytes` is null for a part of a character. */
export function describeToken(
  id: number,
  logprob: number,
  tokenizer: Tokenizer,
): { token: string; logprob: number; bytes: number[] | null } {
  // A second time, since some decoders strip the space at the start of a text.
  const token = tokenizer.decode([id, id]).slice(tokenizer.decode([id]).length);
  // JSON has no infinities, which a probability that rounds to zero gives.
  return { token, logprob: Math.max(logprob, -9999), bytes: token.includes("\ufffd") ? null : [...Buffer.from(token)] };
}

/** Nothing for the end token, which the text does not hold, and for text without a token of its own. */
function formatToken({ token }: Piece, tokenizer: Tokenizer): object[] {
  if (token === undefined || token.ends) return [];
  const top = token.top.map(({ id, logprob }) => describeToken(id, logprob, tokenizer));
  return [{ ...describeToken(token.id, token.logprob, tokenizer), top_logprobs: top }];
}

function formatLegacyTokens(pieces: readonly Piece[], tokenizer: Tokenizer, offsets: Map<number, number>): object {
  const shown = pieces.flatMap(({ token }) => (token === undefined || token.ends ? [] : [token]));
  const texts = shown.map(({ id, logprob }) => describeToken(id, logprob, tokenizer));
  const index = pieces[0]?.index ?? 0;
  const places = texts.map(({ token }) => {
    const at = offsets.get(index) ?? 0;
    offsets.set(index, at + token.length);
    return at;
  });
  const tops = shown.map(({ top }) =>
    Object.fromEntries(top.map(({ id, logprob }) => describeToken(id, logprob, tokenizer)).map(({ token, logprob }) => [token, logprob])),
  );
  return {
    tokens: texts.map(({ token }) => token),
    token_logprobs: texts.map(({ logprob }) => logprob),
    top_logprobs: shown.some(({ top }) => top.length > 0) ? tops : null,
    text_offset: places,
  };
}
