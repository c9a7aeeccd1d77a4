/** Token rows → the arrays that a full sequence takes as inputs. Padding is on the right and never changes a number. */
import { masked } from "../nn/index.ts";

/**
 * One row of tokens. `segments` tells who sees whom: a token sees earlier tokens of its own segment and of
 * segment 0 of its document; so a prompt (0) is shared by several answers (1, 2, …), and packed
 * documents do not see each other. Positions count within a document, branches starting where the prompt ends.
 */
export interface SequenceRow {
  readonly ids: ArrayLike<number>;
  readonly positions?: ArrayLike<number>;
  readonly segments?: ArrayLike<number>;
  readonly documents?: ArrayLike<number>;
}

export interface SequenceBatch {
  readonly batch: number;
  readonly time: number;
  /** [B, T] */
  readonly ids: Int32Array;
  /** [B, T] */
  readonly positions: Int32Array;
  /** [B, 1, T, T]: 0 where the row's token sees the column's, `masked` elsewhere. */
  readonly bias: Float32Array;
}

/** Rows beyond the given ones, and tokens beyond a row's, are padding: they see only themselves. */
export function batchRows(rows: readonly SequenceRow[], batch: number, time: number): SequenceBatch {
  const ids = new Int32Array(batch * time);
  const positions = new Int32Array(batch * time);
  const bias = new Float32Array(batch * time * time).fill(masked);
  for (let b = 0; b < batch; b++) {
    const row = rows[b];
    const length = row?.ids.length ?? 0;
    for (let t = 0; t < time; t++) {
      const at = (b * time + t) * time;
      bias[at + t] = 0;
      if (row === undefined || t >= length) continue;
      ids[b * time + t] = row.ids[t];
      positions[b * time + t] = row.positions?.[t] ?? t;
      if (row.segments === undefined && row.documents === undefined) {
        bias.fill(0, at, at + t);
        continue;
      }
      const segment = row.segments?.[t] ?? 0;
      const document = row.documents?.[t] ?? 0;
      for (let s = 0; s < t; s++) {
        const sees = (row.documents?.[s] ?? 0) === document && [0, segment].includes(row.segments?.[s] ?? 0);
        if (sees) bias[at + s] = 0;
      }
    }
  }
  return { batch, time, ids, positions, bias };
}
