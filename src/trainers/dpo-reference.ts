/**
 * The reference's log-probs of pairs. A fixed reference says the same of a pair in every epoch, so each pair is computed
 * once, in the batch that first needs it, and the reference's weights are given back when all are known; or all are
 * computed before the first step and kept on disk by content. A reference that moves is asked every time.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../checkpoint/index.ts";
import type { PreparedRows, TokenizedPair } from "../data/index.ts";
import { InterruptedError, SparError } from "../internal/errors.ts";
import { temperedLogprobs } from "../losses/index.ts";
import { freeModel, loadModel, type LanguageModel } from "../models/index.ts";
import { createParameters } from "../nn/index.ts";
import type { Backend } from "../runtime/index.ts";
import { input, matmul, reshape, type Tensor } from "../tensor/index.ts";
import type { Progress, RunEvent } from "../tracking/index.ts";
import { batchPairTokens, type PairTokenBatch } from "./dpo-batch.ts";
import { createStepProgram, type StepProgram } from "./step-program.ts";
import { scoreTokens } from "./token-losses.ts";

/** Log-probs of a data set's pairs, chosen at 2i and rejected at 2i + 1; NaN where not known yet. */
export type LogpTable = Float32Array;

export interface PairReference {
  /** [2P], as the batch's sides; `indices` are the pairs' numbers in `table`, which is read first and filled. */
  logps(batch: PairTokenBatch, table: LogpTable, indices: readonly number[]): Promise<Float32Array>;
  /** Gives the weights back; they come again where they are needed. */
  rest(): void;
  /** Of the weights, as hexadecimal digits. */
  digest(): Promise<string>;
  /** ρ ← share·π + (1 − share)·ρ */
  moveTowards(model: LanguageModel, share: number): Promise<void>;
  /** The weights, where they move and therefore belong to a checkpoint. */
  buffers(): Iterable<readonly [name: string, data: Float32Array]>;
  restore(read: (name: string, target: Float32Array) => Promise<void>): Promise<void>;
  release(): void;
}

export function createTable(pairs: number): LogpTable {
  return new Float32Array(2 * pairs).fill(NaN);
}

/** `folder`: the reference's; `moving`: its log-probs are not kept, its weights are. */
export async function createPairReference(
  backend: Backend,
  folder: string,
  { moving, expected }: { moving: boolean; expected: LanguageModel },
): Promise<PairReference> {
  let model: LanguageModel | undefined;
  let program: StepProgram | undefined;
  const wake = async (): Promise<{ model: LanguageModel; program: StepProgram }> => {
    model ??= await loadReference(folder, backend, expected);
    program ??= createStepProgram(backend, model.parameters, []);
    return { model, program };
  };
  const rest = (): void => {
    program?.release();
    program = undefined;
    if (model !== undefined) freeModel(model);
    model = undefined;
  };
  if (moving) await wake();

  return {
    async logps(batch, table, indices) {
      const result = new Float32Array(2 * batch.room);
      const sides = indices.flatMap((index, p) => [
        [p, 2 * index],
        [batch.room + p, 2 * index + 1],
      ]);
      if (moving || sides.some(([, at]) => Number.isNaN(table[at]))) {
        const awake = await wake();
        const computed = await scorePairs(awake.program, awake.model, batch);
        if (moving) return computed;
        for (const [side, at] of sides) table[at] = computed[side];
      }
      for (const [side, at] of sides) result[side] = table[at];
      return result;
    },
    rest,
    async digest() {
      const { model: reference } = await wake();
      const hash = createHash("sha256");
      for (const [name, buffer] of reference.parameters) {
        const data = await backend.read(buffer);
        hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      }
      return hash.digest("hex");
    },
    async moveTowards({ parameters }, share) {
      const { model: reference } = await wake();
      for (const [name, buffer] of reference.parameters) {
        const own = (await backend.read(buffer)) as Float32Array;
        const other = (await backend.read(parameters.get(name) as typeof buffer)) as Float32Array;
        await backend.write(
          buffer,
          own.map((value, i) => Math.fround((1 - share) * value) + share * other[i]),
        );
      }
    },
    *buffers() {
      if (!moving || model === undefined) return;
      for (const [name, { host }] of model.parameters) yield [`reference.${name}`, host as Float32Array];
    },
    async restore(read) {
      if (!moving || model === undefined) return;
      for (const [name, { host }] of model.parameters) await read(`reference.${name}`, host as Float32Array);
    },
    release: rest,
  };
}

