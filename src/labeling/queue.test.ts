import fc from "fast-check";
import { expect, test } from "vitest";
import { defaultQueueSettings, type QueueSettings } from "./label-settings.ts";
import { createLabelQueue, type LabelQueue } from "./queue.ts";
import { drawSides } from "./sides.ts";

const makeTasks = (count: number): { id: string }[] => Array.from({ length: count }, (_, i) => ({ id: `t${i}` }));
const make = (count: number, over: Partial<QueueSettings> = {}, now?: () => number): LabelQueue =>
  createLabelQueue(makeTasks(count), { ...defaultQueueSettings, ...over }, now);

test("as in the file; nobody gets what another holds; a lease ends, or is renewed", () => {
  let time = 0;
  const queue = make(4, { leaseTime: 100 }, () => time);
  expect(queue.next("anna", "1", [], 2)).toEqual([0, 1]);
  expect(queue.next("bob", "1", [], 1)).toEqual([2]);
  // A second tab of anna's, then the first once more: it holds 0 only.
  expect(queue.next("anna", "2", [], 1)).toEqual([3]);
  expect(queue.next("anna", "1", [0], 1)).toEqual([1]);
  time = 90;
  expect(queue.next("anna", "1", [0], 0)).toEqual([]);
  time = 110;
  expect(queue.next("bob", "1", [], 4)).toEqual([1, 2, 3]);
  time = 191;
  expect(queue.next("bob", "1", [1, 2, 3], 4)).toEqual([0]);
});

test("what is labelled leaves everyone's queue; a skip leaves one's own only; taken back it comes first again", () => {
  const queue = make(3);
  queue.give(0, "anna", true);
  queue.give(1, "anna", false);
  expect([queue.done("anna"), queue.left("anna"), queue.left("bob"), queue.given(), queue.wanted()]).toEqual([2, 1, 2, 1, 3]);
  expect(queue.next("anna", "1", [], 5)).toEqual([2]);
  expect(queue.next("bob", "1", [], 5)).toEqual([1]);
  queue.takeBack(0, "anna");
  expect([queue.done("anna"), queue.left("anna"), queue.left("bob"), queue.given()]).toEqual([1, 2, 3, 0]);
  expect(queue.next("anna", "1", [2], 5)).toEqual([0]);
});

test("labels per task: so many people, and not more at a time", () => {
  const queue = make(1, { labelsPerTask: 2 });
  expect([queue.next("anna", "1", [], 1), queue.next("bob", "1", [], 1), queue.next("cem", "1", [], 1)]).toEqual([[0], [0], []]);
  queue.give(0, "anna", true);
  expect(queue.next("cem", "1", [], 1)).toEqual([]);
  queue.next("bob", "1", [], 0);
  expect(queue.next("cem", "1", [], 1)).toEqual([0]);
});

test("a share of the tasks is for all, and counts once for everybody who is there", () => {
  const queue = make(1000, { overlap: 0.1, order: "random" });
  const shared = Array.from({ length: 1000 }, (_, i) => i).filter(queue.isForAll);
  expect(shared.length).toBeGreaterThan(70);
  expect(shared.length).toBeLessThan(130);
  const seen = ["anna", "bob", "cem"].map((name) => {
    const all: number[] = [];
    for (let got = queue.next(name, "1", [], 10); got.length > 0; got = queue.next(name, "1", [], 10)) {
      for (const task of got) queue.give(task, name, true);
      all.push(...got);
    }
    return all;
  });
  expect(new Set(seen[0]).size).toBe(1000);
  expect(new Set(seen[1])).toEqual(new Set(shared));
  expect(queue.wanted()).toBe(1000 - shared.length + 3 * shared.length);
  expect(queue.given()).toBe(queue.wanted());
  expect(queue.left("anna")).toBe(0);
  expect(queue.left("dora")).toBe(shared.length);
});

