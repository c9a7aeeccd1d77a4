import { SparError } from "../internal/errors.ts";

/**
 * target[indices[n], :] += rows[n, :], in the order of n (so the same bits every time).
 * @param target [V, width] @param indices [N] @param rows [N, width]
 * Throws `runtime/index-out-of-range` before it writes anything.
 */
export function addRows(target: Float32Array, indices: Int32Array, rows: Float32Array, width: number): void {
  const count = width === 0 ? 0 : target.length / width;
  for (let n = 0; n < indices.length; n++) {
    const index = indices[n] as number;
    if (index < 0 || index >= count) {
      throw new SparError(
        "runtime/index-out-of-range",
        `scatterAddRows: expected indices from 0 to ${count - 1}, got ${index} at position ${n}`,
      );
    }
  }
  for (let n = 0; n < indices.length; n++) {
    const to = (indices[n] as number) * width;
    const from = n * width;
    for (let c = 0; c < width; c++) target[to + c] = (target[to + c] as number) + (rows[from + c] as number);
  }
}
