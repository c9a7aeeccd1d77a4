import type { LabelRow } from "./label-row.ts";

/**
 * What counts of a file of labels: without those that were revised or taken back, and without the taking back itself. Where files were
 * put together by hand and somebody labelled a task twice, the later label. In the order in which they were given.
 */
export function selectCurrentLabels(rows: readonly LabelRow[]): LabelRow[] {
  const replaced = new Set(rows.flatMap(({ revises, undoes }) => [revises, undoes]));
  const current = new Map<string, LabelRow>();
  for (const row of rows) {
    if (row.undoes !== undefined || replaced.has(row.id)) continue;
    const key = JSON.stringify([keyOfTask(row), row.annotator]);
    // Deleted first, so that it moves to the end.
    current.delete(key);
    current.set(key, row);
  }
  return [...current.values()];
}

/** The same for labels of the same question: a task whose texts have changed is another one, whatever its id. */
export function keyOfTask({ task, prompt, candidates }: Pick<LabelRow, "task" | "prompt" | "candidates">): string {
  return JSON.stringify([task, prompt, candidates.map(({ text }) => text)]);
}
