/** One file of tasks being labelled: what comes next, what was said, what it amounts to. Everything on disk before anybody is told so. */

import { existsSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  keyOfTask,
  type LabelPairsOptions,
  type LabelRow,
  listPreferences,
  makeLabelPairs,
  parseLabelRow,
  type Row,
} from "../data/index.ts";
import { SparError } from "../internal/errors.ts";
import { type Guidelines, type GuidelinesHistory, openGuidelines } from "./guidelines.ts";
import { createLabelBook, type LabelState } from "./label-book.ts";
import { defaultQueueSettings, type LabelMode, type QueueSettings } from "./label-settings.ts";
import { type LabelStore, type LabelStoreOptions, openLabelStore } from "./label-store.ts";
import { measurePace, type Pace } from "./pace.ts";
import { createPairsWriter } from "./pairs-file.ts";
import { createLabelQueue, type LabelQueue } from "./queue.ts";
import { type DividedTask, type LabelStatistics, listDividedTasks, measureLabels } from "./statistics.ts";
import type { LabelTask } from "./task.ts";

export interface LabelProjectOptions {
  /** In addresses. */
  readonly id: string;
  /** For people: the file's name. */
  readonly name: string;
  readonly mode: LabelMode;
  readonly tasks: readonly LabelTask[];
  /** Where the pairs go; the labels lie beside (see `nameLabelsFile`). */
  readonly pairsPath: string;
  readonly queue?: Partial<QueueSettings>;
  readonly pairs?: LabelPairsOptions;
  /** Ratings go from 1 to this; default 5. */
  readonly ratingMax?: number;
  readonly reasonTags?: readonly string[];
  /** Becomes a new version where it is not the newest already. */
  readonly guidelines?: string;
  /** Milliseconds. */
  readonly now?: () => number;
}

/** A label before it is stored: the project adds the task's texts and the time. Choice, ranking, ratings and edit are the task's, not the screen's. */
export type NewLabel = Omit<LabelRow, "prompt" | "candidates" | "given" | "rating_max">;

export type RefusalCode = "already-labelled" | "unknown-task" | "invalid";

export interface SubmitResult {
  /** Ids that are on disk, those that were there before included. */
  readonly saved: readonly string[];
  readonly refused: readonly { readonly id: string; readonly code: RefusalCode; readonly message: string }[];
}

export interface LabelProgress {
  readonly wanted: number;
  readonly given: number;
  readonly tasks: number;
  readonly annotators: { readonly [name: string]: Pace & { readonly done: number; readonly left: number } };
}

export interface LabelProject {
  readonly id: string;
  readonly name: string;
  readonly mode: LabelMode;
  readonly settings: QueueSettings;
  readonly ratingMax: number;
  readonly reasonTags: readonly string[];
  readonly labelsPath: string;
  readonly pairsPath: string;
  /** Bytes of a torn last line that were cut off at the start; labels of the file that are of other tasks, or of earlier texts of these. */
  readonly opened: { readonly cut: number; readonly labels: number; readonly elsewhere: number };
  task(id: string): LabelTask | undefined;
  /** Renews the tab's leases on `held`, gives back its others, and leases up to `count` more tasks. */
  next(annotator: string, tab: string, held: readonly string[], count: number): LabelTask[];
  /** Stores labels in their order; each is saved, or refused by itself. Throws `labeling/not-saved`: nothing of it is stored. */
  submit(labels: readonly NewLabel[]): Promise<SubmitResult>;
  /** Of everybody; or, where there are many and one of them asks, of that one: an answer must not grow with the crowd. */
  progress(asker?: string): LabelProgress;
  /** Newest first, undos left out. */
  history(annotator: string, limit: number): { readonly label: LabelRow; readonly state: LabelState }[];
  statistics(): LabelStatistics & { readonly pairs: { readonly usable: number; readonly ties: number } };
  dividedTasks(): DividedTask[];
  guidelines(): Guidelines;
  updateGuidelines(text: string, after: number): Promise<Guidelines>;
  /** Called after labels were stored. Returns what ends it. */
  onChange(listener: () => void): () => void;
  /** Writes the pairs now; how many there are. */
  writePairs(): Promise<number>;
  close(): Promise<void>;
}

/** `labels.jsonl` in the folder of `pairs.jsonl`; beside any other NAME.jsonl, `NAME.labels.jsonl`. */
export function nameLabelsFile(pairsPath: string): string {
  const name = basename(pairsPath).replace(/\.[^.]*$/, "");
  return join(dirname(pairsPath), name === "pairs" ? "labels.jsonl" : `${name}.labels.jsonl`);
}

