/** Which of a few tokens a model would write next: logits of the answers after given texts, without sampling. */
import { batchRows, type LanguageModel } from "../../models/index.ts";
import { createFullSequence, createParameters } from "../../nn/index.ts";
import { bucketLength, bucketRows, createSessionCache, type Backend, type DeviceBuffer } from "../../runtime/index.ts";
import { buildGraph, gather, input, type Graph, type TensorData, type TensorType } from "../../tensor/index.ts";

export interface AnswerScores {
  /** Log-probabilities of `tokens` after the row, of the whole vocabulary. */
  readonly logprobs: Float64Array;
}

export interface AnswerScorer {
  /** One result a row of ids, in order; `report` gets the number of rows done. */
  score(
    rows: readonly { readonly ids: ArrayLike<number>; readonly tokens: readonly number[] }[],
    options?: { readonly signal?: AbortSignal | undefined; readonly report?: (done: number) => void },
  ): Promise<AnswerScores[]>;
  release(): void;
}

/** Compiled shapes that are kept. */
const keptShapes = 12;

/** The model stays the caller's; its weights are read at every call. Rows must not be longer than its positions. */
export function createAnswerScorer(model: LanguageModel, backend: Backend, batchSize: number): AnswerScorer {
  const { maxPositions, vocabSize } = model.config;
  const sessions = createSessionCache(keptShapes);

  const runBatch = async (rows: readonly ArrayLike<number>[]): Promise<Float32Array> => {
    const [batch, time] = [bucketRows(rows.length, batchSize), bucketLength(Math.max(...rows.map(({ length }) => length)), maxPositions)];
    const { ids, positions, bias } = batchRows(
      rows.map((row) => ({ ids: row })),
      batch,
      time,
    );
    const last = Int32Array.from({ length: batch }, (_, b) => b * time + Math.max(0, (rows[b]?.length ?? 1) - 1));
    return sessions.use(
      `${batch}×${time}`,
      // Weights as inputs: they change while the model is trained, and packed copies a shape would be a lot of memory.
      () => backend.compile(buildAnswerGraph(model, batch, time), { label: `judge ${batch}×${time}` }),
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
          const logits = await give({ dtype: "float32", shape: [batch, vocabSize] });
          await executable.run(inputs, new Map([["logits", logits]]));
          return (await backend.read(logits)).slice() as Float32Array;
        } finally {
          for (const buffer of held) buffer.free();
        }
      },
    );
  };

  return {
    async score(rows, { signal, report } = {}) {
      // Neighbours in length share a batch, so that little is padding.
      const order = Array.from(rows.keys()).sort((a, b) => rows[a].ids.length - rows[b].ids.length || a - b);
      const results = new Array<AnswerScores>(rows.length);
      for (let start = 0; start < order.length; start += batchSize) {
        signal?.throwIfAborted();
        const chosen = order.slice(start, start + batchSize);
        const logits = await runBatch(chosen.map((i) => rows[i].ids));
        for (const [at, i] of chosen.entries()) {
          const row = logits.subarray(at * vocabSize, (at + 1) * vocabSize);
          const total = logSumExp(row);
          results[i] = { logprobs: Float64Array.from(rows[i].tokens, (token) => row[token] - total) };
        }
        report?.(start + chosen.length);
      }
      return results;
    },
    release: () => sessions.clear(),
  };
}

export function logSumExp(values: Float32Array | Float64Array): number {
  let most = -Infinity;
  for (const value of values) if (value > most) most = value;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - most);
  return most + Math.log(sum);
}

/** Inputs `ids`, `positions`, `bias` of a full sequence and `last` int32 [B], where in [B·T] each row ends; output `logits` [B, V]. */
function buildAnswerGraph({ architecture, config }: LanguageModel, batch: number, time: number): Graph {
  const p = createParameters();
  const hidden = architecture.trunk(config, p, createFullSequence(batch, time), (body) => body());
  return buildGraph({ logits: architecture.head(config, p, gather(hidden, input("last", "int32", [batch]))) });
}
