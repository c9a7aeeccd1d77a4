import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type LabelPairsOptions, type LabelRow, makeLabelPairsInTurns, type PairRow } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";

export interface PairsWriter {
  /** Writes soon: many changes are one write. A failure is told by the next `write` or `close`. */
  schedule(): void;
  /** Writes now; how many pairs there are. Without any label there is no file. */
  write(): Promise<number>;
  /** Writes what has not been written. */
  close(): Promise<void>;
}

/** Long enough for a burst of labels to be one write. */
const delay = 300;
/** Written before others have their turn. */
const linesAtATime = 2000;
/** Of the time, at most one part in so many goes into making pairs, however many labels there are. */
const rarity = 40;

/** Keeps the pairs' file up with the labels that `list` gives. */
export function createPairsWriter(path: string, list: () => readonly LabelRow[], options: LabelPairsOptions): PairsWriter {
  let timer: NodeJS.Timeout | undefined;
  let isStale = true;
  let cost = 0;
  let count = 0;
  let turn: Promise<unknown> = Promise.resolve();
  const write = async (): Promise<number> => {
    clearTimeout(timer);
    timer = undefined;
    const labels = list();
    if (!isStale || labels.length === 0) return count;
    isStale = false;
    const started = performance.now();
    try {
      count = (await writePairsFile(path, labels, options)).length;
    } catch (error) {
      isStale = true;
      throw error;
    }
    cost = performance.now() - started;
    return count;
  };
  const writeInTurn = (): Promise<number> => {
    const result = turn.then(write);
    turn = result.catch(() => {});
    return result;
  };
  return {
    schedule() {
      isStale = true;
      timer ??= setTimeout(() => void writeInTurn().catch(() => {}), Math.max(delay, cost * rarity));
      timer.unref();
    },
    write: writeInTurn,
    async close() {
      await writeInTurn();
    },
  };
}

/** Writes the pairs that the labels make as JSON lines, aside and renamed: whoever reads the file finds it whole. Returns them. */
async function writePairsFile(path: string, labels: readonly LabelRow[], options: LabelPairsOptions): Promise<readonly PairRow[]> {
  const pairs = await makeLabelPairsInTurns(labels, options, setImmediate);
  const aside = join(dirname(path), `.${basename(path)}.tmp`);
  try {
    const file = await open(aside, "w");
    try {
      for (let start = 0; start < pairs.length; start += linesAtATime) {
        const lines = pairs.slice(start, start + linesAtATime).map((pair) => `${JSON.stringify(pair)}\n`);
        await file.writeFile(lines.join(""));
      }
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => {});
    throw new SparError("labeling/not-writable", `writing pairs to ${path}: ${(cause as Error).message}`, {
      hint: "The labels themselves are safe; the pairs are made from them again with every change.",
      cause,
    });
  }
  return pairs;
}