/** Throws what `openLabelStore` throws; `labeling/pairs-exist` where `pairsPath` holds pairs that no labels beside it have made. */
export async function openLabelProject(options: LabelProjectOptions, storeOptions: LabelStoreOptions = {}): Promise<LabelProject> {
  const labelsPath = nameLabelsFile(options.pairsPath);
  refuseForeignPairs(options.pairsPath, labelsPath);
  const store = await openLabelStore(labelsPath, storeOptions);
  try {
    const guidelines = await openGuidelines(labelsPath.replace(/\.jsonl$/, ".guidelines.jsonl"));
    if (options.guidelines !== undefined) await guidelines.update(options.guidelines, guidelines.newest().version);
    return createLabelProject(options, store, guidelines);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** So many rows of progress are a table that somebody reads. */
const manyAnnotators = 20;

/** Milliseconds for which everybody may be held up whenever somebody looks at the statistics; what takes longer is made seldom. */
const noticeable = 20;
const rarity = 20;

function createLabelProject(options: LabelProjectOptions, store: LabelStore, guidelines: GuidelinesHistory): LabelProject {
  const { id, name, mode, tasks, pairsPath, ratingMax = 5, reasonTags = [], now = Date.now } = options;
  const settings: QueueSettings = { ...defaultQueueSettings, ...options.queue };
  const indexOf = new Map(tasks.map((task, index) => [task.id, index]));
  const find = (task: string): LabelTask | undefined => tasks[indexOf.get(task) ?? -1];
  const isOurs = (row: LabelRow): boolean => {
    const task = find(row.task);
    return task !== undefined && keyOfTask(row) === keyOfTask({ ...task, task: task.id });
  };
  const [ours, elsewhere]: [LabelRow[], LabelRow[]] = [[], []];
  for (const row of store.earlier) (isOurs(row) ? ours : elsewhere).push(row);
  const idsElsewhere = new Set(elsewhere.map((row) => row.id));

  let book = createLabelBook(ours);
  let queue = fillQueue();
  let revision = 0;
  const pending = new Map<string, Promise<void>>();
  const paces = new Map<string, Pace>();
  const listeners = new Set<() => void>();
  /** Made anew where labels have changed; what takes long, as 100,000 labels do, may be some seconds old. */
  const remember = <T>(make: () => T): (() => T) => {
    let [made, value, fresh]: [number, T | undefined, number] = [-1, undefined, 0];
    return () => {
      if (made === revision || performance.now() < fresh) return value as T;
      const started = performance.now();
      [made, value] = [revision, make()];
      const cost = performance.now() - started;
      fresh = cost < noticeable ? 0 : performance.now() + cost * rarity;
      return value;
    };
  };

  function fillQueue(): LabelQueue {
    const filled = createLabelQueue(tasks, settings, now);
    for (const row of book.listCurrent()) filled.give(indexOf.get(row.task)!, row.annotator, row.choice !== "skip");
    return filled;
  }

  const add = (row: LabelRow): void => {
    book.add(row);
    const index = indexOf.get(row.task)!;
    if (row.undoes === undefined) queue.give(index, row.annotator, row.choice !== "skip");
    else queue.takeBack(index, row.annotator);
    paces.delete(row.annotator);
    revision++;
  };

  const drop = (rows: readonly LabelRow[]): void => {
    const gone = new Set(rows);
    book = createLabelBook(book.rows.filter((row) => !gone.has(row)));
    queue = fillQueue();
    paces.clear();
    revision++;
  };

  const pairs = createPairsWriter(pairsPath, () => [...elsewhere, ...book.rows], options.pairs ?? {});
  const changed = (): void => {
    pairs.schedule();
    for (const listener of listeners) listener();
  };

  /** The row, or why it is none. */
  const complete = (label: NewLabel): LabelRow | { code: RefusalCode; message: string } => {
    const task = find(label.task);
    if (task === undefined) return { code: "unknown-task", message: `there is no task ${JSON.stringify(label.task)} in ${name}` };
    const { id: labelId, task: taskId, annotator, ...rest } = label;
    const given = new Date(now()).toISOString();
    const scale = label.ratings === undefined ? {} : { rating_max: ratingMax };
    const row = { id: labelId, task: taskId, annotator, prompt: task.prompt, candidates: task.candidates, ...rest, ...scale, given };
    try {
      const parsed = parseLabelRow(row as unknown as Row);
      checkForMode(parsed, mode, ratingMax);
      const code = book.check(parsed);
      if (code === undefined) return parsed;
      return { code, message: code === "invalid" ? "it revises or takes back a label that is not there" : describeLabelled(parsed) };
    } catch (error) {
      if (!(error instanceof SparError)) throw error;
      return { code: "invalid", message: error.message };
    }
  };

  return {
    id,
    name,
    mode,
    settings,
    ratingMax,
    reasonTags,
    labelsPath: store.path,
    pairsPath,
    opened: { cut: store.cut, labels: store.earlier.length, elsewhere: elsewhere.length },
    task: find,
    next(annotator, tab, held, count) {
      const positions = held.flatMap((task) => indexOf.get(task) ?? []);
      return queue.next(annotator, tab, positions, count).map((index) => tasks[index]);
    },
    async submit(labels) {
      const saved: string[] = [];
      const refused: SubmitResult["refused"][number][] = [];
      const rows: LabelRow[] = [];
      const waits: Promise<void>[] = [];
      for (const label of labels) {
        if (book.get(label.id) !== undefined || idsElsewhere.has(label.id)) {
          saved.push(label.id);
          const wait = pending.get(label.id);
          if (wait !== undefined) waits.push(wait);
          continue;
        }
        const row = complete(label);
        if ("code" in row) refused.push({ id: label.id, ...row });
        else {
          add(row);
          rows.push(row);
          saved.push(row.id);
        }
      }
      if (rows.length > 0) {
        const written = store.append(rows).catch((error: unknown) => {
          drop(rows);
          throw error;
        });
        const forget = (): void => rows.forEach((row) => pending.delete(row.id));
        for (const row of rows) pending.set(row.id, written);
        written.then(forget, forget);
        waits.push(written);
      }
      await Promise.all(waits);
      if (rows.length > 0) changed();
      return { saved, refused };
    },
    progress(asker) {
      const all = queue.annotators();
      const names = asker === undefined || all.length <= manyAnnotators ? all : [asker];
      const paceOf = (annotator: string): Pace => {
        let pace = paces.get(annotator);
        if (pace === undefined) paces.set(annotator, (pace = measurePace(book.ofAnnotator(annotator))));
        return pace;
      };
      const annotators = names.map((annotator) => {
        const { perHour, medianSeconds } = paceOf(annotator);
        return [annotator, { done: queue.done(annotator), left: queue.left(annotator), perHour, medianSeconds }] as const;
      });
      return { wanted: queue.wanted(), given: queue.given(), tasks: tasks.length, annotators: Object.fromEntries(annotators) };
    },
    history(annotator, limit) {
      const labels: { label: LabelRow; state: LabelState }[] = [];
      const rows = book.ofAnnotator(annotator);
      for (let i = rows.length - 1; i >= 0 && labels.length < limit; i--) {
        const label = rows[i];
        if (label.undoes === undefined) labels.push({ label, state: book.state(label.id) });
      }
      return labels;
    },
    statistics: remember(() => {
      const current = book.listCurrent();
      const ties = current.reduce((sum, label) => sum + listPreferences(label).filter(({ verdict }) => verdict === "tie").length, 0);
      return { ...measureLabels(current), pairs: { usable: makeLabelPairs(current, options.pairs).length, ties } };
    }),
    dividedTasks: remember(() => listDividedTasks(book.listCurrent())),
    guidelines: guidelines.newest,
    updateGuidelines: guidelines.update,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    writePairs: pairs.write,
    async close() {
      try {
        await pairs.close();
      } finally {
        await store.close();
      }
    },
  };
}

function checkForMode({ undoes, choice, ranking, ratings, edit, candidates }: LabelRow, mode: LabelMode, ratingMax: number): void {
  const refuse = (message: string): never => {
    throw new SparError("labeling/invalid-label", message);
  };
  if (undoes !== undefined) return;
  if (mode === "pair" && choice === null) refuse("expected a choice");
  if (mode !== "pair" && (choice === "a" || choice === "b" || choice === "tie")) refuse(`expected a ${mode}, found the choice ${choice}`);
  if (mode === "ranking" && choice === null && ranking === undefined) refuse("expected a ranking");
  if (mode === "rating" && choice === null && ratings?.some((rating) => rating !== null) !== true) refuse("expected a rating");
  if (ratings?.some((rating) => rating !== null && (rating < 1 || rating > ratingMax)) === true)
    refuse(`ratings: expected 1 to ${ratingMax}, found ${JSON.stringify(ratings)}`);
  if (edit !== undefined && edit.text.trim() === "") refuse("edit: expected a text that is not empty");
  if (edit !== undefined && edit.text === candidates[edit.candidate].text) refuse("edit: the text is the answer as it was");
}

function describeLabelled({ annotator, revises, undoes }: LabelRow): string {
  if (revises !== undefined || undoes !== undefined) return `${annotator} has changed or taken back that label elsewhere`;
  return `${annotator} has labelled this task already, in another tab perhaps`;
}

function refuseForeignPairs(pairsPath: string, labelsPath: string): void {
  const isFilled = (path: string): boolean => existsSync(path) && statSync(path).size > 0;
  if (!isFilled(pairsPath) || isFilled(labelsPath)) return;
  throw new SparError(
    "labeling/pairs-exist",
    `${pairsPath} holds something, and there are no labels in ${labelsPath} that it was made from`,
    {
      hint: "Labels would overwrite it: choose another --out, or move it away.",
    },
  );
}
