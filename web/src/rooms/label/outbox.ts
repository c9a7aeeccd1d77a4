/**
 * Labels on their way to the server. A label is in the browser's storage before the page goes on, and leaves it only when the
 * server has said that it is on disk. Each label has a key of its own there, so two tabs never write over each other's; what a
 * closed tab left behind is sent by the next one that opens. Sending a label twice is harmless: its UUID stores it once.
 */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { SubmitAnswer, SubmittedLabel } from "../../../../src/server/ui/label/protocol.ts";
import { openOutboxStore, type StoreLike, type WaitingLabel } from "./outbox-store.ts";

export interface Refusal {
  readonly project: string;
  readonly label: SubmittedLabel;
  readonly code: string;
  readonly message: string;
}

export type LinkState =
  | { readonly kind: "online" }
  /** Nobody answers. */
  | { readonly kind: "offline" }
  /** The server answers, but not as it should: locked out, project gone, disk full … */
  | { readonly kind: "trouble"; readonly message: string; readonly hint?: string };

export interface Outbox {
  /** Ids of labels that the server has not confirmed. */
  readonly waiting: ReadonlySignal<ReadonlySet<string>>;
  readonly refused: ReadonlySignal<readonly Refusal[]>;
  readonly link: ReadonlySignal<LinkState>;
  /** False where the browser keeps nothing: then closing the tab loses what waits, and the page says so. */
  readonly isDurable: ReadonlySignal<boolean>;
  /** Keeps the label and starts sending. */
  add(project: string, label: SubmittedLabel): void;
  /** Tries at once, and looks for what other tabs left behind. */
  flush(): Promise<void>;
  /** Labels of this project that wait here, oldest first. */
  waitingIn(project: string): readonly SubmittedLabel[];
  /** Somebody has read it. */
  dismiss(id: string): void;
  /** Called after each answer of the server. */
  onAnswer(listener: (project: string, answer: SubmitAnswer) => void): () => void;
}

export interface OutboxOptions {
  readonly storage: StoreLike | null;
  readonly tab: string;
  readonly send: (project: string, labels: readonly SubmittedLabel[]) => Promise<SubmitAnswer>;
  /** Whether another tab is open, and so sends its labels itself. */
  readonly isTabOpen: (tab: string) => Promise<boolean>;
  readonly setTimer: (run: () => void, milliseconds: number) => () => void;
}

/** Labels a request; a request stays small enough to arrive over a bad connection. */
const maxBatch = 50;
const maxBatchCharacters = 100_000;
const slowestRetry = 15_000;

