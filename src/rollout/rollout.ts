/**
 * What one sampled completion leaves behind for training. Rows are ragged: each array is as long as its completion, so
 * that there is no padding that could be counted. L = tokens of the completion, S = its states (see `countStates`).
 */
import { SparError } from "../internal/errors.ts";

export interface Rollout {
  /** [P] */
  readonly promptIds: Int32Array;
  /** [L], with the end token where there is one */
  readonly completionIds: Int32Array;
  /** An end token closes it; otherwise it was cut at the length limit. */
  readonly ended: boolean;
  /** [L] of the policy that sampled, of logits ÷ temperature */
  readonly logprobs: Float32Array;
  /** [L] of the reference, of logits ÷ the same temperature */
  readonly referenceLogprobs: Float32Array;
  /** [S]: t is the value before token t was chosen, from the hidden state of the token ahead of it */
  readonly values: Float32Array;
  /** Reward of the whole completion, after normalisation and penalties; NaN where no reward applies. */
  readonly score: number;
}

/**
 * States that get a value, a reward and a return: the L before each token, and the one after the last token where a
 * completion stopped short of `responseLength` tokens. TRL (0.12.2, `padding_mask_p1`) pays the score there, hence
 * at the value of the end token's own hidden state; a completion of full length is paid at its last token.
 */
export function countStates(length: number, responseLength: number): number {
  return Math.min(length + 1, responseLength);
}

/** Throws `rollout/invalid` naming the array whose length does not fit. */
export function checkRollout(rollout: Rollout): void {
  const length = rollout.completionIds.length;
  if (length === 0) throw new SparError("rollout/invalid", "rollout: expected a completion of at least one token, got none");
  for (const name of ["logprobs", "referenceLogprobs"] as const) {
    if (rollout[name].length !== length)
      throw new SparError("rollout/invalid", `rollout: expected ${length} ${name} (one a token), got ${rollout[name].length}`);
  }
  const states = rollout.values.length;
  if (states !== length && states !== length + 1)
    throw new SparError("rollout/invalid", `rollout: expected ${length} or ${length + 1} values, got ${states}`);
}
