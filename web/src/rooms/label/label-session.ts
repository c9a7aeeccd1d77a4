/** One person, one project, one tab: which task is on the screen, what comes after it, what has been said. */
import { batch, computed, signal, type ReadonlySignal } from "@preact/signals";
import type { Choice, GivenLabel, Progress, Project, ShownTask, SubmittedLabel } from "../../../../src/server/ui/label/protocol.ts";
import { createDraft, describeContent, reopenDraft, restoreDraft, type Draft, type Verdict } from "./draft.ts";
import type { LabelApi } from "./label-api.ts";
import type { Outbox } from "./outbox.ts";
import { makeUuid } from "./identity.ts";
import { createTaskFeed, type FeedState } from "./task-feed.ts";
import { createStopwatch } from "./stopwatch.ts";

export interface Screen {
  readonly task: ShownTask;
  /** The label that is looked at again; null: the task is new. */
  readonly given: GivenLabel | null;
}

/** What the toast says of the last action, for a few seconds. */
export interface LastAction {
  readonly id: string;
  readonly kind: "labelled" | "changed" | "undone";
  readonly label: SubmittedLabel;
  readonly task: ShownTask;
}

export interface LabelSession {
  readonly project: Project;
  readonly annotator: string;
  readonly screen: ReadonlySignal<Screen | null>;
  readonly draft: ReadonlySignal<Draft>;
  readonly feed: ReadonlySignal<FeedState>;
  readonly progress: ReadonlySignal<Progress>;
  /** Counts what has changed on the server, by anybody, revisions included. */
  readonly changes: ReadonlySignal<number>;
  /** Newest first; what was undone or revised is not in it. */
  readonly history: ReadonlySignal<readonly GivenLabel[]>;
  readonly lastAction: ReadonlySignal<LastAction | null>;
  updateDraft(change: Partial<Draft>): void;
  submit(verdict: Verdict): void;
  /** Takes the last label back, or the one that is looked at. */
  undo(): void;
  /** A choice on a task that is not on the screen: a further label, or in place of this person's own. `left` is its first answer. */
  decide(task: ShownTask, choice: Choice, milliseconds: number): void;
  /** -1: one label earlier, 1: one later; the task that is open comes after the newest. */
  browse(step: -1 | 1): void;
  look(labelId: string): void;
  backToOpen(): void;
  forgetAction(): void;
  setProgress(progress: Progress): void;
  setGuidelinesVersion(version: number): void;
  start(): Promise<void>;
  /** The server answers again: what could not be got is asked for at once. */
  resume(): void;
  stop(): void;
}

export interface SessionOptions {
  readonly project: Project;
  readonly annotator: string;
  readonly tab: string;
  readonly api: LabelApi;
  readonly outbox: Outbox;
}

/** The server takes no more in a request. */
const mostHeld = 50;
/** Labels that `k` can go back to after a reload. */
const historyLength = 200;

