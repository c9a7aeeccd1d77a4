/** Completions of prompts: prefill, then steps of a batch whose finished rows make room for waiting ones. */
import { SparError } from "../internal/errors.ts";
import { uniformAt } from "../internal/rng.ts";
import { countParameters, type LanguageModel } from "../models/index.ts";
import { bucketRows, type Backend, type DeviceBuffer } from "../runtime/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { bucketBatch, bucketCapacity, groupPrompts, isTimeToAdmit, shrinkBatch } from "./batch-plan.ts";
import { createRow, type Completion, type CompletionRow } from "./completion.ts";
import { createEngine, type Engine } from "./engine.ts";
import { copyRow } from "./kv-cache.ts";
import { defaultSettings, type GenerationSettings } from "./settings.ts";

export interface GenerationRequest {
  readonly promptIds: ArrayLike<number>;
  /** Completions of this prompt; default 1. */
  readonly candidates?: number;
  /** Counts in the row's random numbers; default: the request's index. */
  readonly promptIndex?: number;
  /** Of the request's first candidate; default 0. */
  readonly firstCandidate?: number;
}

export interface GenerateOptions {
  /** Text of a row as it comes, never half a character; needs the generator's tokenizer. */
  readonly onText?: (text: string, row: { request: number; candidate: number }) => void;
  /** Each completion when it is done, in any order. */
  readonly onCompletion?: (completion: Completion) => void;
  /** Ends all rows where they are, with `aborted`. */
  readonly signal?: AbortSignal;
}

export interface GeneratorOptions {
  /** Rows decoded at the same time at most; default 32. */
  readonly maxBatch?: number;
  /** For texts, stop texts and streaming. */
  readonly tokenizer?: Tokenizer;
}

export interface Generator {
  /**
   * Completions in the order of the requests, a request's candidates one after the other. One call at a time.
   * Throws `generation/empty-prompt`, `generation/prompt-too-long`, `generation/bad-token`, `generation/not-a-number`.
   */
  generate(
    requests: readonly GenerationRequest[],
    settings?: Partial<GenerationSettings>,
    options?: GenerateOptions,
  ): Promise<Completion[]>;
  /** Throws what `generate` would about a prompt that it cannot complete. */
  check(promptIds: ArrayLike<number>): void;
  /** To be called when the model's weights have changed, or will: gives back the memory that holds what was packed of them. */
  refresh(): void;
  release(): void;
}

/**
 * The model stays the caller's; it must outlive the generator.
 * Throws `generation/no-lm-head` and `generation/head-size` for models that cannot generate.
 */
export function createGenerator(model: LanguageModel, backend: Backend, { maxBatch = 32, tokenizer }: GeneratorOptions = {}): Generator {
  if (model.head !== "lm")
    throw new SparError("generation/no-lm-head", "createGenerator: expected a language model, got a model with a score head");
  const { headDim } = model.config;
  // ONNX Runtime's GroupQueryAttention asks for it, and would say so only in the first step.
  if (headDim % 8 !== 0) {
    throw new SparError("generation/head-size", `createGenerator: expected attention heads of a multiple of 8 numbers, got ${headDim}`, {
      hint: "choose hidden_size ÷ num_attention_heads (or head_dim) as a multiple of 8",
    });
  }
  const engine = createEngine(model, backend);
  let busy = false;
  return {
    async generate(requests, asked = {}, options = {}) {
      if (busy) throw new SparError("generation/busy", "generate: expected the last call to have ended; await it before the next");
      const settings = { ...defaultSettings, ...asked };
      if (settings.stopTexts.length > 0 && tokenizer === undefined)
        throw new SparError("generation/no-tokenizer", "generate: stop texts need a generator with a tokenizer");
      busy = true;
      try {
        return await runBatch(model, engine, createRows(model, requests, settings, tokenizer, options), {
          settings,
          maxBatch,
          requests,
          options,
        });
      } finally {
        busy = false;
      }
    },
    check: (promptIds) => checkPrompt(promptIds, model, "the prompt"),
    refresh: () => engine.refresh(),
    release: () => engine.release(),
  };
}

function createRows(
  model: LanguageModel,
  requests: readonly GenerationRequest[],
  settings: GenerationSettings,
  tokenizer: Tokenizer | undefined,
  { onText }: GenerateOptions,
): CompletionRow[] {
  return requests.flatMap(({ promptIds, candidates = 1 }, request) => {
    checkPrompt(promptIds, model, `prompt ${request + 1}`);
    const limit = Math.min(settings.maxNewTokens, model.config.maxPositions - promptIds.length);
    return Array.from({ length: candidates }, (_, candidate) =>
      createRow({ request, candidate, promptIds, limit, settings, tokenizer, onText }),
    );
  });
}

function checkPrompt(ids: ArrayLike<number>, { config: { maxPositions, vocabSize } }: LanguageModel, name: string): void {
  const { length } = ids;
  if (length === 0)
    throw new SparError("generation/empty-prompt", `${name} has no tokens`, {
      hint: "give at least one token, such as the model's first (BOS)",
    });
  if (length >= maxPositions)
    throw new SparError(
      "generation/prompt-too-long",
      `${name} has ${length} tokens; expected fewer than the model's ${maxPositions} positions`,
      { hint: "shorten the prompt" },
    );
  for (let i = 0; i < length; i++) {
    if (!(ids[i] >= 0 && ids[i] < vocabSize))
      throw new SparError("generation/bad-token", `${name} holds token ${ids[i]}; expected ids from 0 to ${vocabSize - 1}`);
  }
}

