/** Log-probabilities of given tokens, and scores of whole rows: the model without drawing anything. */
import { SparError } from "../internal/errors.ts";
import { batchRows, scoreHead, type LanguageModel } from "../models/index.ts";
import { createFullSequence, createParameters } from "../nn/index.ts";
import { bucketRows, createSessionCache, type Backend, type DeviceBuffer } from "../runtime/index.ts";
import { buildGraph, div, exp, gather, input, logSoftmax, mul, neg, sum, tokenLogprobs, type Graph, type Tensor } from "../tensor/index.ts";
import { groupPrompts } from "./batch-plan.ts";

export interface ScorerRow {
  readonly ids: ArrayLike<number>;
  /** Index of the first token that is asked for, from 1 (nothing comes before token 0); default 1. */
  readonly from?: number;
}

export interface ScoredRow {
  /** Of ids[from], ids[from + 1] … */
  readonly logprobs: Float32Array;
  /** Of the distributions that these tokens were drawn from, in nats; only where asked for. */
  readonly entropies: Float32Array | undefined;
}

/** A row, and the tokens of which one may come next. */
export interface NextTokenRow {
  readonly ids: ArrayLike<number>;
  readonly tokens: readonly number[];
}

export interface PositionRow {
  readonly ids: ArrayLike<number>;
  readonly from?: number;
}

export interface ScorerCall {
  readonly signal?: AbortSignal | undefined;
  /** Gets the number of rows done after each batch. */
  readonly report?: ((done: number) => void) | undefined;
}

/** Calls at the same moment take turns. */
export interface Scorer {
  /** Of logits ÷ temperature (default 1). Rows are computed in batches of similar length; the result has their order. */
  logprobs(rows: readonly ScorerRow[], options?: { temperature?: number; entropy?: boolean }): Promise<ScoredRow[]>;
  /** Log-probs of each row's `tokens` as what follows it, of the whole vocabulary. */
  nextLogprobs(rows: readonly NextTokenRow[], call?: ScorerCall): Promise<Float32Array[]>;
  /** For models with a score head: the score at each row's last token. */
  scores(rows: readonly ArrayLike<number>[], call?: ScorerCall): Promise<Float32Array>;
  /** For models with a score head: the score at each of the row's tokens from `from` (default 0) on, as if the row ended there. */
  positionScores(rows: readonly PositionRow[], call?: ScorerCall): Promise<Float32Array[]>;
  /** Throws what the others would about a row that cannot be computed. */
  check(ids: ArrayLike<number>): void;
  release(): void;
}

/** Rows of logits computed at a time: with 50257 tokens 50 MB. */
const headRows = 256;

/**
 * The model stays the caller's; its weights are read at every call, so they may change in between.
 * @param maxRows in one batch; default 32
 */
