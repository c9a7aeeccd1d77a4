import { assert } from "../internal/errors.ts";

/**
 * Rows of different lengths side by side, `[rows.length, length]` in one array, filled up at the right with `value`.
 * @param length at least the longest row's
 */
export function padTo(rows: readonly ArrayLike<number>[], length: number, value: number): Int32Array {
  const padded = new Int32Array(rows.length * length).fill(value);
  rows.forEach((row, i) => {
    assert(row.length <= length, `padding a row of ${row.length} to ${length}`);
    padded.set(row, i * length);
  });
  return padded;
}
