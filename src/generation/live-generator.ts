/** Completions for whoever asks, whenever they ask: a request joins the running batch at its next step and leaves it when it ends. */
import { SparError } from "../internal/errors.ts";
import { uniformAt } from "../internal/rng.ts";
import type { LanguageModel } from "../models/index.ts";
import { countParameters } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { bucketBatch, isTimeToAdmit, shrinkBatch } from "./batch-plan.ts";
import { checkModel, checkPrompt, notANumber } from "./check.ts";
import { createRow, seenBy, type Completion, type CompletionRow } from "./completion.ts";
import { createEngine } from "./engine.ts";
import type { TokenChoice } from "./host-sampler.ts";
import { createRunningBatch, type Advance, type RunningBatch } from "./running-batch.ts";
import { defaultSettings, type GenerationSettings } from "./settings.ts";

export interface LiveRequest {
  /** Requests that share the array itself and join together share its prefill. */
  readonly promptIds: ArrayLike<number>;
  readonly settings: Partial<GenerationSettings>;
  /** Counts in the random numbers, beside the seed; default 0. */
  readonly candidate?: number;
  /** How many of the likeliest tokens `onToken` is told at each position; default 0. */
  readonly top?: number;
  /** Frees the row at the next step; the completion ends with `aborted`. */
  readonly signal?: AbortSignal;
  /** Text as it comes, never half a character; before the token that it came with. */
  readonly onText?: (text: string) => void;
  readonly onToken?: (token: LiveToken) => void;
}

export interface LiveToken extends TokenChoice {
  /** Likeliest first, of the distribution before penalty and filters. */
  readonly top: readonly TokenChoice[];
  /** Whether it is one of `stopIds`, which has no text. */
  readonly ends: boolean;
}

export interface LiveGeneratorOptions {
  readonly tokenizer: Tokenizer;
  /** Rows decoded at the same time; default 8. Others wait. */
  readonly maxBatch?: number;
}

export interface LiveGenerator {
  /** Throws what `generate` would about a prompt that it cannot complete. */
  check(promptIds: ArrayLike<number>): void;
  /**
   * Its numbers depend on (seed, candidate, position), not on who else is in the batch. An end by `signal` is no error.
   * Rejects with `generation/closed`, or with what went wrong in the batch that the row was in.
   */
  generate(request: LiveRequest): Promise<Completion>;
  load(): { readonly active: number; readonly waiting: number };
  /** Ends all rows with `aborted`, then gives the memory back; the model stays the caller's. */
  close(): Promise<void>;
}

interface Ticket {
  readonly request: LiveRequest;
  readonly row: CompletionRow;
  readonly resolve: (completion: Completion) => void;
  readonly reject: (error: unknown) => void;
}

/** Positions that are set aside for a row beyond its prompt when it joins; more come as it grows. */
const headroom = 512;

