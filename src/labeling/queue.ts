/** Which task comes next, and for whom. Every annotator gets every open task once; two people get the same one only where that is asked for. */

import { Random } from "../internal/rng.ts";
import type { QueueSettings } from "./label-settings.ts";
import { hashText } from "./sides.ts";

export interface LabelQueue {
  /** Renews the tab's leases on `held`, gives back its others, and leases up to `count` more. Positions in the list of tasks. */
  next(annotator: string, tab: string, held: readonly number[], count: number): number[];
  /** The annotator has labelled the task; `counts` false: a skip, which leaves it open to others. */
  give(task: number, annotator: string, counts: boolean): void;
  /** Takes a `give` back. */
  takeBack(task: number, annotator: string): void;
  /** Tasks that the annotator has labelled or skipped. */
  done(annotator: string): number;
  /** Everybody who has asked for a task, or labelled one. */
  annotators(): readonly string[];
  /** Labels that count, of all tasks. */
  given(): number;
  /** Tasks that the annotator may still get, now or after a lease has ended. */
  left(annotator: string): number;
  /** Labels asked for in all, by those who are known by now. */
  wanted(): number;
  /** Whether everybody is asked about the task. */
  isForAll(task: number): boolean;
}

type Lease = { readonly annotator: string; readonly tab: string; ends: number };

type Annotator = {
  /** Tasks labelled or skipped → whether the label counts. */
  readonly done: Map<number, boolean>;
  /** Those of them that are still open to others. */
  doneOpen: number;
  /** Everything before this place in the order is closed, or done by the annotator. */
  from: number;
};

export function createLabelQueue(
  tasks: readonly { readonly id: string }[],
  settings: QueueSettings,
  now: () => number = Date.now,
): LabelQueue {
  const order = orderTasks(tasks, settings);
  const placeOf = new Int32Array(order.length);
  order.forEach((task, place) => (placeOf[task] = place));
  const forAll = Uint8Array.from(tasks, ({ id }) => (isShared(id, settings) ? 1 : 0));
  const given = new Int32Array(tasks.length);
  const leases = new Map<number, Lease[]>();
  const annotators = new Map<string, Annotator>();
  const sharedCount = forAll.reduce((sum, is) => sum + is, 0);
  let open = tasks.length;
  let total = 0;

  const isClosed = (task: number): boolean => forAll[task] === 0 && given[task] >= settings.labelsPerTask;
  const enter = (name: string): Annotator => {
    let annotator = annotators.get(name);
    if (annotator === undefined) annotators.set(name, (annotator = { done: new Map(), doneOpen: 0, from: 0 }));
    return annotator;
  };
  const liveLeases = (task: number, time: number): readonly Lease[] => {
    const all = leases.get(task);
    if (all === undefined) return [];
    const live = all.filter(({ ends }) => ends > time);
    if (live.length === 0) leases.delete(task);
    else if (live.length < all.length) leases.set(task, live);
    return live;
  };
  const isFree = (task: number, annotator: string, time: number): boolean => {
    const live = liveLeases(task, time);
    if (live.some((lease) => lease.annotator === annotator)) return false;
    if (forAll[task] === 1) return true;
    return given[task] + live.length < settings.labelsPerTask;
  };
  const release = (task: number, matches: (lease: Lease) => boolean): void => {
    const kept = (leases.get(task) ?? []).filter((lease) => !matches(lease));
    if (kept.length === 0) leases.delete(task);
    else leases.set(task, kept);
  };
  /** Tasks that a tab holds by our books, so that giving back need not look at all. */
  const tabs = new Map<string, Set<number>>();

  return {
    next(name, tab, held, count) {
      const time = now();
      const annotator = enter(name);
      const key = JSON.stringify([name, tab]);
      const isMine = (lease: Lease): boolean => lease.annotator === name && lease.tab === tab;
      for (const task of tabs.get(key) ?? []) release(task, isMine);
      const mine = new Set(held.filter((task) => !annotator.done.has(task)));
      // A page that was asleep may hold what others have got since: it keeps it, and both may answer.
      const lease = (task: number): void => {
        leases.set(task, [...liveLeases(task, time), { annotator: name, tab, ends: time + settings.leaseTime }]);
      };
      for (const task of mine) lease(task);
      const fresh: number[] = [];
      let isPrefix = true;
      for (let place = annotator.from; place < order.length && fresh.length < count; place++) {
        const task = order[place];
        if (isClosed(task) || annotator.done.has(task)) {
          if (isPrefix) annotator.from = place + 1;
          continue;
        }
        isPrefix = false;
        if (mine.has(task) || !isFree(task, name, time)) continue;
        fresh.push(task);
        mine.add(task);
        lease(task);
      }
      if (mine.size === 0) tabs.delete(key);
      else tabs.set(key, mine);
      return fresh;
    },
    give(task, name, counts) {
      const annotator = enter(name);
      if (annotator.done.has(task)) this.takeBack(task, name);
      const wasClosed = isClosed(task);
      annotator.done.set(task, counts);
      if (counts) {
        given[task]++;
        total++;
      }
      release(task, (lease) => lease.annotator === name);
      if (wasClosed) return;
      if (!isClosed(task)) {
        annotator.doneOpen++;
        return;
      }
      open--;
      for (const other of annotators.values()) if (other !== annotator && other.done.has(task)) other.doneOpen--;
    },
    takeBack(task, name) {
      const annotator = enter(name);
      const counted = annotator.done.get(task);
      if (counted === undefined) return;
      const wasClosed = isClosed(task);
      annotator.done.delete(task);
      if (counted) {
        given[task]--;
        total--;
      }
      if (!wasClosed) annotator.doneOpen--;
      else if (!isClosed(task)) {
        open++;
        for (const other of annotators.values()) if (other.done.has(task)) other.doneOpen++;
      }
      for (const each of annotators.values()) each.from = Math.min(each.from, placeOf[task]);
    },
    done: (name) => annotators.get(name)?.done.size ?? 0,
    annotators: () => [...annotators.keys()],
    given: () => total,
    left: (name) => open - (annotators.get(name)?.doneOpen ?? 0),
    wanted: () => (tasks.length - sharedCount) * settings.labelsPerTask + sharedCount * Math.max(settings.labelsPerTask, annotators.size),
    isForAll: (task) => forAll[task] === 1,
  };
}

