/** The weight β of the KL penalty, fixed or steered towards a target (Ziegler et al. 2019, arXiv 1909.08593, §2.2). */
import { SparError } from "../internal/errors.ts";

export interface KLController {
  /** β now. */
  readonly coefficient: number;
  /** After a batch: its mean KL (summed over the sequence, in nats) and its number of episodes. */
  update(kl: number, episodes: number): void;
}

export function createFixedKLController(coefficient: number): KLController {
  return { coefficient, update() {} };
}

/**
 * β ← β·(1 + clip(KL/target − 1, ±0.2)·episodes/horizon). A KL that is not a number changes nothing.
 * `coefficient` is the start, or what a checkpoint kept.
 */
export function createAdaptiveKLController({
  coefficient,
  target,
  horizon,
}: {
  coefficient: number;
  target: number;
  horizon: number;
}): KLController {
  if (!(target > 0 && horizon > 0))
    throw new SparError(
      "rollout/invalid-option",
      `createAdaptiveKLController: expected target and horizon above 0, got ${target} and ${horizon}`,
    );
  let current = coefficient;
  return {
    get coefficient() {
      return current;
    },
    update(kl, episodes) {
      const error = Math.max(-0.2, Math.min(0.2, kl / target - 1));
      if (!Number.isNaN(error)) current *= Math.max(0, 1 + (error * episodes) / horizon);
    },
  };
}