export function createScorer(model: LanguageModel, backend: Backend, { maxRows = 32 }: { maxRows?: number } = {}): Scorer {
  const { config, parameters } = model;
  const sessions = createSessionCache(16);

  /** Runs `graph` on fresh buffers and hands its outputs to `body`; sessions are kept. */
  const run = async <T>(
    key: string,
    build: () => Graph,
    data: { readonly [input: string]: DeviceBuffer | Int32Array | Float32Array },
    body: (outputs: ReadonlyMap<string, DeviceBuffer>) => Promise<T>,
  ): Promise<T> => {
    const graph = build();
    const own: DeviceBuffer[] = [];
    const allocate = (type: Tensor): DeviceBuffer => {
      const buffer = backend.allocate(type);
      own.push(buffer);
      return buffer;
    };
    try {
      const inputs = new Map(parameters);
      for (const [name, value] of Object.entries(data)) {
        const type = graph.inputs.get(name);
        if (type === undefined) continue;
        const buffer = "free" in value ? value : allocate(type);
        if (!("free" in value)) await backend.write(buffer, value);
        inputs.set(name, buffer);
      }
      const outputs = new Map([...graph.outputs].map(([name, type]) => [name, allocate(type)]));
      await sessions.use(
        key,
        () => backend.compile(graph, { label: key }),
        (executable) => executable.run(inputs, outputs),
      );
      return await body(outputs);
    } finally {
      for (const buffer of own) buffer.free();
    }
  };

  /** Hidden states [B·T, C] of batches of similar length, one after the other. */
  const eachBatch = async (
    rows: readonly ArrayLike<number>[],
    body: (hidden: DeviceBuffer, members: readonly number[], time: number) => Promise<void>,
    { signal, report }: ScorerCall = {},
  ): Promise<void> => {
    let done = 0;
    for (const whole of groupPrompts(
      rows.map(({ length }) => length),
      config.maxPositions,
    )) {
      for (let start = 0; start < whole.members.length; start += maxRows) {
        signal?.throwIfAborted();
        const members = whole.members.slice(start, start + maxRows);
        const [count, time] = [bucketRows(members.length), whole.time];
        const batch = batchRows(
          members.map((member) => ({ ids: rows[member] })),
          count,
          time,
        );
        const { ids, positions, bias } = batch;
        await run(
          `trunk ${count}×${time}`,
          () => buildTrunkGraph(model, count, time),
          { ids, positions, bias },
          (outputs) => body(outputs.get("hidden") as DeviceBuffer, members, time),
        );
        report?.((done += members.length));
      }
    }
  };

  /** What a row ends with, through `build`'s graph: `read` gets its values [rows of the batch, …] and which rows they are of. */
  const eachEnd = (
    rows: readonly ArrayLike<number>[],
    build: (hidden: DeviceBuffer, count: number) => Graph,
    read: (values: Float32Array, members: readonly number[]) => void,
    call?: ScorerCall,
  ): Promise<void> =>
    eachBatch(
      rows,
      async (hidden, members, time) => {
        const count = bucketRows(members.length);
        const ends = Int32Array.from({ length: count }, (_, b) => (b < members.length ? b * time + rows[members[b]].length - 1 : 0));
        await run(
          `end ${hidden.shape[0]} ${count}`,
          () => build(hidden, count),
          { hidden, rows: ends },
          async (outputs) => read((await backend.read(outputs.get("values") as DeviceBuffer)) as Float32Array, members),
        );
      },
      call,
    );

  // A compiled graph runs once at a time: callers take turns.
  let turn: Promise<unknown> = Promise.resolve();
  const takeTurn = <T>(body: () => Promise<T>): Promise<T> => {
    const result = turn.then(body);
    turn = result.catch(() => undefined);
    return result;
  };

  return {
    async logprobs(rows, { temperature = 1, entropy = false } = {}) {
      if (model.head !== "lm")
        throw new SparError("generation/no-lm-head", "logprobs: expected a language model, got a model with a score head");
      checkRows(
        rows.map(({ ids }) => ids),
        model,
      );
      const results = rows.map(({ ids, from = 1 }) => {
        if (!(from >= 1)) throw new SparError("generation/bad-row", `logprobs: expected tokens asked for from index 1 on, got ${from}`);
        const count = Math.max(0, ids.length - from);
        return { logprobs: new Float32Array(count), entropies: entropy ? new Float32Array(count) : undefined };
      });
      const scoreBatch = async (hidden: DeviceBuffer, members: readonly number[], time: number): Promise<void> => {
        const wanted = members.flatMap((member, b) => {
          const { ids, from = 1 } = rows[member];
          return Array.from({ length: Math.max(0, ids.length - from) }, (_, i) => ({
            member,
            i,
            at: b * time + from + i - 1,
            label: ids[from + i],
          }));
        });
        for (let start = 0; start < wanted.length; start += headRows) {
          const part = wanted.slice(start, start + headRows);
          const count = Math.min(headRows, 2 ** Math.ceil(Math.log2(part.length)));
          const fill = (pick: (one: (typeof wanted)[number]) => number): Int32Array =>
            Int32Array.from({ length: count }, (_, i) => (i < part.length ? pick(part[i]) : 0));
          const data = {
            hidden,
            rows: fill(({ at }) => at),
            labels: fill(({ label }) => label),
            temperature: Float32Array.of(temperature),
          };
          const key = `head ${hidden.shape[0]} ${count}${temperature === 1 ? "" : " t"}${entropy ? " e" : ""}`;
          await run(
            key,
            () => buildHeadGraph(model, hidden, count, temperature !== 1, entropy),
            data,
            async (outputs) => {
              const logprobs = await backend.read(outputs.get("logprobs") as DeviceBuffer);
              const entropies = entropy ? await backend.read(outputs.get("entropies") as DeviceBuffer) : undefined;
              for (const [k, { member, i }] of part.entries()) {
                results[member].logprobs[i] = logprobs[k] as number;
                if (entropies !== undefined) (results[member].entropies as Float32Array)[i] = entropies[k] as number;
              }
            },
          );
        }
      };
      await takeTurn(() =>
        eachBatch(
          rows.map(({ ids }) => ids),
          scoreBatch,
        ),
      );
      return results;
    },

    async nextLogprobs(rows, call) {
      if (model.head !== "lm")
        throw new SparError("generation/no-lm-head", "nextLogprobs: expected a language model, got a model with a score head");
      const ids = rows.map((row) => row.ids);
      checkRows(ids, model);
      const results = new Array<Float32Array>(rows.length);
      const read = (logSoftmax: Float32Array, members: readonly number[]): void => {
        for (const [b, member] of members.entries())
          results[member] = Float32Array.from(rows[member].tokens, (token) => logSoftmax[b * config.vocabSize + token]);
      };
      await takeTurn(() => eachEnd(ids, (hidden, count) => buildNextGraph(model, hidden, count), read, call));
      return results;
    },

    async scores(rows, call) {
      if (model.head !== "score")
        throw new SparError("generation/no-score-head", "scores: expected a model with a score head, got a language model");
      checkRows(rows, model);
      const scores = new Float32Array(rows.length);
      const read = (values: Float32Array, members: readonly number[]): void => {
        for (const [b, member] of members.entries()) scores[member] = values[b];
      };
      await takeTurn(() => eachEnd(rows, buildScoreGraph, read, call));
      return scores;
    },

    async positionScores(rows, call) {
      if (model.head !== "score")
        throw new SparError("generation/no-score-head", "positionScores: expected a model with a score head, got a language model");
      const ids = rows.map((row) => row.ids);
      checkRows(ids, model);
      const results = rows.map((row) => new Float32Array(Math.max(0, row.ids.length - (row.from ?? 0))));
      // All positions of a batch go through the head at once: it is one number a position.
      const read = (values: Float32Array, members: readonly number[], time: number): void => {
        for (const [b, member] of members.entries()) {
          const start = b * time + (rows[member].from ?? 0);
          results[member].set(values.subarray(start, start + results[member].length));
        }
      };
      await takeTurn(() =>
        eachBatch(
          ids,
          (hidden, members, time) =>
            run(
              `positions ${hidden.shape[0]}`,
              () => buildGraph({ values: scoreHead(createParameters(), input("hidden", "float32", hidden.shape)) }),
              { hidden },
              async (outputs) => read((await backend.read(outputs.get("values") as DeviceBuffer)) as Float32Array, members, time),
            ),
          call,
        ),
      );
      return results;
    },

    check: (ids) => checkRow(ids, model, "the row"),
    release: () => sessions.clear(),
  };
}

