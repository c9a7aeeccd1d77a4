/** Scoring token rows with a score-head model: the score at the last real token. */
import { SparError } from "../internal/errors.ts";
import { batchRows, scoreHead, type LanguageModel } from "../models/index.ts";
import { createFullSequence, createParameters } from "../nn/index.ts";
import { bucketLength, bucketRows, createSessionCache, type Backend, type DeviceBuffer, type Executable } from "../runtime/index.ts";
import { buildGraph, gather, input, type Graph, type TensorData, type TensorType } from "../tensor/index.ts";

export interface RewardScorer {
  /** One score a row of token ids, in order; neither batch nor padding changes a score. */
  score(rows: readonly ArrayLike<number>[], options?: { readonly signal?: AbortSignal | undefined }): Promise<Float32Array>;
  /** Gives the compiled graphs back; the model stays the caller's. */
  release(): void;
}

/** Compiled shapes that are kept. */
const keptShapes = 12;

export function createRewardScorer(
  model: LanguageModel,
  backend: Backend,
  { batchSize = 32 }: { readonly batchSize?: number } = {},
): RewardScorer {
  if (model.head !== "score")
    throw new SparError(
      "rewards/no-score-head",
      `createRewardScorer: expected a model with a score head, got a language model${model.folder === undefined ? "" : ` (${model.folder})`}`,
    );
  const { maxPositions } = model.config;
  const sessions = createSessionCache(keptShapes);

  const compile = async (batch: number, time: number): Promise<Executable> => {
    const graph = buildScoreGraph(model, batch, time);
    // Weights as inputs: whole sequences gain little from packed copies of them, and a model a shape is a lot of memory.
    return backend.compile(graph, { label: `reward ${batch}×${time}` });
  };

  const scoreBatch = async (rows: readonly ArrayLike<number>[]): Promise<Float32Array> => {
    const longest = rows.reduce((most, row) => Math.max(most, row.length), 0);
    const [batch, time] = [bucketRows(rows.length, batchSize), bucketLength(longest, maxPositions)];
    const { ids, positions, bias } = batchRows(
      rows.map((row) => ({ ids: row })),
      batch,
      time,
    );
    const last = Int32Array.from({ length: batch }, (_, b) => b * time + Math.max(0, (rows[b]?.length ?? 1) - 1));
    return sessions.use(
      `${batch}×${time}`,
      () => compile(batch, time),
      async (executable) => {
        const held: DeviceBuffer[] = [];
        const give = async (type: TensorType, data?: TensorData): Promise<DeviceBuffer> => {
          const buffer = backend.allocate(type);
          held.push(buffer);
          if (data !== undefined) await backend.write(buffer, data);
          return buffer;
        };
        try {
          const inputs = new Map<string, DeviceBuffer>([
            ...model.parameters,
            ["ids", await give({ dtype: "int32", shape: [batch, time] }, ids)],
            ["positions", await give({ dtype: "int32", shape: [batch, time] }, positions)],
            ["bias", await give({ dtype: "float32", shape: [batch, 1, time, time] }, bias)],
            ["last", await give({ dtype: "int32", shape: [batch] }, last)],
          ]);
          const scores = await give({ dtype: "float32", shape: [batch] });
          await executable.run(inputs, new Map([["scores", scores]]));
          return (await backend.read(scores)).slice(0, rows.length) as Float32Array;
        } finally {
          for (const buffer of held) buffer.free();
        }
      },
    );
  };

  // A compiled graph runs once at a time: callers take turns.
  let turn: Promise<unknown> = Promise.resolve();
  const takeTurn = <T>(body: () => Promise<T>): Promise<T> => {
    const result = turn.then(body);
    turn = result.catch(() => undefined);
    return result;
  };

  return {
    async score(rows, { signal } = {}) {
      for (const [i, row] of rows.entries()) {
        if (row.length === 0) throw new SparError("rewards/empty-row", `Reward model: expected at least one token in row ${i}, got none`);
        if (row.length > maxPositions)
          throw new SparError(
            "rewards/row-too-long",
            `Reward model: expected at most ${maxPositions} tokens (the model's positions) in row ${i}, got ${row.length}`,
          );
      }
      // Neighbours in length share a batch, so that little is padding.
      const order = Array.from(rows.keys()).sort((a, b) => rows[a].length - rows[b].length || a - b);
      const result = new Float32Array(rows.length);
      for (let start = 0; start < order.length; start += batchSize) {
        signal?.throwIfAborted();
        const chosen = order.slice(start, start + batchSize);
        const scores = await takeTurn(() => scoreBatch(chosen.map((i) => rows[i])));
        for (const [at, i] of chosen.entries()) result[i] = scores[at];
      }
      return result;
    },
    release: () => sessions.clear(),
  };
}

/** Inputs `ids`, `positions`, `bias` of a full sequence and `last` int32 [B], where in [B·T] each row ends; output `scores` [B]. */
function buildScoreGraph({ architecture, config }: LanguageModel, batch: number, time: number): Graph {
  const p = createParameters();
  const hidden = architecture.trunk(config, p, createFullSequence(batch, time), (body) => body());
  return buildGraph({ scores: scoreHead(p, gather(hidden, input("last", "int32", [batch]))) });
}
