/** Generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438), and TRL's order of steps around it. */
import type { KLOptions } from "./estimate-kl.ts";
import { shapeRewards } from "./reward-shaping.ts";
import { checkRollout, type Rollout } from "./rollout.ts";
import { whiten, type WhitenOptions } from "./whiten.ts";

export interface DiscountOptions {
  readonly gamma: number;
  readonly lambda: number;
}

/**
 * Δₜ = Rₜ + γ·Vₜ₊₁ − Vₜ, Aₜ = Δₜ + γλ·Aₜ₊₁, returns G = A + V, with nothing after the last state.
 * Rewards and values are [S] of each row, and so are the results.
 */
export function estimateAdvantages(
  rewards: readonly Float32Array[],
  values: readonly Float32Array[],
  { gamma, lambda }: DiscountOptions,
): { advantages: Float32Array[]; returns: Float32Array[] } {
  const advantages = rewards.map((row, i) => {
    const own = values[i];
    const result = new Float32Array(row.length);
    let nextValue = 0;
    let nextAdvantage = 0;
    for (let t = row.length - 1; t >= 0; t--) {
      nextAdvantage = row[t] + gamma * nextValue - own[t] + gamma * lambda * nextAdvantage;
      nextValue = own[t];
      result[t] = nextAdvantage;
    }
    return result;
  });
  return { advantages, returns: advantages.map((row, i) => row.map((a, t) => a + values[i][t])) };
}

export interface AdvantageOptions extends DiscountOptions {
  readonly klCoef: number;
  readonly kl?: KLOptions;
  /** Scale rewards to variance 1, mean kept, before advantages. */
  readonly whitenRewards: boolean;
  /** Advantages to mean 0 and variance 1. */
  readonly whitenAdvantages: boolean;
  readonly whitening?: Omit<WhitenOptions, "shiftMean">;
}

export interface TrainingTargets {
  /** [L] of each row, before whitening */
  readonly kl: Float32Array[];
  /** [S] of each row */
  readonly rewards: Float32Array[];
  /** [L] of each row: a state after the last token has no action to judge */
  readonly advantages: Float32Array[];
  /** [S] of each row */
  readonly returns: Float32Array[];
}

/**
 * A batch of rollouts → what PPO trains on: shaping, (whitening of rewards), GAE, (whitening of advantages), as TRL 0.12.2 does.
 * A row without a score pulls nowhere: its advantages are 0, its returns its own values, and it is left out of the whitening.
 */
export function computeTargets(rollouts: readonly Rollout[], options: AdvantageOptions): TrainingTargets {
  for (const rollout of rollouts) checkRollout(rollout);
  const { kl, rewards: shaped } = shapeRewards(rollouts, options.klCoef, options.kl);
  const scored = rollouts.flatMap((row, i) => (Number.isNaN(row.score) ? [] : [i]));
  const pick = (rows: readonly Float32Array[]): Float32Array[] => scored.map((i) => rows[i]);

  const rewards = options.whitenRewards ? whiten(pick(shaped), { ...options.whitening, shiftMean: false }) : pick(shaped);
  const estimated = estimateAdvantages(rewards, pick(rollouts.map((row) => row.values)), options);
  const ofTokens = estimated.advantages.map((row, i) => row.slice(0, rollouts[scored[i]].completionIds.length));
  const advantages = options.whitenAdvantages ? whiten(ofTokens, options.whitening) : ofTokens;

  const targets: TrainingTargets = {
    kl,
    rewards: shaped,
    advantages: rollouts.map((row) => new Float32Array(row.completionIds.length)),
    returns: rollouts.map((row) => row.values.slice()),
  };
  for (const [at, i] of scored.entries()) {
    targets.rewards[i] = rewards[at];
    targets.advantages[i] = advantages[at];
    targets.returns[i] = estimated.returns[at];
  }
  return targets;
}
