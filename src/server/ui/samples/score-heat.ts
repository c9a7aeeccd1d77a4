/** What a reward model thinks of a text token by token. */
import { SparError } from "../../../internal/errors.ts";
import { encodeRow } from "../../../rewards/index.ts";
import type { Tokenizer } from "../../../tokenizer/index.ts";
import type { ScoringModel } from "../model-pool.ts";
import type { Heat, HeatToken, SamplePrompt } from "./protocol.ts";

interface HeatRow {
  readonly ids: readonly number[];
  /** Index of the completion's first token. */
  readonly start: number;
}

/** One a row; rows that the model cannot take are told by themselves. */
export async function scoreByToken(
  { scorer, tokenizer }: Pick<ScoringModel, "scorer" | "tokenizer">,
  rows: readonly { readonly prompt: SamplePrompt; readonly text: string }[],
  signal?: AbortSignal,
): Promise<(Heat | { readonly error: string })[]> {
  const encoded = rows.map(({ prompt, text }) => {
    try {
      const row = encodeCompletion(tokenizer, prompt, text);
      scorer.check(row.ids);
      return row;
    } catch (error) {
      if (!(error instanceof SparError)) throw error;
      return { error: error.message };
    }
  });
  const good = encoded.filter((row): row is HeatRow => "ids" in row);
  // One position more, where there is one: how the prompt alone stands.
  const scored = await scorer.positionScores(
    good.map(({ ids, start }) => ({ ids, from: Math.max(0, start - 1) })),
    { signal },
  );
  const byRow = new Map(good.map((row, i) => [row, scored[i]]));
  return encoded.map((row) => ("ids" in row ? describeHeat(row, byRow.get(row) as Float32Array, tokenizer) : row));
}

/** The completion starts where the ids part from those of the prompt alone. */
function encodeCompletion(tokenizer: Tokenizer, prompt: SamplePrompt, text: string): HeatRow {
  const messages = typeof prompt === "string" ? undefined : prompt.map((message) => ({ ...message }));
  const ids = encodeRow(tokenizer, { prompt: messages ?? (prompt as string), completion: text });
  const alone = messages === undefined ? tokenizer.encode(prompt as string) : tokenizer.encodeChat(messages, { addGenerationPrompt: true });
  let start = 0;
  while (start < alone.length && start < ids.length - 1 && alone[start] === ids[start]) start++;
  return { ids, start };
}

function describeHeat({ ids, start }: HeatRow, scores: Float32Array, tokenizer: Tokenizer): Heat {
  const texts = splitTexts(tokenizer, ids).slice(start);
  const own = scores.subarray(start === 0 ? 0 : 1);
  const tokens: HeatToken[] = texts.map((text, i) => {
    const ends = tokenizer.specialIds.has(ids[start + i]);
    return { text: ends ? (tokenizer.idToToken(ids[start + i]) ?? "") : text, score: own[i], ends };
  });
  return { score: scores.at(-1) as number, before: start === 0 ? null : scores[0], tokens };
}

/** Texts that joined are the whole: a token within a character has none, its last one has it all. */
function splitTexts(tokenizer: Tokenizer, ids: readonly number[]): string[] {
  const decoder = tokenizer.createIncrementalDecoder({ skipSpecialTokens: true });
  const texts = ids.map((id) => decoder.push(id));
  texts[texts.length - 1] += decoder.flush();
  return texts;
}