/** Throws `generation/no-lm-head` and `generation/head-size` for models that cannot generate. */
export function createLiveGenerator(model: LanguageModel, backend: Backend, options: LiveGeneratorOptions): LiveGenerator {
  checkModel(model);
  const { tokenizer, maxBatch = 8 } = options;
  const { maxPositions } = model.config;
  const parameters = countParameters(model);
  const engine = createEngine(model, backend);
  let waiting: Ticket[] = [];
  const tickets = new Map<CompletionRow, Ticket>();
  let running: Promise<void> | undefined;
  let isClosed = false;

  const finish = (row: CompletionRow, reason?: "aborted"): void => {
    const ticket = tickets.get(row) as Ticket;
    tickets.delete(row);
    ticket.resolve(row.finish(reason));
  };
  const advance: Advance = async ({ logits }, at) => {
    const sampler = await engine.hostSampler(logits.shape[0]);
    const drawn = await sampler.sample(
      logits,
      at.map((row) => {
        if (row === undefined) return undefined;
        const { settings, ids, candidate, top } = row;
        return { settings, top, u: uniformAt(settings.seed, 0, candidate, ids.length), seen: () => seenBy(row) };
      }),
    );
    return at.map((row, i) => {
      const token = drawn[i];
      if (row === undefined || token === undefined) return undefined;
      if (Number.isNaN(token.logprob)) throw notANumber(row);
      const isOver = row.push(token.id, token.logprob);
      (tickets.get(row) as Ticket).request.onToken?.({ ...token, ends: row.settings.stopIds.includes(token.id) });
      if (!isOver) return row;
      finish(row);
      return undefined;
    });
  };
  const isGone = ({ request }: Ticket): boolean => isClosed || request.signal?.aborted === true;
  const dropGone = (batch: RunningBatch): void => {
    for (const ticket of tickets.values()) {
      if (!isGone(ticket)) continue;
      batch.remove(ticket.row);
      waiting = waiting.filter((other) => other !== ticket);
      finish(ticket.row, "aborted");
    }
  };
  const capacityFor = (rows: readonly CompletionRow[], ahead: number): number =>
    bucketPositions(Math.max(0, ...rows.map((row) => row.promptIds.length + row.ids.length + Math.min(ahead, row.limit))), maxPositions);

  const run = async (): Promise<void> => {
    const batch = createRunningBatch(model, engine, advance, {
      size: bucketBatch(waiting.length, maxBatch),
      capacity: capacityFor(
        waiting.slice(0, maxBatch).map(({ row }) => row),
        headroom,
      ),
    });
    try {
      for (;;) {
        dropGone(batch);
        const active = batch.active();
        if (active.length === 0 && waiting.length === 0) break;
        if (waiting.length > 0) {
          const wanted = bucketBatch(active.length + waiting.length, maxBatch);
          const entering = waiting.slice(0, Math.max(wanted, batch.size) - active.length).map(({ row }) => row);
          const size = Math.max(wanted, batch.size);
          if (isTimeToAdmit(size - active.length, active.length, size)) {
            waiting = waiting.slice(entering.length);
            batch.resize(size, Math.max(batch.capacity, capacityFor(entering, headroom)));
            await batch.admit(entering);
            continue;
          }
        }
        const steps = Math.max(...active.map((row) => row.limit - row.ids.length));
        const size = waiting.length > 0 ? batch.size : shrinkBatch(batch.size, active.length, steps, parameters);
        batch.resize(size, Math.max(batch.capacity, capacityFor(active, 1)));
        await batch.step();
        // Whoever came, or left, during the step is to be seen before the next.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      // Nobody knows what the batch holds now; those that wait get another.
      const failed = [...tickets.values()].filter((ticket) => !waiting.includes(ticket));
      for (const { row, reject } of failed) {
        tickets.delete(row);
        reject(error);
      }
    } finally {
      batch.close();
    }
  };
  const runAll = async (): Promise<void> => {
    // Requests of the same moment start together.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) await run();
    running = undefined;
  };

  return {
    check: (promptIds) => checkPrompt(promptIds, model, "the prompt"),
    generate(request) {
      return new Promise((resolve, reject) => {
        if (isClosed) throw new SparError("generation/closed", "generate: the generator is closed");
        const { promptIds, candidate = 0, top = 0, onText } = request;
        checkPrompt(promptIds, model, "the prompt");
        const settings = { ...defaultSettings, ...request.settings };
        const limit = Math.min(settings.maxNewTokens, maxPositions - promptIds.length);
        const row = createRow({ request: 0, candidate, promptIds, limit, settings, tokenizer, top, onText });
        const ticket = { request, row, resolve, reject };
        tickets.set(row, ticket);
        waiting.push(ticket);
        running ??= runAll();
      });
    },
    load: () => ({ active: tickets.size - waiting.length, waiting: waiting.length }),
    async close() {
      isClosed = true;
      await running;
      engine.release();
    },
  };
}

/** Powers of two from 256, so that few steps are compiled however long the rows are. */
function bucketPositions(length: number, maxPositions: number): number {
  return Math.min(maxPositions, 2 ** Math.ceil(Math.log2(Math.max(256, length))));
}
