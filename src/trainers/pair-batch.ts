/**
 * The row of a preference pair: [prompt | chosen | rejected]. Both completions see the prompt and not each other, and both
 * continue its positions, so the prompt is computed once and every number is that of two rows.
 */
import type { TokenizedPair } from "../data/index.ts";
import type { SequenceRow } from "../models/index.ts";
import type { ScoredRow } from "./token-losses.ts";

export function pairRow({ promptIds, chosenIds, rejectedIds }: TokenizedPair): SequenceRow {
  const prompt = promptIds.length;
  const answers = [chosenIds, rejectedIds];
  return {
    ids: [...promptIds, ...chosenIds, ...rejectedIds],
    segments: [...promptIds.map(() => 0), ...answers.flatMap((ids, i) => ids.map(() => i + 1))],
    positions: [...promptIds.keys(), ...answers.flatMap((ids) => ids.map((_, t) => prompt + t))],
  };
}

/** The same with all completion tokens to be scored, chosen ones first; without a prompt nothing predicts a completion's first. */
export function scoredPairRow(pair: TokenizedPair): ScoredRow & { readonly chosenCount: number } {
  const { promptIds, chosenIds, rejectedIds } = pair;
  const prompt = promptIds.length;
  const from: number[] = [];
  const targets: number[] = [];
  let chosenCount = 0;
  let start = prompt;
  for (const ids of [chosenIds, rejectedIds]) {
    for (const [t, id] of ids.entries()) {
      if (t === 0 && prompt === 0) continue;
      from.push(t === 0 ? prompt - 1 : start + t - 1);
      targets.push(id);
    }
    if (ids === chosenIds) chosenCount = targets.length;
    start += ids.length;
  }
  return { ...pairRow(pair), from, targets, chosenCount };
}

/** Tokens of the two whole sequences, as TRL counts them. */
export function countPairTokens({ promptIds, chosenIds, rejectedIds }: TokenizedPair): number {
  return 2 * promptIds.length + chosenIds.length + rejectedIds.length;
}
