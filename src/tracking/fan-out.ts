/** One tracker in front of many: none of them can stop or hold up training. */

import type { Tracker } from "./tracker.ts";

export type NamedTracker = { name: string; tracker: Tracker };

export type FanOutOptions = {
  /** A call that takes longer is reported, once a tracker. Milliseconds. */
  slowAfter?: number;
  /** How long `close` waits for each tracker. Milliseconds. */
  closeTimeout?: number;
};

/**
 * Forwards every call to all. A tracker that throws gets no more calls (but is closed), one that is slow goes on;
 * the others hear of either by one event.
 */
export function createFanOut(trackers: readonly NamedTracker[], options: FanOutOptions = {}): Tracker {
  const slowAfter = options.slowAfter ?? 1000;
  const closeTimeout = options.closeTimeout ?? 15_000;
  const failed = new Set<NamedTracker>();
  const slow = new Set<NamedTracker>();

  function reportFailure(entry: NamedTracker, error: unknown): void {
    if (failed.has(entry)) return;
    failed.add(entry);
    const reason = error instanceof Error ? error.message : String(error);
    const message = `tracker ${entry.name} failed and gets no more rows; training goes on: ${reason}`;
    forward((tracker) => tracker.event({ code: "tracking/failed", level: "warning", message, tracker: entry.name }));
  }

  function reportSlowness(entry: NamedTracker, milliseconds: number): void {
    if (slow.has(entry)) return;
    slow.add(entry);
    const message = `tracker ${entry.name} held up training for ${(milliseconds / 1000).toFixed(1)} s`;
    forward((tracker) => tracker.event({ code: "tracking/slow", level: "warning", message, tracker: entry.name }));
  }

  function forward(call: (tracker: Tracker) => unknown): void {
    for (const entry of trackers) {
      if (failed.has(entry)) continue;
      const started = performance.now();
      try {
        const result = call(entry.tracker);
        // The interface says void, but an implementation may be an async function.
        if (result instanceof Promise) result.catch((error: unknown) => reportFailure(entry, error));
      } catch (error) {
        reportFailure(entry, error);
      }
      const elapsed = performance.now() - started;
      if (elapsed > slowAfter) reportSlowness(entry, elapsed);
    }
  }

  async function closeOne(entry: NamedTracker, ...argumentsOfClose: Parameters<Tracker["close"]>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<"timeout">((resolve) => {
      timer = setTimeout(() => resolve("timeout"), closeTimeout);
    });
    try {
      await Promise.race([entry.tracker.close(...argumentsOfClose), timeout]);
    } catch {
      // Its rows are lost, the run is not; the other trackers are closing too, so nobody is left to tell.
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    metrics: (row) => forward((tracker) => tracker.metrics(row)),
    samples: (rows) => forward((tracker) => tracker.samples(rows)),
    histograms: (step, values) => forward((tracker) => tracker.histograms?.(step, values)),
    event(event) {
      // One time for all who write it down.
      const stamped = { time: new Date().toISOString(), ...event };
      forward((tracker) => tracker.event(stamped));
    },
    progress: (progress) => forward((tracker) => tracker.progress(progress)),
    async close(status, error) {
      await Promise.all(trackers.map((entry) => closeOne(entry, status, error)));
    },
  };
}