/** Throws `model/reference-mismatch` where the two do not have the same tokens. */
async function loadReference(folder: string, backend: Backend, policy: LanguageModel): Promise<LanguageModel> {
  const model = await loadModel(folder, backend, { head: "lm" });
  const [found, expected] = [model.config.vocabSize, policy.config.vocabSize];
  if (found === expected) return model;
  freeModel(model);
  throw new SparError(
    "model/reference-mismatch",
    `ref_model_name_or_path: expected a model with the trained one's ${expected} tokens, found ${found} in ${folder}`,
    { hint: "the reference must have the same tokenizer: usually it is the model that training starts from" },
  );
}

async function scorePairs(program: StepProgram, model: LanguageModel, batch: PairTokenBatch): Promise<Float32Array> {
  const build = (): { metrics: { logps: Tensor } } => {
    const { logits, labels } = scoreTokens(model, createParameters(), batch.scored, { checkpointing: false });
    return { metrics: { logps: sumSides(temperedLogprobs(logits, labels).logprobs, batch, "sums") } };
  };
  return (await program.run(batch.shape, build, batch.inputs))["logps"];
}

/** Log-probs [M] → a number a side [2P]: their sums or means, as the batch's input of that name weighs them. */
export function sumSides(values: Tensor, { room, scored }: PairTokenBatch, weights: "sums" | "means"): Tensor {
  const matrix = input(weights, "float32", [2 * room, scored.scored]);
  return reshape(matmul(matrix, reshape(values, [scored.scored, 1])), [2 * room]);
}

export interface PrecomputedPairs {
  readonly rows: PreparedRows<TokenizedPair>;
  readonly table: LogpTable;
  readonly batchSize: number;
}

/** Fills the tables from `cacheFolder`, or computes and writes them there: by weights, ids and whatever else changes a number. */
export async function precomputeLogps(
  reference: PairReference,
  parts: readonly PrecomputedPairs[],
  options: {
    readonly cacheFolder: string;
    readonly layout: { readonly maxPositions: number; readonly ldAlpha: number | null };
    readonly signal: AbortSignal;
    readonly onProgress: (progress: Progress) => void;
    readonly onEvent: (event: RunEvent) => void;
  },
): Promise<void> {
  const { cacheFolder, layout, signal, onProgress, onEvent } = options;
  const weights = await reference.digest();
  for (const { rows, table, batchSize } of parts) {
    const hash = createHash("sha256").update(JSON.stringify(["reference-logps 1", weights, layout, batchSize]));
    for (let i = 0; i < rows.count; i++) {
      const { promptIds, chosenIds, rejectedIds } = await rows.read(i);
      hash.update(JSON.stringify([promptIds, chosenIds, rejectedIds]));
    }
    const path = join(cacheFolder, `${hash.digest("hex").slice(0, 32)}.f32`);
    const known = await readFile(path).catch(() => undefined);
    if (known?.byteLength === table.byteLength) {
      table.set(new Float32Array(known.buffer.slice(known.byteOffset, known.byteOffset + known.byteLength)));
      onEvent({ code: "dpo/reference-cached", message: `the reference's log-probs of ${rows.count} pairs are those of ${path}`, path });
      continue;
    }
    for (let from = 0; from < rows.count; from += batchSize) {
      if (signal.aborted) throw new InterruptedError("computing the reference's log-probs was stopped");
      onProgress({ stage: "reference log-probs", done: from, total: rows.count, unit: "pairs" });
      const indices = Array.from({ length: Math.min(batchSize, rows.count - from) }, (_, i) => from + i);
      const pairs = await Promise.all(indices.map((index) => rows.read(index)));
      await reference.logps(batchPairTokens(pairs, layout), table, indices);
    }
    onProgress({ stage: "reference log-probs", done: rows.count, total: rows.count, unit: "pairs" });
    try {
      await writeFileAtomic(path, Buffer.from(table.buffer, table.byteOffset, table.byteLength));
    } catch (error) {
      const message = `the reference's log-probs could not be kept for other runs: ${(error as Error).message}`;
      onEvent({ code: "dpo/reference-not-cached", level: "warning", message, path });
    }
  }
}
