/** A score-head model as a reward of rows. */
import { SparError } from "../internal/errors.ts";
import { createScorer, type Scorer } from "../generation/index.ts";
import { freeModel, hasScoreHead, loadModel, readModelConfig } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizer/index.ts";
import type { RewardFunction, RewardRow } from "./reward.ts";

/** Scores prompt and completion as the ids they were sampled as, or as `encode` makes them. */
export function createModelReward(
  scorer: Scorer,
  { name, encode = joinIds }: { readonly name: string; readonly encode?: (row: RewardRow) => ArrayLike<number> },
): RewardFunction {
  return {
    name,
    score: async (rows, options) => {
      try {
        return Array.from(await scorer.scores(rows.map(encode), options));
      } catch (error) {
        if (!(error instanceof SparError) || error.code !== "generation/bad-row") throw error;
        // A policy may have more positions than what judges it.
        throw new SparError(error.code, `The reward model ${name}: ${error.message}`, {
          hint: "give shorter prompts (max_prompt_length) or completions, or a reward model with more positions",
          cause: error,
        });
      }
    },
    release: () => scorer.release(),
  };
}

const joinIds = (row: RewardRow): number[] => [...row.prompt_ids, ...row.completion_ids];

/**
 * Loads the reward model of a folder. Where its tokenizer is not `tokenizer` (the policy's), rows are tokenised anew from
 * their texts, through the reward model's chat template where the prompt is messages.
 *
 * Throws `rewards/no-score-head` for a language model: its score head would be random.
 */
export async function loadModelReward(
  folder: string,
  backend: Backend,
  {
    name = folder,
    tokenizer,
    batchSize,
    encodeTexts = false,
  }: {
    readonly name?: string;
    readonly tokenizer?: Tokenizer | undefined;
    readonly batchSize?: number | undefined;
    /** For rows that hold texts only: they are tokenised here, whatever `tokenizer` is. */
    readonly encodeTexts?: boolean;
  } = {},
): Promise<RewardFunction> {
  if (!hasScoreHead(await readModelConfig(folder))) {
    throw new SparError(
      "rewards/no-score-head",
      `Loading the reward model ${folder}: expected a …ForSequenceClassification, got a language model`,
      { hint: "Train one with: spar reward" },
    );
  }
  const own = await loadTokenizer(folder);
  const model = await loadModel(folder, backend, { head: "score" });
  const scorer = createScorer(model, backend, batchSize === undefined ? {} : { maxRows: batchSize });
  const same = !encodeTexts && (tokenizer === undefined || sameVocabulary(own, tokenizer));
  const reward = createModelReward(scorer, same ? { name } : { name, encode: (row) => encodeRow(own, row) });
  return {
    ...reward,
    release() {
      scorer.release();
      freeModel(model);
    },
  };
}

/** Vocabulary, merges and added tokens: what decides which ids a text has. Padding and truncation settings may differ. */
function sameVocabulary(a: Tokenizer, b: Tokenizer): boolean {
  const parts = ({ files }: Tokenizer): string => {
    const { model, added_tokens, normalizer, pre_tokenizer } = JSON.parse(files["tokenizer.json"]) as { [key: string]: unknown };
    return JSON.stringify([model, added_tokens, normalizer, pre_tokenizer]);
  };
  return parts(a) === parts(b);
}

/** Prompt and completion as ids, as a reward model of this tokenizer was trained to see them. */
export function encodeRow(tokenizer: Tokenizer, row: Pick<RewardRow, "prompt" | "completion">): number[] {
  if (typeof row.prompt !== "string") return tokenizer.encodeChat([...row.prompt, { role: "assistant", content: row.completion }]);
  const ids = tokenizer.encode(row.prompt + row.completion);
  // Reward models are trained on texts closed by an end token (as TRL adds it), and score there.
  return tokenizer.eosId === undefined || ids.at(-1) === tokenizer.eosId ? ids : [...ids, tokenizer.eosId];
}
