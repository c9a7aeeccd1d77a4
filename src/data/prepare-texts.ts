import { RowLeftOut } from "./formats/read-values.ts";
import type { Dataset } from "./mixture.ts";
import { type PackedText, PACKING_CHUNK, type PackingStrategy, packTexts } from "./packing.ts";
import { type PreparedRows, type PrepareOptions, prepareRows } from "./prepare.ts";
import { textCodec } from "./record-codecs.ts";
import { createRecordStore } from "./record-store.ts";
import { tokeniseText, type TokenizedText, type TokeniseTextOptions } from "./tokenise-text.ts";

export type PrepareTextsOptions = PrepareOptions &
  TokeniseTextOptions & {
    /** Longer rows are cut (null: never). With packing this is done by the packing. */
    maxLength: number | null;
    truncationMode?: "keep_start" | "keep_end";
  };

/** Rows for language modelling and SFT. Rows in which nothing is to be learnt (after cutting) are left out. */
export async function prepareTexts(dataset: Dataset, options: PrepareTextsOptions): Promise<PreparedRows<TokenizedText>> {
  const { maxLength, truncationMode = "keep_start" } = options;
  return prepareRows(
    dataset,
    "text",
    textCodec,
    options,
    (example, context) => {
      const whole = tokeniseText(example, context, options);
      // Nothing comes before a row's first token, so it is never predicted.
      if (!whole.completionMask.includes(1, 1)) throw new RowLeftOut("empty: no token to learn");
      const isTruncated = maxLength !== null && whole.inputIds.length > maxLength;
      const record = isTruncated ? truncateText(whole, maxLength, truncationMode) : whole;
      return record.completionMask.includes(1, 1) ? { record, length: record.inputIds.length, isTruncated } : undefined;
    },
    "nothing to learn was left within max_length",
  );
}

export function truncateText(text: TokenizedText, maxLength: number, mode: "keep_start" | "keep_end"): TokenizedText {
  const from = mode === "keep_start" ? 0 : Math.max(0, text.inputIds.length - maxLength);
  return { inputIds: text.inputIds.slice(from, from + maxLength), completionMask: text.completionMask.slice(from, from + maxLength) };
}

/**
 * Prepared texts packed into rows of `maxLength`; prepare them with `maxLength: null`. Texts of different tasks share
 * rows (a packed row counts for the task of its stretch's first text), so pack evaluation data by task.
 */
export async function packPreparedTexts(
  texts: PreparedRows<TokenizedText>,
  options: { maxLength: number; strategy?: PackingStrategy; storeLimit?: number; tempDir?: string },
): Promise<PreparedRows<PackedText>> {
  const store = createRecordStore(textCodec, "the packed data", {
    ...(options.storeLimit === undefined ? {} : { limit: options.storeLimit }),
    ...(options.tempDir === undefined ? {} : { tempDir: options.tempDir }),
  });
  const lengths: number[] = [];
  const firsts: number[] = [];
  for (let from = 0; from < texts.count; from += PACKING_CHUNK) {
    const chunk: TokenizedText[] = [];
    for (let index = from; index < Math.min(from + PACKING_CHUNK, texts.count); index++) chunk.push(await texts.read(index));
    for (const packed of packTexts(chunk, options)) {
      lengths.push(packed.inputIds.length);
      firsts.push(from);
      await store.add(packed);
    }
  }
  const rows = await store.finish();
  return {
    ...rows,
    lengths: Uint32Array.from(lengths),
    tasks: texts.tasks,
    task: (index) => texts.task(firsts[index]!),
    source: (index) => texts.source(firsts[index]!),
    place: (index) => texts.place(firsts[index]!),
    dropped: texts.dropped,
    truncated: texts.truncated,
    async close() {
      await rows.close();
      await texts.close();
    },
  };
}
