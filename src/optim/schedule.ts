/** Learning rate of a step, as Transformers' schedulers give it. */

export type ScheduleType = "constant" | "constant_with_warmup" | "linear" | "cosine";

export interface Schedule {
  readonly type: ScheduleType;
  readonly peak: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/** The rate used by the update after `done` updates: the very first has `done` = 0. */
export function learningRateAt({ type, peak, warmupSteps, totalSteps }: Schedule, done: number): number {
  if (type === "constant") return peak;
  if (done < warmupSteps) return (peak * done) / Math.max(1, warmupSteps);
  if (type === "constant_with_warmup") return peak;
  const left = Math.max(1, totalSteps - warmupSteps);
  if (type === "linear") return peak * Math.max(0, (totalSteps - done) / left);
  return peak * Math.max(0, 0.5 * (1 + Math.cos((Math.PI * (done - warmupSteps)) / left)));
}
