export { adamwGraph, adamwScalars, type AdamWConfig, type AdamWScalars, type Run } from "./adamw.ts";
export { clipFactor, sumOfSquaresGraph } from "./clip.ts";
export { learningRateAt, type Schedule, type ScheduleType } from "./schedule.ts";
