/** What turns completions into numbers. Higher is better; null means that the reward does not apply to the row. */
import { SparError } from "../internal/errors.ts";
import type { ChatMessage } from "../tokenizer/index.ts";

/** A prompt and its completion; further keys are the columns of the data set's row. */
export interface RewardRow {
  readonly prompt: string | readonly ChatMessage[];
  readonly completion: string;
  /** With the end token, where there is one. */
  readonly completion_ids: readonly number[];
  readonly prompt_ids: readonly number[];
  readonly [column: string]: unknown;
}

export type Score = number | null;

export interface RewardFunction {
  /** For logs and error messages. */
  readonly name: string;
  /** One score a row, in order. */
  score(rows: readonly RewardRow[], options?: { readonly signal?: AbortSignal | undefined }): Promise<Score[]>;
  /** Gives memory back, where it holds any. */
  release?(): void;
}

/** Throws `rewards/invalid-scores` unless `scores` is a list of `count` finite numbers and nulls. `who` opens the message. */
export function checkScores(scores: unknown, count: number, who: string): Score[] {
  const expected = `a list of ${count} numbers (null: does not apply), one a row`;
  if (!Array.isArray(scores) && !ArrayBuffer.isView(scores)) {
    throw new SparError(
      "rewards/invalid-scores",
      `${who}: expected ${expected}, got ${scores === null ? "null" : `a value of type ${typeof scores}`}`,
    );
  }
  const list = Array.from(scores as ArrayLike<unknown>);
  if (list.length !== count) throw new SparError("rewards/invalid-scores", `${who}: expected ${expected}, got ${list.length}`);
  return list.map((score, i) => {
    if (score === null || (typeof score === "number" && Number.isFinite(score))) return score;
    const shown = typeof score === "number" || score === undefined ? String(score) : JSON.stringify(score);
    throw new SparError("rewards/invalid-scores", `${who}: expected ${expected}, got ${shown} for row ${i}`, {
      hint: "Give null where the reward does not apply.",
    });
  });
}
