import { formatPlace, loadFile, type Row, type RowPlace } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";
import type { LabelMode } from "./label-settings.ts";
import { type LabelTask, parseTaskRow, taskColumns } from "./task.ts";

export interface LoadedTasks {
  readonly tasks: readonly LabelTask[];
  /** Rows that say word for word what an earlier row says. */
  readonly duplicates: number;
}

/** The most problems that are listed one by one. */
const listed = 100;

/**
 * Reads tasks from JSON lines, JSON, CSV or Parquet.
 * @throws SparError `data/bad-rows` with every bad row's place; two different tasks with one id are among them; `data/not-found`, `data/empty`
 */
export async function loadTasks(path: string, mode?: LabelMode): Promise<LoadedTasks> {
  const tasks = new Map<string, { task: LabelTask; text: string; place: string }>();
  const problems: { line: number; text: string }[] = [];
  const addProblem = (place: RowPlace, text: string): void =>
    void problems.push({ line: place.line, text: `  ${formatPlace(place)}: ${text}` });
  const rows = await loadFile(path, { onBadRow: addProblem });
  const total = rows.count + problems.length;
  let duplicates = 0;
  try {
    for (let index = 0; index < rows.count; index++) {
      const place = formatPlace(rows.place(index));
      try {
        const task = parseTaskRow(readCells(await rows.read(index)));
        if (mode === "pair" && task.candidates.length !== 2)
          throw new SparError("data/bad-row", `${task.candidates.length} answers; pairs have two (--mode ranking or rating takes more)`);
        const text = JSON.stringify([task.prompt, task.candidates]);
        const known = tasks.get(task.id);
        if (known === undefined) tasks.set(task.id, { task, text, place });
        else if (known.text === text) duplicates++;
        else throw new SparError("data/bad-row", `the id ${JSON.stringify(task.id)} is that of another task, at ${known.place}`);
      } catch (error) {
        if (!(error instanceof SparError)) throw error;
        addProblem(rows.place(index), error.message);
      }
    }
    if (problems.length > 0) {
      const first = problems.sort((a, b) => a.line - b.line).slice(0, listed);
      const more = problems.length > listed ? [`  … and ${problems.length - listed} more`] : [];
      const head = `reading tasks: ${problems.length} of ${total} rows of ${path} cannot be used`;
      throw new SparError("data/bad-rows", [head, ...first.map(({ text }) => text), ...more].join("\n"), {
        hint: `expected ${taskColumns}`,
      });
    }
  } finally {
    await rows.close();
  }
  return { tasks: [...tasks.values()].map(({ task }) => task), duplicates };
}

/** CSV has texts only: lists are written as JSON there. */
function readCells(row: Row): Row {
  const { candidates } = row;
  if (typeof candidates !== "string" || !candidates.trimStart().startsWith("[")) return row;
  try {
    return { ...row, candidates: JSON.parse(candidates) as unknown };
  } catch {
    return row;
  }
}
