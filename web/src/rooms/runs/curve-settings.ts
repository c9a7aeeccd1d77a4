/** How curves are shown: one choice for all charts, kept in this browser. */
import { signal } from "@preact/signals";
import type { Axis } from "../../../../src/server/ui/runs/protocol.ts";
import { readStored, writeStored } from "../../stored.ts";
import type { ChartRange } from "./draw-chart.ts";

interface Kept {
  readonly smoothing: number;
  readonly isLog: boolean;
  readonly axis: Axis;
}

const key = "spar.runs.curves";
const stored = readStored<Partial<Kept>>(key) ?? {};

export const smoothing = signal(typeof stored.smoothing === "number" ? Math.min(0.99, Math.max(0, stored.smoothing)) : 0.6);
export const isLog = signal(stored.isLog === true);
export const axis = signal<Axis>(stored.axis === "time" || stored.axis === "tokens" ? stored.axis : "step");
export const filter = signal("");
/** In units of the axis; null: all. */
export const range = signal<ChartRange | null>(null);

export function keepSettings(): void {
  writeStored(key, { smoothing: smoothing.value, isLog: isLog.value, axis: axis.value } satisfies Kept);
}