test("random: another order for another seed, the same tasks; what is added does not change the order of the rest", () => {
  const orderOf = (queue: LabelQueue, count: number): number[] => {
    const all: number[] = [];
    while (all.length < count) all.push(...queue.next("anna", "1", all, 10));
    return all;
  };
  const one = orderOf(make(50, { order: "random", seed: 1 }), 50);
  expect(orderOf(make(50, { order: "random", seed: 1 }), 50)).toEqual(one);
  expect(orderOf(make(50, { order: "random", seed: 2 }), 50)).not.toEqual(one);
  expect(orderOf(make(60, { order: "random", seed: 1 }), 60).filter((task) => task < 50)).toEqual(one);
  expect([...one].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
});

test("uncertain: the smallest margins first, every fifth at random, each task once", () => {
  const margins = Array.from({ length: 100 }, (_, i) => (i === 7 ? NaN : i % 2 === 0 ? 100 - i : i - 100));
  const queue = make(100, { order: "uncertain", margins });
  const all: number[] = [];
  while (all.length < 100) all.push(...queue.next("anna", "1", all, 10));
  expect(new Set(all).size).toBe(100);
  const chosen = all.filter((_, place) => place % 5 !== 4);
  const sizes = chosen.map((task) => Math.abs(margins[task])).slice(0, 75);
  expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  expect(all[0]).toBe(99);
  const drawn = all.filter((_, place) => place % 5 === 4).slice(0, 10);
  expect(drawn).not.toEqual([...drawn].sort((a, b) => b - a));
});

test("whatever people do: nobody gets a task twice, and no task gets more labels than asked for", () => {
  const step = fc.record({
    who: fc.nat(3),
    tab: fc.nat(1),
    act: fc.constantFrom("next", "next", "give", "give", "skip", "undo"),
    count: fc.nat(3),
    pick: fc.nat(20),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 120 }),
      fc.integer({ min: 1, max: 2 }),
      fc.constantFrom(0, 0.4),
      (steps, labelsPerTask, overlap) => {
        const queue = make(6, { labelsPerTask, overlap, order: "random" });
        const held = new Map<string, number[]>();
        const done = new Map<number, Map<number, boolean>>();
        for (const { who, tab, act, count, pick } of steps) {
          const name = `n${who}`;
          const key = `${who} ${tab}`;
          const mine = held.get(key) ?? [];
          const given = done.get(who) ?? new Map<number, boolean>();
          done.set(who, given);
          if (act === "next") {
            const got = queue.next(name, String(tab), mine, count);
            for (const task of got) {
              expect(given.has(task)).toBe(false);
              expect([...held].some(([other, tasks]) => other.startsWith(`${who} `) && tasks.includes(task))).toBe(false);
              if (!queue.isForAll(task))
                expect([...done.values()].filter((all) => all.get(task) === true).length).toBeLessThan(labelsPerTask);
            }
            held.set(key, [...mine, ...got]);
          } else if (act === "undo") {
            const task = [...given.keys()][pick % Math.max(1, given.size)];
            if (task === undefined) continue;
            given.delete(task);
            queue.takeBack(task, name);
          } else if (mine.length > 0) {
            const task = mine[pick % mine.length];
            held.set(
              key,
              mine.filter((other) => other !== task),
            );
            given.set(task, act === "give");
            queue.give(task, name, act === "give");
          }
          const counts = Array.from({ length: 6 }, (_, i) => [...done.values()].filter((all) => all.get(i) === true).length);
          expect(queue.given()).toBe(counts.reduce((sum, n) => sum + n, 0));
          for (const [i, all] of done) {
            const open = counts.filter((n, i2) => (queue.isForAll(i2) || n < labelsPerTask) && !all.has(i2)).length;
            expect(queue.left(`n${i}`)).toBe(open);
            expect(queue.done(`n${i}`)).toBe(all.size);
          }
        }
      },
    ),
    { numRuns: 100 },
  );
});

test("100,000 tasks, a fifth of them done: the next one in under 5 ms", () => {
  const queue = make(100_000);
  for (let done = 0; done < 20_000;) {
    const got = queue.next("anna", "1", [], 10);
    for (const task of got) queue.give(task, "anna", true);
    done += got.length;
  }
  // The first question of somebody new looks through all that is done.
  const times = Array.from({ length: 20 }, (_, i) => {
    const started = performance.now();
    expect(queue.next(`new${i}`, "1", [], 3)).toHaveLength(3);
    return performance.now() - started;
  });
  expect(times.sort((a, b) => a - b)[10]).toBeLessThan(5);
});

test("sides depend on seed, task and annotator, half of them each way", () => {
  const sides = Array.from({ length: 2000 }, (_, i) => drawSides(0, `t${i}`, "anna", 2)[0]);
  const first = sides.filter((side) => side === 0).length;
  expect(Math.abs(first - 1000)).toBeLessThan(100);
  expect(drawSides(0, "t1", "anna", 2)).toEqual(drawSides(0, "t1", "anna", 2));
  const others = Array.from({ length: 200 }, (_, i) => drawSides(0, `t${i}`, "bob", 2)[0]);
  expect(others).not.toEqual(sides.slice(0, 200));
  expect(drawSides(3, "t", "anna", 5).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
});
