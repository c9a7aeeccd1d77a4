import type { Row, RowPlace } from "./row.ts";

/** Rows with random access by number, held in memory or read from disk on demand. */
export interface IndexedRows<T = Row> {
  readonly count: number;
  /** Row `index`, 0 ≤ index < count. */
  read(index: number): Promise<T>;
  /** Where row `index` stands in its file, for messages. */
  place(index: number): RowPlace;
  /** Lets go of open files and temporary files. Reading afterwards is an error. */
  close(): Promise<void>;
}

/** Rows held in memory. `lines` gives each row's line (from 1); without it rows count as lines. */
export function createMemoryRows<T>(
  rows: readonly T[],
  file: string,
  options: { lines?: ArrayLike<number>; unit?: "line" | "row" } = {},
): IndexedRows<T> {
  return {
    count: rows.length,
    async read(index) {
      checkIndex(index, rows.length, file);
      return rows[index]!;
    },
    place: (index) => ({ file, line: options.lines?.[index] ?? index + 1, unit: options.unit ?? "line" }),
    async close() {},
  };
}

/** One sequence made of several, in order. Closing it closes them. */
export function concatRows<T>(parts: readonly IndexedRows<T>[]): IndexedRows<T> {
  if (parts.length === 1) return parts[0]!;
  const starts: number[] = [];
  let count = 0;
  for (const part of parts) {
    starts.push(count);
    count += part.count;
  }
  const locate = (index: number): [IndexedRows<T>, number] => {
    checkIndex(index, count, "the concatenated rows");
    let low = 0;
    let high = parts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return [parts[low]!, index - starts[low]!];
  };
  return {
    count,
    read(index) {
      const [part, at] = locate(index);
      return part.read(at);
    },
    place(index) {
      const [part, at] = locate(index);
      return part.place(at);
    },
    async close() {
      await Promise.all(parts.map((part) => part.close()));
    },
  };
}

/** The rows `indices` of `rows`, in that order (repeats allowed). Closing it closes `rows`. */
export function selectRows<T>(rows: IndexedRows<T>, indices: ArrayLike<number>): IndexedRows<T> {
  const pick = (index: number): number => {
    checkIndex(index, indices.length, "the selected rows");
    return indices[index]!;
  };
  return {
    count: indices.length,
    read: async (index) => rows.read(pick(index)),
    place: (index) => rows.place(pick(index)),
    close: () => rows.close(),
  };
}

/** Each row passed through `convert` when it is read. */
export function mapRows<T, U>(rows: IndexedRows<T>, convert: (row: T, index: number) => U): IndexedRows<U> {
  return {
    count: rows.count,
    read: async (index) => convert(await rows.read(index), index),
    place: (index) => rows.place(index),
    close: () => rows.close(),
  };
}

export function checkIndex(index: number, count: number, what: string): void {
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new RangeError(`row ${index} of ${what} was asked for, which has ${count}`);
  }
}
