/** A batch on its way: slots that rows enter by a prefill and leave when they end, and one step for all of them. */
import type { LanguageModel } from "../models/index.ts";
import { bucketRows } from "../runtime/index.ts";
import { groupPrompts } from "./batch-plan.ts";
import type { CompletionRow } from "./completion.ts";
import type { RowEnds } from "./decoder.ts";
import type { Engine } from "./engine.ts";
import { copyRow } from "./kv-cache.ts";

export interface RunningBatch {
  readonly size: number;
  readonly capacity: number;
  /** In the order of their slots. */
  active(): CompletionRow[];
  /** Prefills rows, at most as many as there are free slots, and draws the first token of each. */
  admit(rows: readonly CompletionRow[]): Promise<void>;
  /** A token for every row. */
  step(): Promise<void>;
  /** Goes on with another number of slots or another capacity, which must hold the active rows. */
  resize(size: number, capacity: number): void;
  /** Frees the row's slot. */
  remove(row: CompletionRow): void;
  close(): void;
}

/** Draws a token for each given row of the batch; rows that end with it become undefined. */
export type Advance = (ends: RowEnds, rows: readonly (CompletionRow | undefined)[]) => Promise<readonly (CompletionRow | undefined)[]>;

export function createRunningBatch(
  model: LanguageModel,
  engine: Engine,
  advance: Advance,
  shape: { readonly size: number; readonly capacity: number },
): RunningBatch {
  let { size, capacity } = shape;
  let cache = engine.allocateCache(size, capacity);
  let slots: (CompletionRow | undefined)[] = new Array<undefined>(size).fill(undefined);
  const active = (): CompletionRow[] => slots.filter((row) => row !== undefined);
  return {
    get size() {
      return size;
    },
    get capacity() {
      return capacity;
    },
    active,
    async admit(entering) {
      const free = slots.flatMap((row, slot) => (row === undefined ? [slot] : []));
      // Candidates of one prompt share its prefill.
      const prompts = [...new Set(entering.map((row) => row.promptIds))];
      for (const group of groupPrompts(
        prompts.map(({ length }) => length),
        model.config.maxPositions,
      )) {
        const members = group.members.map((member) => prompts[member]);
        const starting = entering.filter((row) => members.includes(row.promptIds));
        const prefill = await engine.prefill(group.rows, group.time, bucketRows(starting.length));
        const { ends, caches } = await prefill.run(
          members,
          starting.map((row) => members.indexOf(row.promptIds)),
        );
        for (const row of await advance(ends, starting)) {
          if (row === undefined) continue;
          const slot = free.shift() as number;
          copyRow(caches, members.indexOf(row.promptIds), cache, slot, row.promptIds.length);
          slots[slot] = row;
        }
      }
    },
    async step() {
      const ids = Int32Array.from(slots, (row) => row?.ids[row.ids.length - 1] ?? 0);
      const positions = Int32Array.from(slots, (row) => (row === undefined ? 0 : cachedLength(row)));
      const decoder = await engine.decoder(size, capacity);
      slots = [...(await advance(await decoder.step(cache, ids, positions), slots))];
    },
    resize(nextSize, nextCapacity) {
      if (nextSize === size && nextCapacity === capacity) return;
      const rows = active();
      const next = engine.allocateCache(nextSize, nextCapacity);
      for (const [slot, row] of rows.entries()) copyRow(cache.buffers, slots.indexOf(row), next, slot, cachedLength(row));
      slots = Array.from({ length: nextSize }, (_, slot) => rows[slot]);
      engine.giveBackCache(cache);
      [size, capacity, cache] = [nextSize, nextCapacity, next];
    },
    remove(row) {
      slots = slots.map((other) => (other === row ? undefined : other));
    },
    close: () => engine.giveBackCache(cache),
  };
}

/** Tokens in the row's cache: all but the last drawn, which the next step takes in. */
function cachedLength(row: CompletionRow): number {
  return row.promptIds.length + row.ids.length - 1;
}