interface Run {
  readonly settings: GenerationSettings;
  readonly maxBatch: number;
  readonly requests: readonly GenerationRequest[];
  readonly options: GenerateOptions;
}

async function runBatch(
  model: LanguageModel,
  engine: Engine,
  rows: readonly CompletionRow[],
  { settings, maxBatch, requests, options }: Run,
): Promise<Completion[]> {
  if (rows.length === 0) return [];
  const { config } = model;
  const parameters = countParameters(model);
  const finished = new Map<CompletionRow, Completion>();
  const capacity = bucketCapacity(Math.max(...rows.map((row) => row.promptIds.length + row.limit)), config.maxPositions);
  let batch = bucketBatch(rows.length, maxBatch);
  let cache = engine.allocateCache(batch, capacity);
  let slots: (CompletionRow | undefined)[] = new Array<undefined>(batch).fill(undefined);
  let waiting = 0;

  const finish = (row: CompletionRow, reason?: "aborted"): void => {
    const completion = row.finish(reason);
    finished.set(row, completion);
    options.onCompletion?.(completion);
  };
  /** Draws a token for each given row of the logits; rows that end with it are finished and become undefined. */
  const advance = async (logits: DeviceBuffer, at: readonly (CompletionRow | undefined)[]): Promise<(CompletionRow | undefined)[]> => {
    const [size] = logits.shape;
    const sampler = await engine.sampler(size, settings);
    const u = Float64Array.from({ length: size }, (_, i) => uniformOf(at[i], settings.seed, requests));
    const { tokens, logprobs } = await sampler.sample(logits, u, (i) => seenBy(at[i]));
    return at.map((row, i) => {
      if (row === undefined) return undefined;
      if (Number.isNaN(logprobs[i])) throw notANumber(row);
      if (!row.push(tokens[i], logprobs[i])) return row;
      finish(row);
      return undefined;
    });
  };
  const admit = async (): Promise<void> => {
    const free = slots.flatMap((row, slot) => (row === undefined ? [slot] : []));
    const entering = rows.slice(waiting, waiting + free.length);
    waiting += entering.length;
    // Candidates of one request share its prefill.
    const distinct = [...new Set(entering.map((row) => row.request))];
    for (const group of groupPrompts(
      distinct.map((request) => requests[request].promptIds.length),
      config.maxPositions,
    )) {
      const members = group.members.map((member) => distinct[member]);
      const starting = entering.filter((row) => members.includes(row.request));
      const prefill = await engine.prefill(group.rows, group.time, bucketRows(starting.length));
      const ends = starting.map((row) => members.indexOf(row.request));
      const { logits, caches } = await prefill.run(
        members.map((request) => requests[request].promptIds),
        ends,
      );
      for (const row of await advance(logits, starting)) {
        if (row === undefined) continue;
        const slot = free.shift() as number;
        copyRow(caches, members.indexOf(row.request), cache, slot, row.promptIds.length);
        slots[slot] = row;
      }
    }
  };
  const shrink = (): void => {
    const active = slots.filter((row) => row !== undefined);
    const smaller = shrinkBatch(batch, active.length, Math.max(...active.map((row) => row.limit - row.ids.length)), parameters);
    if (smaller === batch) return;
    const next = engine.allocateCache(smaller, capacity);
    for (const [slot, row] of active.entries()) copyRow(cache.buffers, slots.indexOf(row), next, slot, lengthOf(row));
    slots = Array.from({ length: smaller }, (_, slot) => active[slot]);
    engine.giveBackCache(cache);
    [batch, cache] = [smaller, next];
  };
  const step = async (): Promise<void> => {
    const ids = Int32Array.from(slots, (row) => row?.ids[row.ids.length - 1] ?? 0);
    const positions = Int32Array.from(slots, (row) => (row === undefined ? 0 : lengthOf(row)));
    const decoder = await engine.decoder(batch, capacity);
    slots = await advance(await decoder.step(cache, ids, positions), slots);
  };

  try {
    for (;;) {
      const active = slots.reduce((count, row) => count + Number(row !== undefined), 0);
      if (active === 0 && waiting === rows.length) break;
      if (options.signal?.aborted === true) {
        for (const row of [...slots, ...rows.slice(waiting)]) if (row !== undefined) finish(row, "aborted");
        break;
      }
      if (waiting < rows.length && isTimeToAdmit(batch - active, active, batch)) {
        await admit();
        continue;
      }
      if (waiting === rows.length) shrink();
      await step();
    }
  } finally {
    engine.giveBackCache(cache);
  }
  return rows.map((row) => finished.get(row) as Completion);
}

/** Tokens in the row's cache: all but the last drawn, which the next step takes in. */
function lengthOf(row: CompletionRow): number {
  return row.promptIds.length + row.ids.length - 1;
}

function uniformOf(row: CompletionRow | undefined, seed: number, requests: readonly GenerationRequest[]): number {
  if (row === undefined) return 0;
  const { promptIndex = row.request, firstCandidate = 0 } = requests[row.request];
  return uniformAt(seed, promptIndex, firstCandidate + row.candidate, row.ids.length);
}

function* seenBy(row: CompletionRow | undefined): Iterable<number> {
  if (row === undefined) return;
  for (let i = 0; i < row.promptIds.length; i++) yield row.promptIds[i];
  yield* row.ids;
}

function notANumber(row: CompletionRow): SparError {
  return new SparError(
    "generation/not-a-number",
    `generate: the logits of prompt ${row.request + 1} are not numbers after ${row.ids.length} new tokens`,
    {
      hint: "the model's weights hold NaN or infinite values: a training that diverged, or a damaged file",
    },
  );
}
