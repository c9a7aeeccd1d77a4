/** The error of a step whose numbers are none: of which rows, and where they first show. */
import { formatPlace, type PreparedRows } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";
import type { Trainable } from "./optimizer.ts";

export function describeRows(indices: readonly number[], rows: PreparedRows<unknown>): string {
  return indices.map((index) => formatPlace(rows.place(index))).join(", ");
}

/** `what` is no number (`the loss is NaN`); `batch` names the rows. Throws nothing itself. */
export function nonFiniteStep(what: string, batch: string, trainables: readonly Trainable[]): SparError {
  const where = findNonFinite(trainables);
  const message = `${what} for the batch of ${batch}${where === undefined ? "" : `; ${where}`}`;
  return new SparError("training/non-finite", message, { hint: "lower learning_rate, or look at these rows" });
}

export function nonFiniteLoss(
  loss: number,
  indices: readonly number[],
  rows: PreparedRows<unknown>,
  trainables: readonly Trainable[],
): SparError {
  return nonFiniteStep(`the loss is ${loss}`, describeRows(indices, rows), trainables);
}

/** A weight that is no number comes before a gradient: it spoils all of them. */
function findNonFinite(trainables: readonly Trainable[]): string | undefined {
  const isFinite = (data: Trainable["value"]["host"]): boolean => data === undefined || (data as Float32Array).every(Number.isFinite);
  const weight = trainables.find(({ value }) => !isFinite(value.host));
  if (weight !== undefined) return `the weight ${weight.name} is not finite`;
  const gradient = trainables.find((trainable) => !isFinite(trainable.gradient.host));
  return gradient && `the gradient of ${gradient.name} is not finite`;
}
