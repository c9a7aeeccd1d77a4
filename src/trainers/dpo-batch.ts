/** Pairs → the arrays of one graph, and what comes back summed into TRL's metrics. */
import type { TokenizedPair } from "../data/index.ts";
import { bucketRows } from "../runtime/index.ts";
import type { TensorData } from "../tensor/index.ts";
import { countPairTokens, scoredPairRow } from "./pair-batch.ts";
import { batchScoredRows, type ScoredBatch } from "./token-losses.ts";

export interface PairTokenBatch {
  readonly pairs: readonly TokenizedPair[];
  /** Names the graph that fits. */
  readonly shape: string;
  readonly scored: ScoredBatch;
  /** Pairs with padding: P. Side p of [2P] is the chosen one of pair p, side P + p the rejected one. */
  readonly room: number;
  readonly inputs: { readonly [name: string]: TensorData };
}

/** `ldAlpha`: weight of a completion's tokens beyond the length of the other one (Liu et al. 2024, arXiv 2409.06411). */
export function batchPairTokens(
  pairs: readonly TokenizedPair[],
  { maxPositions, ldAlpha = null }: { maxPositions: number; ldAlpha?: number | null },
): PairTokenBatch {
  const rows = pairs.map(scoredPairRow);
  const scored = batchScoredRows(rows, maxPositions);
  const room = bucketRows(pairs.length);
  const width = scored.scored;
  /** [2P, M] which tokens a side's log-prob sums, and with what weight; which it takes the mean of. */
  const sums = new Float32Array(2 * room * width);
  const means = new Float32Array(2 * room * width);
  /** [2, M] the chosen and the rejected tokens. */
  const sides = new Float32Array(2 * width);
  const lengths = new Float32Array(2 * room).fill(1);
  let at = 0;
  for (const [p, { targets, chosenCount }] of rows.entries()) {
    const counts = [chosenCount, targets.length - chosenCount];
    const shared = Math.min(...counts);
    for (const [side, count] of counts.entries()) {
      const row = (side * room + p) * width;
      sums.fill(1, row + at, row + at + Math.min(count, shared));
      sums.fill(ldAlpha ?? 1, row + at + Math.min(count, shared), row + at + count);
      means.fill(1 / count, row + at, row + at + count);
      sides.fill(1, side * width + at, side * width + at + count);
      lengths[side * room + p] = Math.max(1, (side === 0 ? pairs[p].chosenIds : pairs[p].rejectedIds).length);
      at += count;
    }
  }
  return { pairs, shape: scored.shape, scored, room, inputs: { ...scored.inputs, sums, means, sides, lengths } };
}

/** What one run of the graph gives. */
export interface PairResults {
  /** [2P] */
  readonly logps: Float32Array;
  /** Sums over tokens: entropy of all; hits of the chosen ones; [2] of a token's mean logit. */
  readonly entropy: number;
  readonly hits: number;
  readonly logits: ArrayLike<number>;
}

/** Sums over batches whose means are TRL's metrics. */
export class PairTally {
  #pairs = 0;
  #tokens = { all: 0, chosen: 0, rejected: 0, seen: 0 };
  #sums = { entropy: 0, hits: 0, chosenLogits: 0, rejectedLogits: 0 };
  #perPair = { chosen: 0, rejected: 0, accuracy: 0, chosenLogps: 0, rejectedLogps: 0 };

  /** `reference`: [2P], as the results. */
  add({ pairs, room, scored }: PairTokenBatch, results: PairResults, reference: Float32Array, beta: number): void {
    this.#pairs += pairs.length;
    for (const [p, pair] of pairs.entries()) {
      const chosen = results.logps[p] - reference[p];
      const rejected = results.logps[room + p] - reference[room + p];
      const magnitude = Math.abs(results.logps[p]) + Math.abs(results.logps[room + p]);
      this.#perPair.chosen += beta * chosen;
      this.#perPair.rejected += beta * rejected;
      // What float32 may round differently is no preference: a model is not more right than its own copy.
      this.#perPair.accuracy += chosen - rejected > roundingOfLogps * magnitude ? 1 : 0;
      this.#perPair.chosenLogps += results.logps[p];
      this.#perPair.rejectedLogps += results.logps[room + p];
      const { targets, chosenCount } = scoredPairRow(pair);
      this.#tokens.chosen += chosenCount;
      this.#tokens.rejected += targets.length - chosenCount;
      this.#tokens.seen += countPairTokens(pair);
    }
    this.#tokens.all += scored.count;
    this.#sums.entropy += results.entropy;
    this.#sums.hits += results.hits;
    this.#sums.chosenLogits += results.logits[0];
    this.#sums.rejectedLogits += results.logits[1];
  }

  /** Tokens of the whole sequences so far. */
  get seenTokens(): number {
    return this.#tokens.seen;
  }

  describe(): { [name: string]: number } {
    const { chosen, rejected, accuracy, chosenLogps, rejectedLogps } = this.#perPair;
    const share = (value: number, of: number): number => (of === 0 ? 0 : value / of);
    const mean = (value: number): number => share(value, this.#pairs);
    return {
      entropy: share(this.#sums.entropy, this.#tokens.all),
      mean_token_accuracy: share(this.#sums.hits, this.#tokens.chosen),
      "logits/chosen": share(this.#sums.chosenLogits, this.#tokens.chosen),
      "logits/rejected": share(this.#sums.rejectedLogits, this.#tokens.rejected),
      "rewards/chosen": mean(chosen),
      "rewards/rejected": mean(rejected),
      "rewards/accuracies": mean(accuracy),
      "rewards/margins": mean(chosen - rejected),
      "logps/chosen": mean(chosenLogps),
      "logps/rejected": mean(rejectedLogps),
    };
  }
}

/** Sums of log-probs of the same weights differ by about this share, depending on how the batch was padded. */
const roundingOfLogps = 2 ** -21;
