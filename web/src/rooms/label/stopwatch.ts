/** The time a task was really looked at: it stands still while the tab is hidden. */
export interface Stopwatch {
  /** Begins anew where the task is another one. */
  start(task: string | null): void;
  /** Milliseconds, whole. */
  read(): number;
  stop(): void;
}

export function createStopwatch(): Stopwatch {
  let current: string | null = null;
  let spent = 0;
  let since: number | null = null;
  const now = (): number => performance.now();
  const onVisibility = (): void => {
    if (document.hidden && since !== null) {
      spent += now() - since;
      since = null;
    } else if (!document.hidden && since === null && current !== null) since = now();
  };
  document.addEventListener("visibilitychange", onVisibility);
  return {
    start(task) {
      if (task === current) return;
      current = task;
      spent = 0;
      since = task === null || document.hidden ? null : now();
    },
    read: () => Math.round(spent + (since === null ? 0 : now() - since)),
    stop: () => document.removeEventListener("visibilitychange", onVisibility),
  };
}
