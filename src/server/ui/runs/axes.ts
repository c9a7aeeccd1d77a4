/** Where rows of metrics stand in time and in tokens. They say neither: system.jsonl and rows that count tokens do, for some of the steps. */
import { absent } from "./row-parser.ts";

/** Pairs (step, value), steps rising. */
export interface StepMap {
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

/**
 * From rows in the order in which they were written. A step that is not beyond the one before it belongs to a run that went back to a checkpoint: what
 * was said of it and of later steps is forgotten, as those rows of metrics are.
 */
export function mapSteps(steps: Float64Array, values: Float64Array): StepMap {
  const map = { steps: [] as number[], values: [] as number[] };
  const rows = Math.min(steps.length, values.length);
  for (let i = 0; i < rows; i++) {
    const step = steps[i];
    const value = values[i];
    if (!Number.isFinite(step) || !Number.isFinite(value)) continue;
    // The first time that a step is seen is nearest to when it was done.
    if (map.steps.at(-1) === step) continue;
    while (map.steps.length > 0 && map.steps.at(-1)! >= step) {
      map.steps.pop();
      map.values.pop();
    }
    map.steps.push(step);
    map.values.push(value);
  }
  return map;
}

/** [rows] values at each step, in between on a straight line, outside as the nearest; all `absent` for an empty map. */
export function placeSteps({ steps: known, values }: StepMap, steps: Float64Array): Float64Array {
  const placed = new Float64Array(steps.length).fill(absent);
  if (known.length === 0) return placed;
  let at = 0;
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i];
    if (!Number.isFinite(step)) continue;
    if (at > 0 && known[at - 1] > step) at = 0;
    while (at < known.length && known[at] < step) at++;
    if (at === known.length) placed[i] = values[at - 1];
    else if (at === 0 || known[at] === step) placed[i] = values[at];
    else {
      const share = (step - known[at - 1]) / (known[at] - known[at - 1]);
      placed[i] = values[at - 1] + share * (values[at] - values[at - 1]);
    }
  }
  return placed;
}
