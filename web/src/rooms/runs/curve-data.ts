/** Curves as uPlot takes them: one column of x for all, `undefined` where a curve has no point there, `null` where it is broken. */
import type { Series } from "../../../../src/server/ui/runs/protocol.ts";

export type Points = readonly [x: readonly number[], y: readonly (number | null)[]];

/** Below this a curve is shown as it is, with its points. */
export const fewPoints = 12;

/**
 * Exponential moving average; the start is freed of its bias towards zero (as in Adam), so that a smoothed curve begins where the raw one does.
 * `weight`: 0 … below 1, of what was before.
 */
export function smoothPoints(values: readonly (number | null)[], weight: number): (number | null)[] {
  let sum = 0;
  let share = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = sum * weight + (1 - weight) * value;
    share = share * weight + (1 - weight);
    return sum / share;
  });
}

export interface Curve {
  readonly raw: Points;
  /** Undefined where raw is shown alone. */
  readonly smooth: Points | undefined;
}

export function makeCurve({ x, y, meanX, mean }: Series, weight: number): Curve {
  const raw: Points = [x, y];
  // Where points were left out, lowest and highest alternate: what is smoothed is the means.
  if (weight > 0 && x.length > fewPoints) return { raw, smooth: [meanX ?? x, smoothPoints(mean ?? y, weight)] };
  return meanX !== undefined && mean !== undefined ? { raw, smooth: [meanX, mean] } : { raw, smooth: undefined };
}

/** Values that a logarithmic axis cannot show are gaps. */
export function keepPositive([x, y]: Points): Points {
  return [x, y.map((value) => (value !== null && value > 0 ? value : null))];
}

export type AlignedColumns = [x: number[], ...y: (number | null | undefined)[][]];

/** Points of one place count once, the last of them. */
export function alignCurves(curves: readonly Points[]): AlignedColumns {
  const places = new Set<number>();
  for (const [x] of curves) for (const at of x) places.add(at);
  const xs = [...places].sort((a, b) => a - b);
  const rowOf = new Map(xs.map((at, row) => [at, row]));
  return [
    xs,
    ...curves.map(([x, y]) => {
      const column = Array<number | null | undefined>(xs.length).fill(undefined);
      for (const [i, at] of x.entries()) column[rowOf.get(at)!] = y[i];
      return column;
    }),
  ];
}

/** The value at a row, or the nearest before it. */
export function valueAt(column: readonly (number | null | undefined)[], row: number): number | null {
  for (let i = row; i >= 0; i--) {
    const value = column[i];
    if (value !== undefined) return value;
  }
  return null;
}
