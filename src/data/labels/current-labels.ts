import type { LabelRow } from "./label-row.ts";

/**
 * What counts of a file of labels, a list a task: without those that were revised or taken back, and without the taking back itself.
 * Where files were put together by hand and somebody labelled a task twice, the later label. Tasks in the order in which they were first
 * labelled.
 */
export function groupCurrentLabels(rows: Iterable<LabelRow>): LabelRow[][] {
  const all = [...rows];
  const replaced = new Set<string>();
  for (const { revises, undoes } of all) {
    if (revises !== undefined) replaced.add(revises);
    if (undoes !== undefined) replaced.add(undoes);
  }
  const tasks = new Map<string, Map<string, LabelRow>>();
  for (const row of all) {
    if (row.undoes !== undefined || replaced.has(row.id)) continue;
    const key = keyOfTask(row);
    const given = tasks.get(key) ?? new Map<string, LabelRow>();
    tasks.set(key, given);
    // Deleted first, so that it moves to the end.
    given.delete(row.annotator);
    given.set(row.annotator, row);
  }
  return [...tasks.values()].map((given) => [...given.values()]);
}

/** The same as one list, task by task. */
export function selectCurrentLabels(rows: Iterable<LabelRow>): LabelRow[] {
  return groupCurrentLabels(rows).flat();
}

type TaskTexts = Pick<LabelRow, "task" | "prompt" | "candidates">;

/** Long texts are put together once a label, and not with every change of another one. */
const keys = new WeakMap<TaskTexts, string>();

/** The same for labels of the same question: a task whose texts have changed is another one, whatever its id. */
export function keyOfTask(row: TaskTexts): string {
  let key = keys.get(row);
  if (key === undefined) keys.set(row, (key = JSON.stringify([row.task, row.prompt, row.candidates.map(({ text }) => text)])));
  return key;
}