function buildTrunkGraph({ architecture, config }: LanguageModel, batch: number, time: number): Graph {
  return buildGraph({ hidden: architecture.trunk(config, createParameters(), createFullSequence(batch, time), (body) => body()) });
}

/** Only the rows asked for go through the head: for GPT-2 it is a third of the work. */
function buildHeadGraph(
  { architecture, config }: LanguageModel,
  hidden: DeviceBuffer,
  count: number,
  scaled: boolean,
  entropy: boolean,
): Graph {
  const chosen = gather(input("hidden", "float32", hidden.shape), input("rows", "int32", [count]));
  const raw = architecture.head(config, createParameters(), chosen);
  const logits = scaled ? div(raw, input("temperature", "float32", [1])) : raw;
  const { logprobs, logSoftmax } = tokenLogprobs(logits, input("labels", "int32", [count]));
  return buildGraph({ logprobs, ...(entropy ? { entropies: neg(sum(mul(exp(logSoftmax), logSoftmax), [1])) } : {}) });
}

function buildScoreGraph(hidden: DeviceBuffer, count: number): Graph {
  const chosen = gather(input("hidden", "float32", hidden.shape), input("rows", "int32", [count]));
  return buildGraph({ values: scoreHead(createParameters(), chosen) });
}

function buildNextGraph({ architecture, config }: LanguageModel, hidden: DeviceBuffer, count: number): Graph {
  const chosen = gather(input("hidden", "float32", hidden.shape), input("rows", "int32", [count]));
  return buildGraph({ values: logSoftmax(architecture.head(config, createParameters(), chosen)) });
}

function checkRows(rows: readonly ArrayLike<number>[], model: LanguageModel): void {
  for (const [row, ids] of rows.entries()) checkRow(ids, model, `row ${row + 1}`);
}

function checkRow(ids: ArrayLike<number>, { config: { maxPositions, vocabSize } }: LanguageModel, name: string): void {
  const { length } = ids;
  if (length === 0) throw new SparError("generation/bad-row", `${name} has no tokens`);
  if (length > maxPositions)
    throw new SparError("generation/bad-row", `${name} has ${length} tokens; expected at most the model's ${maxPositions} positions`, {
      hint: "cut or drop long rows",
    });
  for (let i = 0; i < length; i++) {
    if (!(ids[i] >= 0 && ids[i] < vocabSize))
      throw new SparError("generation/bad-token", `${name} holds token ${ids[i]}; expected ids from 0 to ${vocabSize - 1}`);
  }
}
