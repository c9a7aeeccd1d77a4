/** The part of a step graph that scores tokens: rows of sequences → logits, of the tokens that count only. */
import { batchRows, type LanguageModel, type SequenceRow } from "../models/index.ts";
import { createFullSequence, type Parameters } from "../nn/index.ts";
import { bucketLength, bucketRows } from "../runtime/index.ts";
import { gather, input, recomputed, type Tensor, type TensorData } from "../tensor/index.ts";

/** A row and the tokens to score in it: token `t` of `targets` is predicted from row index `from[t]`. */
export interface ScoredRow extends SequenceRow {
  readonly from: readonly number[];
  readonly targets: readonly number[];
}

export interface ScoredBatch {
  /** Names the graph that fits. */
  readonly shape: string;
  readonly batch: number;
  readonly time: number;
  /** Scored tokens, padded, and how many are real. */
  readonly scored: number;
  readonly count: number;
  readonly inputs: { readonly [name: string]: TensorData };
}

/**
 * Room for `count` things: `usual`, where little of that stays empty, so that batches of about the same size share a graph.
 */
export function roomFor(count: number, usual: number): number {
  return bucketLength(count <= usual && usual <= 1.3 * count ? usual : count);
}

/**
 * Logits that one graph holds at a time: 2²⁵ of them are 128 MB, and a backward pass needs three times that. A GPT-2 step of 8 rows
 * with 64 scored tokens each takes a tenth longer in two parts than in one; beyond that, larger parts only take more memory.
 */
const mostLogits = 2 ** 25;

/**
 * Splits a batch into parts of about the same size whose logits stay near that bound. Losses are sums over tokens with
 * weights of the whole batch, so the parts add up to the same step.
 */
export function splitByLogits<T>(items: readonly T[], countTokens: (item: T) => number, vocabSize: number, most = mostLogits): T[][] {
  const sizes = items.map((item) => countTokens(item) * vocabSize);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const count = Math.ceil(total / most);
  const parts: T[][] = Array.from({ length: Math.max(1, count) }, () => []);
  let before = 0;
  for (const [i, item] of items.entries()) {
    // Where the middle of an item falls decides; an item that spans several parts leaves the others empty.
    const middle = total === 0 ? 0 : (before + sizes[i] / 2) / total;
    parts[Math.min(parts.length - 1, Math.floor(middle * count))].push(item);
    before += sizes[i];
  }
  return parts.filter((part) => part.length > 0);
}

/** Pads rows to a bucket; `usual`: how many tokens such a batch scores as a rule. Scored tokens keep the order of the rows; padding ones score row 0's first token and weigh nothing. */
export function batchScoredRows(rows: readonly ScoredRow[], maxPositions: number, usual = 0): ScoredBatch {
  const batch = bucketRows(rows.length);
  const time = bucketLength(Math.max(...rows.map((row) => row.ids.length)), Math.max(maxPositions, ...rows.map((row) => row.ids.length)));
  const count = rows.reduce((sum, row) => sum + row.targets.length, 0);
  const scored = roomFor(count, usual);
  const where = new Int32Array(scored);
  const labels = new Int32Array(scored);
  const real = new Float32Array(scored).fill(1, 0, count);
  let at = 0;
  for (const [b, row] of rows.entries()) {
    for (const [i, from] of row.from.entries()) {
      where[at] = b * time + from;
      labels[at++] = row.targets[i];
    }
  }
  const { ids, positions, bias } = batchRows(rows, batch, time);
  return { shape: `${batch}x${time}:${scored}`, batch, time, scored, count, inputs: { ids, positions, bias, rows: where, labels, real } };
}

/** Runs a block as it is, or to be computed again in the backward pass. */
export function blockRunner(checkpointing: boolean): <T>(body: () => T) => T {
  return checkpointing ? recomputed : (body) => body();
}

export interface TokenScores {
  /** Hidden states of all positions [B·T, C]. */
  readonly trunk: Tensor;
  /** [scored, V] */
  readonly logits: Tensor;
  /** int32 [scored] */
  readonly labels: Tensor;
  /** [scored]: 1 for real tokens, 0 for padding. */
  readonly real: Tensor;
  /** Hidden states of the scored positions [scored, C]. */
  readonly hidden: Tensor;
}

/** The graph that takes a `ScoredBatch`'s inputs. */
export function scoreTokens(
  model: LanguageModel,
  p: Parameters,
  { batch, time, scored }: { batch: number; time: number; scored: number },
  { checkpointing }: { checkpointing: boolean },
): TokenScores {
  const { architecture, config } = model;
  const trunk = architecture.trunk(config, p, createFullSequence(batch, time), blockRunner(checkpointing));
  const hidden = gather(trunk, input("rows", "int32", [scored]));
  return {
    trunk,
    logits: architecture.head(config, p, hidden),
    labels: input("labels", "int32", [scored]),
    real: input("real", "float32", [scored]),
    hidden,
  };
}
