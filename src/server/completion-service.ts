/** One model that answers requests: prompts to ids, rows of the running batch, and the limits of what may wait. */
import { randomInt } from "node:crypto";
import { SparError } from "../internal/errors.ts";
import type { Completion, GenerationSettings, LiveGenerator, LiveToken } from "../generation/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { ProtocolError } from "./openai-error.ts";
import type { ChatRequest, CompletionOptions, TextRequest } from "./parse-request.ts";

export interface ServedModel {
  /** What requests call it. */
  readonly id: string;
  readonly tokenizer: Tokenizer;
  readonly generator: LiveGenerator;
  /** What a request does not ask for. */
  readonly settings: GenerationSettings;
  readonly maxPositions: number;
}

export interface ServiceLimits {
  /** Rows that may wait for a place in the batch; beyond it requests are refused with 429. */
  readonly maxWaiting: number;
  /** Seconds that an answer may take. */
  readonly timeout: number;
}

/** A token, and the text that came with it: empty within a character and while a stop text may be coming. */
export interface Piece {
  readonly index: number;
  readonly text: string;
  /** Absent for the text that was held back until the end. */
  readonly token?: LiveToken;
}

export interface Answer {
  readonly index: number;
  readonly text: string;
  readonly pieces: readonly Piece[];
  readonly finishReason: "stop" | "length";
  readonly tokens: number;
}

export interface Answers {
  readonly promptTokens: number;
  /** In the order of the prompts, a prompt's candidates one after the other. */
  run(listeners?: { onPiece?: (piece: Piece) => void; onAnswer?: (answer: Answer) => void }): Promise<Answer[]>;
}

export interface CompletionService {
  readonly model: ServedModel;
  /** Throws `ProtocolError` for what cannot be answered; nothing has been computed then. */
  chat(request: ChatRequest, signal: AbortSignal): Answers;
  text(request: TextRequest, signal: AbortSignal): Answers;
}

export function createCompletionService(model: ServedModel, { maxWaiting, timeout }: ServiceLimits): CompletionService {
  const { tokenizer, generator } = model;
  /** Rows that have been let in and are not done. */
  let rows = 0;

  const prepare = (prompts: readonly number[][], request: CompletionOptions, signal: AbortSignal, maxNewTokens: number): Answers => {
    if (request.model !== undefined && request.model !== model.id)
      throw new ProtocolError(404, `there is no model ${JSON.stringify(request.model)} here; this server has ${JSON.stringify(model.id)}`, {
        param: "model",
        code: "model_not_found",
      });
    for (const ids of prompts) wrapPromptErrors(() => generator.check(ids));
    const count = prompts.length * request.n;
    const { active, waiting } = generator.load();
    // The first of many is let in however large it is, else it could never be.
    if (rows > 0 && Math.max(rows - active, waiting) + count > maxWaiting)
      throw new ProtocolError(429, `${waiting} completions are waiting already; expected at most ${maxWaiting}`, {
        code: "queue_full",
        retryAfter: 2,
      });
    const settings = { ...model.settings, maxNewTokens, seed: randomInt(2 ** 32), ...request.settings };
    return {
      promptTokens: prompts.reduce((sum, ids) => sum + ids.length, 0),
      async run(listeners = {}) {
        const limit = AbortSignal.timeout(timeout * 1000);
        const stopped = new AbortController();
        const signals = AbortSignal.any([signal, limit, stopped.signal]);
        rows += count;
        try {
          const work = prompts.flatMap((promptIds, prompt) =>
            Array.from({ length: request.n }, (_, candidate) =>
              answer({ promptIds, candidate, settings, signal: signals, top: request.top }, prompt * request.n + candidate, listeners),
            ),
          );
          const answers = await Promise.all(work).catch(async (error: unknown) => {
            stopped.abort();
            await Promise.allSettled(work);
            throw error;
          });
          return answers;
        } catch (error) {
          if (limit.aborted && !signal.aborted)
            throw new ProtocolError(504, `the answer took longer than ${timeout} s`, { code: "timeout" });
          throw error;
        } finally {
          rows -= count;
        }
      },
    };
  };

  const answer = async (
    row: { promptIds: readonly number[]; candidate: number; settings: GenerationSettings; signal: AbortSignal; top: number | undefined },
    index: number,
    { onPiece, onAnswer }: { onPiece?: (piece: Piece) => void; onAnswer?: (answer: Answer) => void },
  ): Promise<Answer> => {
    let text = "";
    const pieces: Piece[] = [];
    const add = (token?: LiveToken): void => {
      const piece = { index, text, ...(token === undefined ? {} : { token }) };
      text = "";
      pieces.push(piece);
      onPiece?.(piece);
    };
    const completion: Completion = await generator.generate({
      ...row,
      top: row.top ?? 0,
      onText: (more) => {
        text += more;
      },
      onToken: add,
    });
    if (completion.finishReason === "aborted") throw row.signal.reason ?? new SparError("generation/closed", "the server is closing");
    if (text !== "") add();
    const result: Answer = {
      index,
      text: completion.text ?? "",
      pieces,
      finishReason: completion.finishReason,
      tokens: completion.ids.length,
    };
    onAnswer?.(result);
    return result;
  };

  return {
    model,
    chat(request, signal) {
      if (!tokenizer.hasChatTemplate)
        throw new ProtocolError(400, `${model.id} has no chat template; POST /v1/completions continues plain text`, {
          code: "no_chat_template",
        });
      const ids = wrapPromptErrors(() => tokenizer.encodeChat(request.messages, { addGenerationPrompt: true }));
      return prepare([ids], request, signal, request.settings.maxNewTokens ?? model.settings.maxNewTokens);
    },
    text(request, signal) {
      const prompts = request.prompts.map((prompt) => (typeof prompt === "string" ? tokenizer.encode(prompt) : [...prompt]));
      return prepare(prompts, request, signal, request.settings.maxNewTokens ?? model.settings.maxNewTokens);
    },
  };
}

/** What a client sent that the model cannot take is the client's to change. */
function wrapPromptErrors<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof SparError)) throw error;
    const code = error.code === "generation/prompt-too-long" ? "context_length_exceeded" : error.code;
    throw new ProtocolError(400, error.message, { code });
  }
}
