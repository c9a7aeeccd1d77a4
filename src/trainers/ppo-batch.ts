/** Rollouts and their targets → the inputs of one PPO step. */
import type { Rollout, TrainingTargets } from "../rollout/index.ts";
import { batchScoredRows, roomFor, type ScoredBatch } from "./token-losses.ts";

/** A rollout and what was sampled after its end token: computed and counted in the entropy, as TRL does, never trained. */
export interface Episode extends Rollout {
  readonly trailingIds?: readonly number[];
}

/** One episode with the numbers that PPO trains on. */
export interface Lesson {
  readonly episode: Episode;
  /** [L] */
  readonly advantages: Float32Array;
  /** [S] */
  readonly returns: Float32Array;
}

export interface PPOBatch extends ScoredBatch {
  /** States with a value, padded. */
  readonly states: number;
}

export function makeLessons(episodes: readonly Episode[], targets: TrainingTargets): Lesson[] {
  return episodes.map((episode, i) => ({ episode, advantages: targets.advantages[i], returns: targets.returns[i] }));
}

/** Where row `b` of a batch keeps its states: state t is the hidden state from which token t was drawn. */
function stateRows(episode: Episode, b: number, time: number): number[] {
  const first = b * time + episode.promptIds.length - 1;
  return Array.from({ length: episode.values.length }, (_, t) => first + t);
}

/** Tokens and states weigh 1/`tokens` and 1/`states`: the counts of the whole mini-batch. */
export function batchLessons(
  lessons: readonly Lesson[],
  limits: { maxPositions: number; responseLength: number },
  counts: { tokens: number; states: number },
): PPOBatch {
  const rows = lessons.map(({ episode }) => {
    const completion = [...episode.completionIds, ...(episode.trailingIds ?? [])];
    const prompt = episode.promptIds.length;
    return { ids: [...episode.promptIds, ...completion], from: completion.map((_, t) => prompt - 1 + t), targets: completion };
  });
  // Most completions are as long as they may be: one graph serves most batches.
  const usual = lessons.length * limits.responseLength;
  const batch = batchScoredRows(rows, limits.maxPositions, usual);
  const states = roomFor(
    lessons.reduce((sum, { episode }) => sum + episode.values.length, 0),
    usual,
  );
  const tokens = {
    oldLogprobs: new Float32Array(batch.scored),
    advantages: new Float32Array(batch.scored),
    weights: new Float32Array(batch.scored),
  };
  const values = {
    stateRows: new Int32Array(states),
    oldValues: new Float32Array(states),
    returns: new Float32Array(states),
    stateWeights: new Float32Array(states),
  };
  let token = 0;
  let state = 0;
  for (const [b, { episode, advantages, returns }] of lessons.entries()) {
    const length = episode.completionIds.length;
    tokens.oldLogprobs.set(episode.logprobs, token);
    tokens.advantages.set(advantages, token);
    tokens.weights.fill(1 / counts.tokens, token, token + length);
    token += length + (episode.trailingIds?.length ?? 0);
    values.stateRows.set(stateRows(episode, b, batch.time), state);
    values.oldValues.set(episode.values, state);
    values.returns.set(returns, state);
    values.stateWeights.fill(1 / counts.states, state, state + returns.length);
    state += returns.length;
  }
  return { ...batch, shape: `${batch.shape}/${states}`, states, inputs: { ...batch.inputs, ...tokens, ...values } };
}
