/** The tasks that this tab holds: the first is on the screen, the others are there before they are needed. */
import { signal, type ReadonlySignal } from "@preact/signals";
import type { NextAnswer, Progress, ShownTask } from "../../../../src/server/ui/label/protocol.ts";
import { describeFailure, type LinkState } from "./outbox.ts";

export type FeedState =
  | { readonly kind: "loading" }
  | { readonly kind: "ready" }
  /** The server has no more for this person, now. */
  | { readonly kind: "empty" }
  | { readonly kind: "failed"; readonly link: LinkState };

export interface TaskFeed {
  readonly tasks: ReadonlySignal<readonly ShownTask[]>;
  readonly state: ReadonlySignal<FeedState>;
  start(): Promise<void>;
  /** The task is done. */
  drop(task: string): void;
  /** The task is open again, and first. */
  putFirst(task: ShownTask): void;
  /** Something has changed on the server: there may be tasks again. */
  lookAgain(): void;
  /** The server answers again. */
  resume(): void;
  stop(): void;
}

export interface TaskFeedOptions {
  readonly load: (held: readonly string[], count: number) => Promise<NextAnswer>;
  readonly isDone: (task: string) => boolean;
  readonly onProgress: (progress: Progress) => void;
}

/** Tasks ready behind the one on the screen. */
const ahead = 5;
const renewEvery = 60_000;
const slowestRetry = 10_000;

export function createTaskFeed({ load, isDone, onProgress }: TaskFeedOptions): TaskFeed {
  const tasks = signal<readonly ShownTask[]>([]);
  const state = signal<FeedState>({ kind: "loading" });
  let busy = false;
  let again = false;
  let stopped = false;
  let failures = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;

  async function refill(renew: boolean): Promise<void> {
    const count = ahead + 1 - tasks.value.length;
    if (stopped || (count <= 0 && !renew)) return;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    again = false;
    clearTimeout(retry);
    try {
      const answer = await load(
        tasks.value.map((task) => task.id),
        Math.max(0, count),
      );
      failures = 0;
      const known = new Set(tasks.value.map((task) => task.id));
      const fresh = answer.tasks.filter((task) => !known.has(task.id) && !isDone(task.id));
      if (fresh.length > 0) tasks.value = [...tasks.value, ...fresh];
      onProgress(answer.progress);
      // Only "none came" says that there are none: what came may have been done here in the meantime.
      if (tasks.value.length > 0) state.value = { kind: "ready" };
      else if (answer.tasks.length === 0) state.value = { kind: "empty" };
      else retry = setTimeout(() => void refill(false), 300);
    } catch (error) {
      const { link } = describeFailure(error);
      failures++;
      if (tasks.value.length === 0) state.value = { kind: "failed", link };
      again = false;
      retry = setTimeout(() => void refill(true), Math.min(slowestRetry, 500 * 2 ** Math.min(failures, 6)));
    } finally {
      busy = false;
    }
    if (again) await refill(false);
  }

  const renewal = setInterval(() => {
    if (tasks.value.length > 0 || state.value.kind === "empty") void refill(true);
  }, renewEvery);

  return {
    tasks,
    state,
    start: () => refill(false),
    drop(task) {
      tasks.value = tasks.value.filter((held) => held.id !== task);
      if (tasks.value.length === 0 && state.value.kind === "ready") state.value = { kind: "loading" };
      void refill(false);
    },
    putFirst(task) {
      tasks.value = [task, ...tasks.value.filter((held) => held.id !== task.id)];
      state.value = { kind: "ready" };
    },
    lookAgain() {
      if (tasks.value.length === 0 && state.value.kind === "empty") void refill(false);
    },
    resume() {
      if (failures > 0) void refill(true);
    },
    stop() {
      stopped = true;
      clearTimeout(retry);
      clearInterval(renewal);
    },
  };
}