export function createOutbox({ storage, tab, send, isTabOpen, setTimer }: OutboxOptions): Outbox {
  const store = openOutboxStore(storage, tab);
  const entries = signal<readonly WaitingLabel[]>(store.loadOwn());
  const refused = signal<readonly Refusal[]>(store.loadRefused());
  const link = signal<LinkState>({ kind: "online" });
  const isDurable = signal(store.isDurable());
  const listeners = new Set<(project: string, answer: SubmitAnswer) => void>();
  let running: Promise<void> | null = null;
  let stopTimer: (() => void) | null = null;
  let failures = 0;
  /** After an answer that a whole request is wrong, labels go one by one, until the wrong one is found. */
  let singly = false;

  const remove = (ids: ReadonlySet<string>): void => {
    for (const entry of entries.value) if (ids.has(entry.label.id)) store.remove(entry);
    entries.value = entries.value.filter((entry) => !ids.has(entry.label.id));
  };
  const refuse = (refusal: Refusal): void => {
    // Written to its new place before it leaves the old one.
    store.saveRefused(refusal);
    refused.value = [...refused.value.filter((other) => other.label.id !== refusal.label.id), refusal];
    remove(new Set([refusal.label.id]));
  };
  const retryLater = (): void => {
    stopTimer?.();
    stopTimer = setTimer(() => void flush(), Math.min(slowestRetry, 500 * 2 ** Math.min(failures, 10)));
    failures++;
  };
  const takeBatch = (): readonly WaitingLabel[] => {
    const first = entries.value.at(0);
    if (first === undefined) return [];
    const batch: WaitingLabel[] = [];
    let characters = 0;
    for (const entry of entries.value) {
      if (entry.project !== first.project) continue;
      characters += JSON.stringify(entry.label).length;
      if (batch.length > 0 && (singly || batch.length >= maxBatch || characters > maxBatchCharacters)) break;
      batch.push(entry);
    }
    return batch;
  };

  async function sendBatch(batch: readonly WaitingLabel[]): Promise<boolean> {
    const { project } = batch[0];
    let answer: SubmitAnswer;
    try {
      answer = await send(
        project,
        batch.map((entry) => entry.label),
      );
      if (!Array.isArray(answer?.saved)) throw new Error("the server's answer is not one");
    } catch (error) {
      const failure = describeFailure(error);
      link.value = failure.link;
      if (!failure.isWrongRequest) return false;
      if (batch.length > 1) singly = true;
      else refuse({ project, label: batch[0].label, code: "invalid", message: failure.message });
      return true;
    }
    link.value = { kind: "online" };
    remove(new Set(answer.saved));
    for (const { id, code, message } of answer.refused) {
      const entry = batch.find(({ label }) => label.id === id);
      if (entry !== undefined) refuse({ project, label: entry.label, code, message });
    }
    for (const listener of listeners) listener(project, answer);
    // A server that says neither yes nor no to any of them is asked again, later.
    const left = new Set(entries.value.map((entry) => entry.label.id));
    return batch.some((entry) => !left.has(entry.label.id));
  }

  async function run(): Promise<void> {
    for (let batch = takeBatch(); batch.length > 0; batch = takeBatch()) {
      // oxlint-disable-next-line no-await-in-loop -- an undo must not overtake its label
      if (!(await sendBatch(batch))) {
        retryLater();
        return;
      }
      failures = 0;
    }
    singly = false;
  }

  async function start(): Promise<void> {
    await running;
    running ??= run().finally(() => {
      running = null;
    });
    return running;
  }

  async function flush(): Promise<void> {
    const known = new Set(entries.value.map((entry) => entry.label.id));
    const foreign = await store.loadAbandoned(isTabOpen);
    const found = foreign.filter((entry) => !known.has(entry.label.id));
    if (found.length > 0) entries.value = [...found, ...entries.value];
    return start();
  }

  return {
    waiting: computed(() => new Set(entries.value.map((entry) => entry.label.id))),
    refused,
    link,
    isDurable,
    add(project, label) {
      const entry = store.save(project, label);
      isDurable.value = store.isDurable();
      entries.value = [...entries.value, entry];
      if (running === null && failures === 0) void start();
    },
    flush,
    waitingIn: (project) => entries.value.filter((entry) => entry.project === project).map((entry) => entry.label),
    dismiss(id) {
      store.removeRefused(id);
      refused.value = refused.value.filter((refusal) => refusal.label.id !== id);
    },
    onAnswer(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** `status` is on the shell's ApiError; without one, nobody answered. Only what says that the request itself is wrong makes it so: a full disk passes. */
export function describeFailure(error: unknown): { link: LinkState; isWrongRequest: boolean; message: string } {
  const fields: { status?: unknown; message?: unknown; hint?: unknown } = typeof error === "object" && error !== null ? error : {};
  const message = typeof fields.message === "string" ? fields.message : String(error);
  const status = typeof fields.status === "number" ? fields.status : 0;
  if (status === 0) return { link: { kind: "offline" }, isWrongRequest: false, message };
  const hint = typeof fields.hint === "string" ? fields.hint : undefined;
  return {
    link: { kind: "trouble", message, ...(hint !== undefined && { hint }) },
    isWrongRequest: status === 400 || status === 413,
    message,
  };
}