function isShared(id: string, { seed, overlap }: QueueSettings): boolean {
  if (overlap <= 0) return false;
  return (hashText(JSON.stringify([seed, "overlap", id])) >>> 0) / 2 ** 32 < overlap;
}

/** Every so manieth task of the uncertain order is drawn at random: what the model is sure of, and wrong about, is found that way only. */
const randomEvery = 5;

function orderTasks(tasks: readonly { readonly id: string }[], { order, seed, margins }: QueueSettings): Int32Array {
  const inFile = Int32Array.from(tasks, (_, i) => i);
  if (order === "file") return inFile;
  // By hashes and not by a shuffle: where tasks are added, the others keep their order.
  const keys = Int32Array.from(tasks, ({ id }) => hashText(JSON.stringify([seed, "order", id])));
  const atRandom = inFile.slice().sort((a, b) => keys[a] - keys[b] || a - b);
  if (order === "random" || margins === undefined) return atRandom;
  const distance = (task: number): number => (Number.isFinite(margins[task]) ? Math.abs(margins[task]) : Infinity);
  const uncertain = Int32Array.from(atRandom).sort((a, b) => (distance(a) === distance(b) ? 0 : distance(a) - distance(b)));
  const random = new Random(seed).shuffle(Int32Array.from(inFile));
  const taken = new Uint8Array(tasks.length);
  const mixed = new Int32Array(tasks.length);
  let [fromUncertain, fromRandom] = [0, 0];
  for (let place = 0; place < mixed.length; place++) {
    const drawn = place % randomEvery === randomEvery - 1;
    const source = drawn ? random : uncertain;
    let at = drawn ? fromRandom : fromUncertain;
    while (taken[source[at]] === 1) at++;
    mixed[place] = source[at];
    taken[source[at]] = 1;
    if (drawn) fromRandom = at + 1;
    else fromUncertain = at + 1;
  }
  return mixed;
}
