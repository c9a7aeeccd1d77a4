import { setImmediate } from "node:timers/promises";

import { InterruptedError, SparError } from "../internal/errors.ts";
import type { Progress } from "../tracking/index.ts";
import { BadRows } from "./bad-rows.ts";
import { detectFormat, type DetectedFormat, EXPECTED_COLUMNS } from "./formats/detect-format.ts";
import type { ExampleFor, Purpose } from "./formats/example.ts";
import { RowLeftOut, RowProblem } from "./formats/read-values.ts";
import type { IndexedRows } from "./indexed-rows.ts";
import type { Dataset } from "./mixture.ts";
import { createRecordStore, type RecordCodec } from "./record-store.ts";
import { createTokeniseContext, type DataTokenizer, type EventSink, type TokeniseContext } from "./tokenise-content.ts";

export type PrepareOptions = {
  tokenizer: DataTokenizer;
  /** TRL's `dataset_text_field`. */
  textColumn?: string;
  /** What these rows are for, where that is not training: `evaluation`; told with what is said of them. */
  role?: string;
  onEvent?: EventSink;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
  /** Bytes of token ids kept in memory; beyond, they go to a temporary file. */
  storeLimit?: number;
  tempDir?: string;
};

/** A data set tokenised: rows that could not be used are gone, the others keep their order. */
export interface PreparedRows<T> extends IndexedRows<T> {
  /** Tokens of each row, for grouping, buckets and forecasts. */
  readonly lengths: Uint32Array;
  readonly tasks: readonly string[];
  task(index: number): string;
  /** The number of this row in the data set it was made from (of a packed row: of its first text's stretch). */
  source(index: number): number;
  /** Rows left out, and rows cut short. */
  readonly dropped: number;
  readonly truncated: number;
}

/** What became of an example: a record, or nothing; `length` in tokens. */
export type Prepared<T> = { record: T; length: number; isTruncated?: boolean } | undefined;

const BREATHE_EVERY = 64;

/**
 * Converts and tokenises all rows: finds each part's format and says it (`data/format`), collects rows that
 * are not as expected, counts those left out (`data/rows-dropped`) and cut (`data/rows-truncated`).
 * @param tokenise gives the record to keep, or undefined to leave the row out
 * @param describeDropped why rows are left out, for the event
 * @throws {SparError} data/columns, data/bad-rows, data/empty
 */
export async function prepareRows<P extends Purpose, T>(
  dataset: Dataset,
  purpose: P,
  codec: RecordCodec<T>,
  options: PrepareOptions,
  tokenise: (example: ExampleFor[P], context: TokeniseContext, index: number) => Prepared<T>,
  describeDropped: string,
): Promise<PreparedRows<T>> {
  const onEvent = options.onEvent ?? (() => {});
  const context = createTokeniseContext(options.tokenizer, onEvent);
  const formats = await announceFormats(dataset, purpose, options, onEvent);
  const bad = new BadRows("preparing data", EXPECTED_COLUMNS[purpose]);
  const store = createRecordStore(codec, "the prepared data", {
    ...(options.storeLimit === undefined ? {} : { limit: options.storeLimit }),
    ...(options.tempDir === undefined ? {} : { tempDir: options.tempDir }),
  });
  const lengths: number[] = [];
  const sources: number[] = [];
  const reasons = new Map<string, number>();
  let dropped = 0;
  let truncated = 0;
  const leaveOut = (reason: string): void => {
    dropped++;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  };
  try {
    for (let index = 0; index < dataset.count; index++) {
      if (index % BREATHE_EVERY === 0) {
        options.onProgress?.({ stage: "tokenising", done: index, total: dataset.count, unit: "rows" });
        await setImmediate();
        if (options.signal?.aborted) throw new InterruptedError("tokenising the data was stopped");
      }
      const row = await dataset.read(index);
      let prepared: Prepared<T>;
      try {
        prepared = tokenise(formats[dataset.partOf(index)]!.convert(row), context, index);
      } catch (problem) {
        if (problem instanceof RowLeftOut) {
          leaveOut(problem.message);
          continue;
        }
        const isRowProblem = problem instanceof RowProblem || (problem instanceof SparError && problem.code === "tokenizer/chat-template");
        if (!isRowProblem) throw problem;
        bad.add(dataset.place(index), problem.message);
        continue;
      }
      if (!prepared) {
        leaveOut(describeDropped);
        continue;
      }
      if (prepared.isTruncated) truncated++;
      lengths.push(prepared.length);
      sources.push(index);
      await store.add(prepared.record);
    }
    bad.throwIfAny(dataset.count);
    if (lengths.length === 0) {
      throw new SparError("data/empty", `preparing data: no row is left, all ${dataset.count} were left out (${listReasons(reasons)})`, {
        // Only what was left out for its length can be saved by a longer one.
        hint: reasons.has(describeDropped)
          ? `raise ${purpose === "prompt" ? "max_prompt_length" : "max_length"}, or shorten the rows`
          : "look at the rows: none of them says anything that can be learnt",
      });
    }
    const rows = await store.finish();
    options.onProgress?.({ stage: "tokenising", done: dataset.count, total: dataset.count, unit: "rows" });
    if (dropped > 0) {
      onEvent({
        code: "data/rows-dropped",
        level: "warning",
        message: `${dropped} of ${dataset.count} ${rowsOf(options)} were left out (${listReasons(reasons)})`,
        dropped,
      });
    }
    if (truncated > 0) {
      onEvent({
        code: "data/rows-truncated",
        level: "warning",
        message: `${truncated} of ${dataset.count} ${rowsOf(options)} were cut to max_length`,
        truncated,
      });
    }
    const source = Uint32Array.from(sources);
    return {
      ...rows,
      lengths: Uint32Array.from(lengths),
      tasks: dataset.tasks,
      task: (index) => dataset.task(source[index]!),
      source: (index) => source[index]!,
      place: (index) => dataset.place(source[index]!),
      dropped,
      truncated,
    };
  } catch (error) {
    await store.discard();
    throw error;
  }
}

const rowsOf = ({ role }: { role?: string }): string => (role === undefined ? "rows" : `${role} rows`);

/** One reason stands alone; several each with their count. */
function listReasons(reasons: ReadonlyMap<string, number>): string {
  if (reasons.size === 1) return [...reasons.keys()].join("");
  return [...reasons].map(([reason, count]) => `${count}: ${reason}`).join("; ");
}

/** Detects the format of each part from its first row and says it. */
export async function announceFormats<P extends Purpose>(
  dataset: Dataset,
  purpose: P,
  options: { tokenizer: DataTokenizer; textColumn?: string; role?: string },
  onEvent: EventSink,
): Promise<DetectedFormat<P>[]> {
  const formats: DetectedFormat<P>[] = [];
  // A split or a mixture may take fewer rows than the part has.
  const counts = new Uint32Array(dataset.parts.length);
  for (let index = 0; index < dataset.count; index++) counts[dataset.partOf(index)]!++;
  for (const [part, { task, rows }] of dataset.parts.entries()) {
    const format = detectFormat(
      await rows.read(0),
      purpose,
      {
        hasChatTemplate: options.tokenizer.hasChatTemplate,
        ...(options.textColumn === undefined ? {} : { textColumn: options.textColumn }),
      },
      rows.place(0).file,
    );
    formats.push(format);
    const count = counts[part]!.toLocaleString("en-US");
    onEvent({
      code: "data/format",
      level: "info",
      message: `${task}: ${count} ${rowsOf(options)}, read as ${format.announcement}`,
      task,
      format: format.name,
      rows: counts[part]!,
    });
  }
  return formats;
}
