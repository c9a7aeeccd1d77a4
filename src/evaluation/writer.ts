/** A model that is loaded to answer, or to say how probable the answers of others are. */
import { createTokeniseContext, tokenisePrompt, type Content, type Message } from "../data/index.ts";
import { createGenerator, createScorer, type GenerationSettings } from "../generation/index.ts";
import { SparError } from "../internal/errors.ts";
import { freeModel, loadModel } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { loadTokenizer, type ChatMessage, type Tokenizer } from "../tokenizer/index.ts";

export interface WrittenAnswer {
  readonly promptIds: readonly number[];
  readonly text: string;
  /** The end token included. */
  readonly ids: readonly number[];
  /** Σ log p of the ids under the model's logits ÷ temperature, in nats. */
  readonly logprob: number;
  /** It was ended by the limit of tokens. */
  readonly cut: boolean;
}

export type AskedPrompt = string | readonly ChatMessage[];

export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Which prompts these are, for random numbers that do not depend on grouping; default 0, 1, 2 … */
  readonly indices?: readonly number[];
}

export interface Writer {
  readonly tokenizer: Tokenizer;
  /** What the model's generation_config.json and the user's settings make together. */
  readonly settings: GenerationSettings;
  /** Answers in the order of the prompts. Throws `data/bad-rows`: every prompt that the model cannot take. */
  write(prompts: readonly AskedPrompt[], changes?: Partial<GenerationSettings>, options?: WriteOptions): Promise<WrittenAnswer[]>;
  /** Whether a prompt leaves room for an answer. */
  fits(prompt: AskedPrompt): boolean;
  /** Σ log p of each row's ids from `from` on, at temperature 1. */
  logprobs(rows: readonly { readonly ids: readonly number[]; readonly from: number }[]): Promise<number[]>;
}

export interface WriterSource {
  /** For messages. */
  readonly name: string;
  readonly folder: string;
  readonly settingsOf: (
    model: { readonly folder: string; readonly raw: { readonly [key: string]: unknown } },
    tokenizer: Tokenizer,
  ) => Promise<GenerationSettings>;
}

/** Loads the model, hands it to `body`, frees it. */
export async function withWriter<T>(
  { name, folder, settingsOf }: WriterSource,
  backend: Backend,
  batchSize: number,
  body: (writer: Writer) => Promise<T>,
): Promise<T> {
  const tokenizer = await loadTokenizer(folder);
  const model = await loadModel(folder, backend, { head: "lm" });
  try {
    const settings = await settingsOf({ folder, raw: model.config.raw }, tokenizer);
    const generator = createGenerator(model, backend, { maxBatch: batchSize, tokenizer });
    const scorer = createScorer(model, backend, { maxRows: batchSize });
    const context = createTokeniseContext(tokenizer);
    const encode = (prompt: AskedPrompt): number[] => {
      const ids = tokenisePrompt({ kind: "prompt", prompt: toContent(prompt) }, context);
      generator.check(ids);
      return ids;
    };
    try {
      return await body({
        tokenizer,
        settings,
        fits(prompt) {
          try {
            encode(prompt);
            return true;
          } catch (error) {
            if (error instanceof SparError && error.code === "generation/prompt-too-long") return false;
            throw error;
          }
        },
        async write(prompts, changes = {}, { signal, onProgress, indices } = {}) {
          const promptIds = checkAll(name, prompts, encode);
          let done = 0;
          const completions = await generator.generate(
            promptIds.map((ids, i) => ({ promptIds: ids, promptIndex: indices?.[i] ?? i })),
            { ...settings, ...changes },
            { ...(signal === undefined ? {} : { signal }), onCompletion: () => onProgress?.(++done, prompts.length) },
          );
          signal?.throwIfAborted();
          return completions.map(({ ids, logprobs, text, finishReason }, i) => ({
            promptIds: promptIds[i],
            text: text ?? "",
            ids,
            logprob: logprobs.reduce((sum, value) => sum + value, 0),
            cut: finishReason === "length",
          }));
        },
        async logprobs(rows) {
          const scored = await scorer.logprobs(rows);
          return scored.map(({ logprobs }) => logprobs.reduce((sum, value) => sum + value, 0));
        },
      });
    } finally {
      generator.release();
      scorer.release();
    }
  } finally {
    freeModel(model);
  }
}

function toContent(prompt: AskedPrompt): Content {
  return typeof prompt === "string" ? prompt : prompt.map((message) => message as Message);
}

const listed = 50;

function checkAll<T, R>(name: string, items: readonly T[], convert: (item: T) => R): R[] {
  const problems: string[] = [];
  const results = items.map((item, i) => {
    try {
      return convert(item);
    } catch (error) {
      if (!(error instanceof SparError)) throw error;
      problems.push(`  prompt ${i + 1}: ${error.message}`);
      return undefined;
    }
  });
  if (problems.length > 0) {
    const more = problems.length > listed ? [`  … and ${problems.length - listed} more`] : [];
    throw new SparError(
      "data/bad-rows",
      [`${name} cannot take ${problems.length} of ${items.length} prompts`, ...problems.slice(0, listed), ...more].join("\n"),
    );
  }
  return results as R[];
}

/** Whether two tokenizers give every id the same text. */
export function sameVocabulary(a: Tokenizer, b: Tokenizer): boolean {
  if (a.vocabSize !== b.vocabSize) return false;
  for (let id = 0; id < a.vocabSize; id++) if (a.idToToken(id) !== b.idToToken(id)) return false;
  return true;
}
