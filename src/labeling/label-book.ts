/** Who said what of which task: the labels of a project in memory, kept up row by row. */

import type { LabelRow } from "../data/index.ts";

export type LabelState = "current" | "revised" | "undone";

export interface LabelBook {
  readonly rows: readonly LabelRow[];
  get(id: string): LabelRow | undefined;
  state(id: string): LabelState;
  /** The annotator's label of the task that counts; undefined: none, or taken back. */
  current(task: string, annotator: string): LabelRow | undefined;
  /** Labels of the task that count, one an annotator. */
  ofTask(task: string): readonly LabelRow[];
  /** The annotator's labels in the order in which they were given, revised and undone ones included. */
  ofAnnotator(annotator: string): readonly LabelRow[];
  annotators(): readonly string[];
  /** All labels that count. */
  listCurrent(): LabelRow[];
  /** Why the row does not fit what is there; undefined: it does. */
  check(row: LabelRow): "already-labelled" | "invalid" | undefined;
  add(row: LabelRow): void;
}

export function createLabelBook(earlier: readonly LabelRow[]): LabelBook {
  const rows: LabelRow[] = [];
  const byId = new Map<string, LabelRow>();
  const states = new Map<string, LabelState>();
  const byTask = new Map<string, Map<string, LabelRow>>();
  const byAnnotator = new Map<string, LabelRow[]>();

  const current = (task: string, annotator: string): LabelRow | undefined => byTask.get(task)?.get(annotator);

  const replace = (id: string, state: LabelState): void => {
    const row = byId.get(id);
    if (row === undefined) return;
    states.set(id, state);
    const ofTask = byTask.get(row.task);
    if (ofTask?.get(row.annotator) === row) ofTask.delete(row.annotator);
  };

  const add = (row: LabelRow): void => {
    rows.push(row);
    byId.set(row.id, row);
    const mine = byAnnotator.get(row.annotator);
    if (mine === undefined) byAnnotator.set(row.annotator, [row]);
    else mine.push(row);
    if (row.undoes !== undefined) {
      replace(row.undoes, "undone");
      return;
    }
    // In files that were put together by hand somebody may have labelled a task twice: the later one counts.
    const before = row.revises ?? current(row.task, row.annotator)?.id;
    if (before !== undefined) replace(before, "revised");
    states.set(row.id, "current");
    const ofTask = byTask.get(row.task) ?? new Map<string, LabelRow>();
    byTask.set(row.task, ofTask.set(row.annotator, row));
  };

  for (const row of earlier) add(row);

  return {
    rows,
    get: (id) => byId.get(id),
    state: (id) => states.get(id) ?? "undone",
    current,
    ofTask: (task) => [...(byTask.get(task)?.values() ?? [])],
    ofAnnotator: (annotator) => byAnnotator.get(annotator) ?? [],
    annotators: () => [...byAnnotator.keys()],
    listCurrent: () => rows.filter(({ id }) => states.get(id) === "current"),
    check(row) {
      const replaced = row.undoes ?? row.revises;
      if (replaced === undefined) return current(row.task, row.annotator) === undefined ? undefined : "already-labelled";
      const before = byId.get(replaced);
      if (before === undefined || before.annotator !== row.annotator || before.task !== row.task || before.undoes !== undefined)
        return "invalid";
      return states.get(replaced) === "current" ? undefined : "already-labelled";
    },
    add,
  };
}
