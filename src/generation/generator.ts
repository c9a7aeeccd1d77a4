/** Completions of prompts: prefill, then steps of a batch whose finished rows make room for waiting ones. */
import { SparError } from "../internal/errors.ts";
import { uniformAt } from "../internal/rng.ts";
import { countParameters, type LanguageModel } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { bucketBatch, bucketCapacity, isTimeToAdmit, shrinkBatch } from "./batch-plan.ts";
import { createRow, seenBy, type Completion, type CompletionRow } from "./completion.ts";
import { checkModel, checkPrompt, notANumber } from "./check.ts";
import { createEngine, type Engine } from "./engine.ts";
import { createRunningBatch, type Advance } from "./running-batch.ts";
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
  /** Completions come with the hidden states that their tokens were drawn from; default false. */
  readonly states?: boolean;
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
  checkModel(model);
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
        return await runBatch(model, backend, engine, createRows(model, requests, settings, tokenizer, options), {
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

interface Run {
  readonly settings: GenerationSettings;
  readonly maxBatch: number;
  readonly requests: readonly GenerationRequest[];
  readonly options: GenerateOptions;
}

async function runBatch(
  model: LanguageModel,
  backend: Backend,
  engine: Engine,
  rows: readonly CompletionRow[],
  { settings, maxBatch, requests, options }: Run,
): Promise<Completion[]> {
  if (rows.length === 0) return [];
  const { config } = model;
  const parameters = countParameters(model);
  const finished = new Map<CompletionRow, Completion>();
  const finish = (row: CompletionRow, reason?: "aborted"): void => {
    const completion = row.finish(reason);
    finished.set(row, completion);
    options.onCompletion?.(completion);
  };
  const advance: Advance = async ({ logits, states }, at) => {
    const [size, width] = states.shape;
    const sampler = await engine.sampler(size, settings);
    const u = Float64Array.from({ length: size }, (_, i) => uniformOf(at[i], settings.seed, requests));
    const held = options.states === true ? ((await backend.read(states)) as Float32Array) : undefined;
    const { tokens, logprobs } = await sampler.sample(logits, u, (i) => (at[i] === undefined ? undefined : seenBy(at[i])));
    return at.map((row, i) => {
      if (row === undefined) return undefined;
      if (Number.isNaN(logprobs[i])) throw notANumber(row);
      if (!row.push(tokens[i], logprobs[i], held?.slice(i * width, (i + 1) * width))) return row;
      finish(row);
      return undefined;
    });
  };
  const batch = createRunningBatch(model, engine, advance, {
    size: bucketBatch(rows.length, maxBatch),
    capacity: bucketCapacity(Math.max(...rows.map((row) => row.promptIds.length + row.limit)), config.maxPositions),
  });
  let waiting = 0;
  try {
    for (;;) {
      const active = batch.active();
      if (active.length === 0 && waiting === rows.length) break;
      if (options.signal?.aborted === true) {
        for (const row of [...active, ...rows.slice(waiting)]) finish(row, "aborted");
        break;
      }
      const free = batch.size - active.length;
      if (waiting < rows.length && isTimeToAdmit(free, active.length, batch.size)) {
        const entering = rows.slice(waiting, waiting + free);
        waiting += entering.length;
        await batch.admit(entering);
        continue;
      }
      if (waiting === rows.length) {
        const steps = Math.max(...active.map((row) => row.limit - row.ids.length));
        batch.resize(shrinkBatch(batch.size, active.length, steps, parameters), batch.capacity);
      }
      await batch.step();
    }
  } finally {
    batch.close();
  }
  return rows.map((row) => finished.get(row) as Completion);
}

function uniformOf(row: CompletionRow | undefined, seed: number, requests: readonly GenerationRequest[]): number {
  if (row === undefined) return 0;
  const { promptIndex = row.request, firstCandidate = 0 } = requests[row.request];
  return uniformAt(seed, promptIndex, firstCandidate + row.candidate, row.ids.length);
}
