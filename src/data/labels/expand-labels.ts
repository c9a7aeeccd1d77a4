import { SparError } from "../../internal/errors.ts";
import { BadRows } from "../bad-rows.ts";
import { createMemoryRows, type IndexedRows } from "../indexed-rows.ts";
import type { Row } from "../row.ts";
import { makeLabelPairs } from "./label-pairs.ts";
import { isLabelRow, parseLabelRow, type LabelRow } from "./label-row.ts";

/**
 * A file of labels as the preference pairs that they make; any other file as it is. A row cannot be read by itself here: a later one
 * may revise it or take it back, and several annotators decide together.
 * @throws {SparError} data/bad-rows, or data/empty where nobody prefers anything
 */
export async function expandLabels(rows: IndexedRows, path: string): Promise<IndexedRows> {
  if (rows.count === 0 || !isLabelRow(await rows.read(0))) return rows;
  const bad = new BadRows(`reading the labels in ${path}`, "rows as spar label writes them");
  const labels: LabelRow[] = [];
  const lines = new Map<string, number>();
  try {
    for (let index = 0; index < rows.count; index++) {
      const row: Row = await rows.read(index);
      try {
        const label = parseLabelRow(row);
        labels.push(label);
        if (!lines.has(label.task)) lines.set(label.task, rows.place(index).line);
      } catch (error) {
        if (!(error instanceof SparError)) throw error;
        bad.add(rows.place(index), error.message);
      }
    }
    bad.throwIfAny(rows.count);
  } finally {
    await rows.close();
  }
  const pairs = makeLabelPairs(labels);
  if (pairs.length === 0)
    throw new SparError("data/empty", `reading data: none of the ${labels.length} labels in ${path} prefers one answer to another`, {
      hint: "Ties, skips and flags make no pairs. Label more: spar label.",
    });
  return createMemoryRows<Row>(pairs as unknown as Row[], path, { lines: pairs.map(({ task }) => lines.get(task) ?? 1) });
}
