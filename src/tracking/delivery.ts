/**
 * The way of rows to a tracker's server, which may be slow, away or unwilling. `push` never waits and never throws: rows
 * are sent in batches in the background, retried with growing pauses, kept on disk where memory has held enough, and left
 * in a file of the run's folder where they could not be sent until the run's end. What happened is said once.
 */

import { DeliveryError } from "./http-request.ts";
import type { RunEvent } from "./tracker.ts";
import { openUnsentFile } from "./unsent-file.ts";

export type DeliveryOptions<Item> = {
  /** The tracker's name, for what is said. */
  name: string;
  /** Sends one batch in order, and resolves when the service has it. Throws DeliveryError; anything else counts as transient. */
  send: (items: readonly Item[], signal: AbortSignal) => Promise<void>;
  /** JSON lines of items that wait for a better day. They are sent first. */
  unsentPath: string;
  /** Which rows of an earlier run's file are still worth sending. */
  isStale?: (item: Item) => boolean;
  report: (event: RunEvent) => void;
  /** Called between batches when nothing has been sent for `heartbeatEvery`. */
  heartbeat?: (signal: AbortSignal) => Promise<void>;
  /** Milliseconds. */
  heartbeatEvery?: number;
  /** Milliseconds between two batches. */
  interval?: number;
  /** Rows of a batch. */
  batchSize?: number;
  /** Rows held in memory; later ones wait on disk. */
  capacity?: number;
  /** Pauses after failures, milliseconds: the first, and the longest they grow to. */
  retry?: { first: number; longest: number };
  /** How long `close` may take, milliseconds. Less than createFanOut's. */
  closeLimit?: number;
  /** How a person sends what is left otherwise. */
  advice?: string;
};

export interface Delivery<Item> {
  push(item: Item): void;
  /** Sends what there is, within the limit; what is left stays in the file. Resolves to the number of rows left. */
  close(): Promise<number>;
}

/** Single rows refused one after another, until that is taken for a refusal of all. */
const mostRefused = 20;

