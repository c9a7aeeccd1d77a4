import type { Dataset } from "./mixture.ts";
import { type PreparedRows, type PrepareOptions, prepareRows } from "./prepare.ts";
import { idsCodec } from "./record-codecs.ts";
import { tokenisePrompt, type TokenizedPrompt } from "./tokenise-prompt.ts";

/**
 * Prompts for generation, each with its row for reward functions. Prompts longer than `maxPromptLength` (null: any
 * length) are left out: a prompt cut at its start asks something else.
 */
export async function preparePrompts(
  dataset: Dataset,
  options: PrepareOptions & { maxPromptLength: number | null },
): Promise<PreparedRows<TokenizedPrompt>> {
  const { maxPromptLength } = options;
  const ids = await prepareRows(
    dataset,
    "prompt",
    idsCodec,
    options,
    (example, context) => {
      const promptIds = tokenisePrompt(example, context);
      if (maxPromptLength !== null && promptIds.length > maxPromptLength) return undefined;
      return { record: promptIds, length: promptIds.length };
    },
    "longer than the longest prompt allowed",
  );
  return { ...ids, read: async (index) => ({ promptIds: await ids.read(index), row: await dataset.read(ids.source(index)) }) };
}