export function createLabelSession({ project, annotator, tab, api, outbox }: SessionOptions): LabelSession {
  const progress = signal(project.progress);
  const changes = signal(0);
  const history = signal<readonly GivenLabel[]>([]);
  const looking = signal<GivenLabel | null>(null);
  const lastAction = signal<LastAction | null>(null);
  const drafts = signal<ReadonlyMap<string, Draft>>(new Map());
  let guidelinesVersion = project.guidelines.version;
  const watch = createStopwatch();

  /** Tasks that this person is done with as far as this tab knows, whatever the server still hands out. */
  const isDone = (task: string): boolean => history.value.some((given) => given.task.id === task);
  const feed = createTaskFeed({
    load: (held, count) => {
      // What waits here is not on the server yet, and must not come again.
      const waiting = outbox.waitingIn(project.id).flatMap((label) => (label.annotator === annotator ? [label.task] : []));
      return api.next(project.id, { annotator, tab, held: [...new Set([...held, ...waiting])].slice(0, mostHeld), count });
    },
    isDone,
    onProgress: (news) => {
      progress.value = news;
    },
  });
  const screen = computed<Screen | null>(() => {
    if (looking.value !== null) return { task: looking.value.task, given: looking.value };
    const task = feed.tasks.value.at(0);
    return task === undefined ? null : { task, given: null };
  });
  const draftKey = ({ task, given }: Screen): string => given?.label.id ?? task.id;
  const draft = computed<Draft>(() => {
    const shown = screen.value;
    if (shown === null) return { strength: null, reasons: [], comment: "", edit: null, marks: [] };
    const known = drafts.value.get(draftKey(shown));
    return known ?? (shown.given === null ? createDraft(shown.task) : restoreDraft(shown.task, shown.given.label));
  });
  const setDraft = (key: string, value: Draft | null): void => {
    const next = new Map(drafts.value);
    if (value === null) next.delete(key);
    else next.set(key, value);
    drafts.value = next;
  };
  const base = (task: ShownTask): Pick<SubmittedLabel, "id" | "task" | "annotator" | "guidelinesVersion"> => ({
    id: makeUuid(),
    task: task.id,
    annotator,
    guidelinesVersion,
  });
  const watchScreen = (): void => watch.start(screen.value?.task.id ?? null);
  const countDone = (change: 1 | -1): void => {
    const mine = progress.value.annotators[annotator] ?? { done: 0, left: progress.value.tasks, perHour: null, medianSeconds: null };
    progress.value = {
      ...progress.value,
      given: progress.value.given + change,
      annotators: {
        ...progress.value.annotators,
        [annotator]: { ...mine, done: mine.done + change, left: Math.max(0, mine.left - change) },
      },
    };
  };
  /** Labels that this tab has changed or taken back, whatever an answer that was under way still says. */
  const gone = new Set<string>();
  let needsHistory = false;
  const loadHistory = async (): Promise<void> => {
    if (!needsHistory) return;
    needsHistory = false;
    try {
      const given = await api.history(project.id, annotator, historyLength);
      for (const { revises, undoes } of outbox.waitingIn(project.id)) gone.add(revises ?? undoes ?? "");
      const known = new Set([...gone, ...history.value.map((entry) => entry.label.id)]);
      const older = given.filter(({ label, state }) => state === "current" && label.undoes === undefined && !known.has(label.id));
      history.value = [...history.value, ...older];
    } catch {
      // Labels that are given now are in it already; the earlier ones come when the server is back.
      needsHistory = true;
    }
  };
  const stopListening = outbox.onAnswer((of, answer) => {
    if (of !== project.id) return;
    changes.value++;
    const refused = new Set(answer.refused.map(({ id }) => id));
    if (refused.size > 0) history.value = history.value.filter((entry) => !refused.has(entry.label.id));
    if (outbox.waitingIn(project.id).length === 0) progress.value = answer.progress;
  });

  return {
    project,
    annotator,
    screen,
    draft,
    feed: feed.state,
    progress,
    changes,
    history,
    lastAction,
    updateDraft(change) {
      const shown = screen.value;
      if (shown !== null) setDraft(draftKey(shown), { ...draft.value, ...change });
    },
    submit(verdict) {
      const shown = screen.value;
      if (shown === null) return;
      const { task, given } = shown;
      const label: SubmittedLabel = {
        ...base(task),
        ...describeContent(project.mode, draft.value, verdict),
        milliseconds: watch.read(),
        ...(given !== null && { revises: given.label.id }),
      };
      // In the browser's storage first: whatever happens next, it is not lost.
      outbox.add(project.id, label);
      if (given !== null) gone.add(given.label.id);
      batch(() => {
        const entry: GivenLabel = { label, task, given: new Date().toISOString(), state: "current" };
        setDraft(draftKey(shown), null);
        if (given === null) {
          history.value = [entry, ...history.value];
          feed.drop(task.id);
          countDone(1);
        } else history.value = history.value.map((old) => (old.label.id === given.label.id ? entry : old));
        looking.value = null;
        lastAction.value = { id: label.id, kind: given === null ? "labelled" : "changed", label, task };
        watchScreen();
      });
    },
    undo() {
      const target = looking.value ?? newestOf(history.value);
      if (target === null) return;
      const { task, label: old } = target;
      const label: SubmittedLabel = { ...base(task), choice: null, milliseconds: 0, undoes: old.id };
      outbox.add(project.id, label);
      gone.add(old.id);
      batch(() => {
        history.value = history.value.filter((entry) => entry.label.id !== old.id);
        looking.value = null;
        feed.putFirst(task);
        setDraft(task.id, reopenDraft(task, old));
        countDone(-1);
        lastAction.value = { id: label.id, kind: "undone", label: old, task };
        watchScreen();
      });
    },
    decide(task, choice, milliseconds) {
      const own = history.value.find((entry) => isSameTask(entry.task, task));
      const label: SubmittedLabel = { ...base(task), choice, milliseconds, ...(own !== undefined && { revises: own.label.id }) };
      outbox.add(project.id, label);
      if (own !== undefined) gone.add(own.label.id);
      batch(() => {
        const entry: GivenLabel = { label, task, given: new Date().toISOString(), state: "current" };
        history.value = [entry, ...history.value.filter((old) => old !== own)];
        for (const held of feed.tasks.value) if (isSameTask(held, task)) feed.drop(held.id);
        if (own === undefined) countDone(1);
        lastAction.value = { id: label.id, kind: own === undefined ? "labelled" : "changed", label, task };
      });
    },
    browse(step) {
      const at = looking.value === null ? -1 : history.value.findIndex((entry) => entry.label.id === looking.value?.label.id);
      const next = Math.min(at - step, history.value.length - 1);
      looking.value = next < 0 ? null : history.value[next];
      watchScreen();
    },
    look(labelId) {
      looking.value = history.value.find((entry) => entry.label.id === labelId) ?? null;
      watchScreen();
    },
    backToOpen() {
      looking.value = null;
      watchScreen();
    },
    forgetAction() {
      lastAction.value = null;
    },
    setProgress(news) {
      changes.value++;
      // While labels wait here, the server's figures are older than what the person has done.
      if (outbox.waitingIn(project.id).length === 0) progress.value = news;
      feed.lookAgain();
    },
    setGuidelinesVersion(version) {
      guidelinesVersion = version;
    },
    async start() {
      // What waits from before goes first: then the server neither hands out those tasks again nor leaves them out of the history.
      await outbox.flush();
      needsHistory = true;
      await Promise.all([loadHistory(), feed.start()]);
      watchScreen();
    },
    resume() {
      feed.resume();
      void loadHistory();
    },
    stop() {
      feed.stop();
      stopListening();
      watch.stop();
    },
  };
}

/** The label that was given last, revisions included. */
function newestOf(history: readonly GivenLabel[]): GivenLabel | null {
  return history.reduce<GivenLabel | null>((newest, entry) => (newest === null || entry.given > newest.given ? entry : newest), null);
}

/** The same task may be shown in another order of its answers, and then has another id. */
function isSameTask(a: ShownTask, b: ShownTask): boolean {
  const describe = ({ prompt, answers }: ShownTask): string => JSON.stringify([prompt, answers.toSorted()]);
  return a.id === b.id || describe(a) === describe(b);
}
