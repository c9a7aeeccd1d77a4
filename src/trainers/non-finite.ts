/** The error of a loss that is no number: which, and of which rows. */
import { formatPlace, type PreparedRows } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";

export function nonFiniteLoss(loss: number, indices: readonly number[], rows: PreparedRows<unknown>): SparError {
  const places = indices.map((index) => formatPlace(rows.place(index)));
  return new SparError("training/non-finite", `the loss is ${loss} for the batch of ${places.join(", ")}`, {
    hint: "lower learning_rate, or look at these rows",
  });
}
