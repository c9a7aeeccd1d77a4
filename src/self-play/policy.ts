/** A model opened for sampling and judging, and what it answers. */
import { createTokeniseContext, tokenisePrompt, type Content } from "../data/index.ts";
import { createGenerator, endTokens } from "../generation/index.ts";
import { freeModel, loadModel, type LanguageModel } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizer/index.ts";

export interface Policy {
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  readonly backend: Backend;
  /** What ends its answers. */
  readonly stopIds: readonly number[];
  release(): void;
}

export interface Answer {
  readonly text: string;
  /** The end token included. */
  readonly tokens: number;
}

export interface AnswerSettings {
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly batchSize: number;
  /** Answers to each prompt. */
  readonly count: number;
}

export async function openPolicy(folder: string, backend: Backend): Promise<Policy> {
  const tokenizer = await loadTokenizer(folder);
  const model = await loadModel(folder, backend, { head: "lm" });
  const stopIds = [...new Set([...endTokens(model.config.raw), ...(tokenizer.eosId === undefined ? [] : [tokenizer.eosId])])];
  return { model, tokenizer, backend, stopIds, release: () => freeModel(model) };
}

/** Ids of a prompt as generation needs them: text as it is, messages with the assistant's turn opened. */
export function createPromptEncoder(tokenizer: Tokenizer): (prompt: Content) => number[] {
  const context = createTokeniseContext(tokenizer);
  return (prompt) => tokenisePrompt({ kind: "prompt", prompt }, context);
}

/** `count` answers to each prompt. Random numbers depend on the seed and on a prompt's number: `first` is that of the first prompt. */
export async function sampleAnswers(
  policy: Policy,
  prompts: readonly Content[],
  settings: AnswerSettings,
  {
    first = 0,
    signal,
    onAnswer,
    stopTexts = [],
  }: {
    readonly first?: number;
    readonly signal?: AbortSignal;
    readonly onAnswer?: () => void;
    readonly stopTexts?: readonly string[];
  } = {},
): Promise<Answer[][]> {
  const { model, tokenizer, backend, stopIds } = policy;
  const { temperature, topP, topK, maxNewTokens, seed, batchSize, count } = settings;
  const encode = createPromptEncoder(tokenizer);
  const generator = createGenerator(model, backend, { maxBatch: batchSize, tokenizer });
  try {
    const completions = await generator.generate(
      prompts.map((prompt, i) => ({ promptIds: encode(prompt), candidates: count, promptIndex: first + i })),
      { temperature, topP, topK, maxNewTokens, seed, stopIds, stopTexts },
      { ...(signal && { signal }), ...(onAnswer && { onCompletion: onAnswer }) },
    );
    signal?.throwIfAborted();
    const answers = prompts.map((): Answer[] => []);
    for (const { request, text = "", ids } of completions) answers[request].push({ text, tokens: ids.length });
    return answers;
  } finally {
    generator.release();
  }
}

/** An answer as the other half of its prompt: text after text, a message after messages. */
export function toCompletion(prompt: Content, text: string): Content {
  return typeof prompt === "string" ? text : [{ role: "assistant", content: text }];
}