export function createDelivery<Item>(options: DeliveryOptions<Item>): Delivery<Item> {
  const { name, report } = options;
  const interval = options.interval ?? 2000;
  const batchSize = options.batchSize ?? 500;
  const capacity = options.capacity ?? 10_000;
  const retry = options.retry ?? { first: 1000, longest: 60_000 };
  const closeLimit = options.closeLimit ?? 10_000;
  const unsent = openUnsentFile(options.unsentPath);
  const abort = new AbortController();
  /** Not sent yet, oldest first. What is on disk is younger, except what an earlier run left there. */
  let queue: Item[] = [];
  /** How many at the queue's front are on disk as well. */
  let kept = 0;
  let failures = 0;
  let denied = false;
  let refused = 0;
  let refusedInRow = 0;
  let closing = false;
  let diskFull = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let sentAt = Date.now();
  const said = new Set<string>();

  if (unsent.count > 0) refill(true);

  function sayOnce(code: string, level: "info" | "warning", message: string): void {
    if (said.has(code)) return;
    said.add(code);
    try {
      report({ code, level, message, tracker: name });
    } catch {
      // Whoever writes events down has troubles of its own, and says so where training hears it.
    }
  }

  /** From disk into memory; everything that is left there at a start is an earlier run's. */
  function refill(isEarlier: boolean): void {
    const items = unsent.take(capacity) as Item[];
    queue = isEarlier ? items.filter((item) => options.isStale?.(item) !== true) : items;
    kept = queue.length;
  }

  /** During an outage memory is no place for rows: whoever kills the process would take them along. */
  function moveToDisk(): void {
    if (unsent.count > 0 || diskFull) return;
    const fresh = queue.splice(kept);
    try {
      unsent.append(fresh);
    } catch {
      // Then they stay in memory; `keepOnDisk` says it when that is full.
      queue.push(...fresh);
    }
  }

  function keepOnDisk(item: Item): void {
    if (diskFull) return;
    try {
      unsent.append([item]);
    } catch (error) {
      diskFull = true;
      sayOnce(
        "tracking/not-kept",
        "warning",
        `tracker ${name}: rows that wait to be sent cannot be kept (${(error as Error).message}); later ones are left out`,
      );
    }
  }

  async function sendBatch(batch: readonly Item[]): Promise<void> {
    try {
      await options.send(batch, abort.signal);
      refusedInRow = 0;
    } catch (error) {
      if (!(error instanceof DeliveryError) || error.failure !== "refused") throw error;
      if (batch.length > 1) {
        // One row may be what is wrong with all: each for itself.
        const middle = Math.ceil(batch.length / 2);
        await sendBatch(batch.slice(0, middle));
        await sendBatch(batch.slice(middle));
        return;
      }
      refused++;
      // It is not the rows, then.
      if (++refusedInRow >= mostRefused) throw new DeliveryError("denied", error.message, { cause: error });
      sayOnce("tracking/refused", "warning", `tracker ${name} does not take a row, which is left out: ${error.message}`);
    }
  }

  function noteFailure(error: unknown): number {
    failures++;
    const reason = error instanceof Error ? error.message : String(error);
    denied = error instanceof DeliveryError && error.failure === "denied";
    if (denied) {
      sayOnce(
        "tracking/denied",
        "warning",
        `tracker ${name} lets nothing in; training goes on, and rows are kept to be sent later: ${reason}`,
      );
    } else if (failures >= 2 || closing) {
      sayOnce(
        "tracking/unreachable",
        "warning",
        `tracker ${name} cannot be reached; training goes on, and rows are kept and tried again: ${reason}`,
      );
    }
    const asked = error instanceof DeliveryError ? (error.retryAfter ?? 0) : 0;
    const pause = denied ? retry.longest : Math.min(retry.longest, retry.first * 2 ** (failures - 1));
    return Math.max(pause, Math.min(asked, 10 * retry.longest));
  }

  /** Sends until nothing is left or something fails; resolves to the pause before the next attempt. */
  async function work(): Promise<number> {
    let batch: Item[] = [];
    let keptOfBatch = 0;
    try {
      for (;;) {
        if (queue.length === 0 && unsent.count > 0) refill(false);
        if (queue.length === 0) break;
        batch = queue.splice(0, batchSize);
        keptOfBatch = Math.min(kept, batch.length);
        kept -= keptOfBatch;
        await sendBatch(batch);
        [batch, keptOfBatch] = [[], 0];
        sentAt = Date.now();
        if (failures > 0) {
          failures = 0;
          denied = false;
          if (said.has("tracking/unreachable")) sayOnce("tracking/reached", "info", `tracker ${name} can be reached again`);
        }
        if (abort.signal.aborted) break;
      }
      if (unsent.count === 0) unsent.settle([]);
      if (!closing && options.heartbeat !== undefined && Date.now() - sentAt >= (options.heartbeatEvery ?? 30_000)) {
        sentAt = Date.now();
        await options.heartbeat(abort.signal);
      }
      return interval;
    } catch (error) {
      queue = [...batch, ...queue];
      kept += keptOfBatch;
      moveToDisk();
      return noteFailure(error);
    }
  }

  function schedule(pause: number): void {
    if (closing) return;
    timer = setTimeout(() => {
      running = work().then(schedule);
    }, pause);
    // A run that ends without closing its trackers is not kept alive by them.
    timer.unref();
  }
  schedule(Math.min(interval, 500));

  async function drain(): Promise<void> {
    const deadline = Date.now() + closeLimit;
    const limit = setTimeout(() => abort.abort(), closeLimit);
    try {
      await running;
      // Where it could not be reached before, it gets one chance more, not the whole time.
      const attempts = denied ? 0 : failures > 0 ? 1 : 2;
      for (let attempt = 0; attempt < attempts && (queue.length > 0 || unsent.count > 0); attempt++) {
        if (abort.signal.aborted || (attempt > 0 && denied)) break;
        if (attempt > 0)
          await new Promise((resolve) => setTimeout(resolve, Math.min(retry.first, 250, Math.max(0, deadline - Date.now()))));
        await work();
      }
    } finally {
      clearTimeout(limit);
    }
  }

  return {
    push(item) {
      if (closing) return;
      const isOutage = failures > 0 && queue.length === kept;
      if (isOutage || unsent.count > 0 || queue.length >= capacity) keepOnDisk(item);
      else queue.push(item);
    },
    async close() {
      if (closing) return queue.length + unsent.count;
      closing = true;
      clearTimeout(timer);
      await drain();
      const left = queue.length + unsent.count;
      try {
        unsent.settle(queue);
      } catch (error) {
        sayOnce(
          "tracking/not-kept",
          "warning",
          `tracker ${name}: ${left} rows could neither be sent nor kept: ${(error as Error).message}`,
        );
        return left;
      }
      if (left > 0) {
        const advice = options.advice === undefined ? "" : ` (or: ${options.advice})`;
        sayOnce(
          "tracking/unsent",
          "warning",
          `tracker ${name}: ${left} rows could not be sent; they are in ${options.unsentPath}, and the same command with --resume sends them${advice}`,
        );
      }
      if (refused > 1) sayOnce("tracking/refused-rows", "warning", `tracker ${name} did not take ${refused} rows`);
      return left;
    },
  };
}
