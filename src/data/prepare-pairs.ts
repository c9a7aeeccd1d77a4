import type { Dataset } from "./mixture.ts";
import { type PreparedRows, type PrepareOptions, prepareRows } from "./prepare.ts";
import { completionCodec, pairCodec } from "./record-codecs.ts";
import { type TokenizedCompletion, type TokenizedPair, tokenisePair, tokeniseUnpaired } from "./tokenise-pair.ts";

export type PreparePairsOptions = PrepareOptions & {
  maxLength: number | null;
  /**
   * What happens to sequences longer than maxLength. `drop` (as TRL's RewardTrainer): the pair is left out.
   * `keep_start` (as its DPOTrainer): completions are cut at their end; a pair is left out whose prompt alone
   * fills maxLength.
   */
  overflow?: "drop" | "keep_start";
};

/** Preference pairs. A row's length is that of its longer side, prompt included. */
export async function preparePairs(dataset: Dataset, options: PreparePairsOptions): Promise<PreparedRows<TokenizedPair>> {
  const { maxLength, overflow = "drop" } = options;
  return prepareRows(
    dataset,
    "preference",
    pairCodec,
    options,
    (example, context) => {
      const pair = tokenisePair(example, context);
      const length = pair.promptIds.length + Math.max(pair.chosenIds.length, pair.rejectedIds.length);
      if (maxLength === null || length <= maxLength) return { record: pair, length };
      if (overflow === "drop" || pair.promptIds.length >= maxLength) return undefined;
      return { record: cutEnds(pair, maxLength), length: maxLength, isTruncated: true };
    },
    overflow === "drop" ? "longer than max_length" : "the prompt alone fills max_length",
  );
}

/** Prompts with one rated completion; cut at the end, and left out where the prompt alone fills maxLength. */
export async function prepareUnpaired(
  dataset: Dataset,
  options: PrepareOptions & { maxLength: number | null },
): Promise<PreparedRows<TokenizedCompletion>> {
  const { maxLength } = options;
  return prepareRows(
    dataset,
    "unpaired",
    completionCodec,
    options,
    (example, context) => {
      const whole = tokeniseUnpaired(example, context);
      const length = whole.promptIds.length + whole.completionIds.length;
      if (maxLength === null || length <= maxLength) return { record: whole, length };
      if (whole.promptIds.length >= maxLength) return undefined;
      const record = { ...whole, completionIds: whole.completionIds.slice(0, maxLength - whole.promptIds.length) };
      return { record, length: maxLength, isTruncated: true };
    },
    "the prompt alone fills max_length",
  );
}

function cutEnds(pair: TokenizedPair, maxLength: number): TokenizedPair {
  const room = maxLength - pair.promptIds.length;
  return { ...pair, chosenIds: pair.chosenIds.slice(0, room), rejectedIds: pair.rejectedIds.slice(0, room) };
}
