/** Tells the pages that look at runs when something grew. Files are watched only while somebody looks. */
import { watch, type FSWatcher } from "node:fs";
import type { EventHub } from "../event-hub.ts";
import type { RunsCatalog } from "./catalog.ts";
import { readControl } from "./control.ts";
import type { RunChange, RunList } from "./protocol.ts";
import type { RunStore } from "./store.ts";

export interface LiveRunsOptions {
  readonly hub: EventHub;
  readonly catalog: RunsCatalog;
  readonly store: RunStore;
  readonly listRuns: () => Promise<RunList>;
  /** Milliseconds. Where the system tells of changes this is only the second chance: network disks do not. */
  readonly every?: number;
}

const prefix = "run";
/** A run that logs every step would have the page draw for nothing else. Milliseconds. */
const least = 400;

export function serveLiveRuns({ hub, catalog, store, listRuns, every = 1000 }: LiveRunsOptions): void {
  hub.register(prefix, (topic) => {
    const id = topic.slice(prefix.length + 1);
    if (id === "all") return watchChanges({ look: listRuns, publish: (data) => hub.publish(topic, data), every: every * 2 });
    let watcher: FSWatcher | undefined;
    const watching = watchChanges({ look: describe, publish: (data) => hub.publish(topic, data), every });

    async function describe(): Promise<RunChange | undefined> {
      const run = await catalog.find(id);
      if (run === undefined) return undefined;
      try {
        watcher ??= watch(run.folder, { persistent: false }, () => watching.hurry()).on("error", () => {});
      } catch {
        // Too many watched files, or a file system without: the timer does it.
      }
      const { metrics, system, samples, events, generation } = store.open(run);
      await Promise.all([metrics.refresh(), system.refresh(), samples.refresh(), events.refresh()]);
      const { status } = await catalog.summarize(run);
      return {
        metrics: metrics.rows,
        system: system.rows,
        samples: samples.rows,
        events: events.rows,
        generation: generation(),
        status,
        control: await readControl(run.folder),
      };
    }

    return () => {
      watcher?.close();
      watching();
    };
  });
}

interface Watching {
  (): void;
  /** Something may have changed: look soon. */
  hurry(): void;
}

/** Looks at intervals, one look at a time, and publishes what is not as it was. */
function watchChanges<T>({
  look,
  publish,
  every,
}: {
  readonly look: () => Promise<T | undefined>;
  readonly publish: (data: T) => void;
  readonly every: number;
}): Watching {
  let last: string | undefined;
  let stopped = false;
  let isLooking = false;
  let looked = -Infinity;
  let timer: NodeJS.Timeout;

  const plan = (milliseconds: number): void => {
    clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(() => void run(), milliseconds);
    timer.unref();
  };

  async function run(): Promise<void> {
    isLooking = true;
    try {
      const data = await look();
      const text = data === undefined ? undefined : JSON.stringify(data);
      if (!stopped && text !== last) {
        // The first look says what is there, for a page that asked for the state before it listened.
        last = text;
        if (data !== undefined) publish(data);
      }
    } catch {
      // A file that cannot be read now may be in a second; requests for it say why.
    }
    isLooking = false;
    looked = Date.now();
    plan(every);
  }

  plan(0);
  const stop = (): void => {
    stopped = true;
    clearTimeout(timer);
  };
  return Object.assign(stop, {
    hurry() {
      if (!isLooking) plan(Math.max(0, looked + least - Date.now()));
    },
  });
}
