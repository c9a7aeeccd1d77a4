/** Few shapes for many lengths, so that sessions can be kept. Pure: never depends on what is cached. */

/**
 * The padded length for `length` tokens: multiples of 8 up to 128, then eight steps an octave (16 up to 256, 32 up to 512 …),
 * so that beyond 64 at most 12.5 % is added. Never more than `limit`, where given (a model's positions).
 */
export function bucketLength(length: number, limit = Infinity): number {
  const octave = length <= 64 ? 64 : 2 ** Math.ceil(Math.log2(length));
  const step = Math.max(8, octave / 16);
  return Math.min(Math.max(step, Math.ceil(length / step) * step), Math.max(limit, length));
}

/** The padded number of rows for `rows`: powers of two up to 8, then multiples of 8. */
export function bucketRows(rows: number, limit = Infinity): number {
  const padded = rows <= 8 ? 2 ** Math.ceil(Math.log2(Math.max(1, rows))) : Math.ceil(rows / 8) * 8;
  return Math.min(padded, Math.max(limit, rows));
}

/**
 * Tokens that one forward pass takes, padding included, where a row alone has no more: over so many rows matrix products run at
 * their full rate (see `rowsInCache` in onnx/products.ts), and what lies between two of them is small enough to stay cached.
 */
export const tokensPerPass = 767;

/** Rows of `length` tokens in one such pass. */
export function rowsPerPass(length: number): number {
  const most = tokensPerPass / bucketLength(length);
  return most < 8 ? 2 ** Math.floor(Math.log2(Math.max(1, most))) : Math.floor(most / 8) * 8;
}
