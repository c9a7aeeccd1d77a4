import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDelivery, type DeliveryOptions } from "./delivery.ts";
import { DeliveryError } from "./http-request.ts";
import type { RunEvent } from "./tracker.ts";

let folder: string;
let unsentPath: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-delivery-"));
  unsentPath = join(folder, "trackers", "x.unsent.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Item = { n: number };
const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

function start(send: DeliveryOptions<Item>["send"], options: Partial<DeliveryOptions<Item>> = {}) {
  const events: RunEvent[] = [];
  const delivery = createDelivery<Item>({
    name: "x",
    unsentPath,
    send,
    report: (event) => void events.push(event),
    interval: 1,
    retry: { first: 1, longest: 4 },
    ...options,
  });
  return { delivery, events, codes: () => events.map((event) => event.code) };
}

const transient = (): never => {
  throw new DeliveryError("transient", "no answer");
};
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const readUnsent = (): number[] =>
  readFileSync(unsentPath, "utf8")
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as Item).n);

test("rows arrive in order, in batches, and leave nothing on disk", async () => {
  const batches: number[][] = [];
  const { delivery, events } = start(async (items) => void batches.push(items.map(({ n }) => n)), { batchSize: 10 });
  for (const n of numbers(0, 25)) delivery.push({ n });
  expect(await delivery.close()).toBe(0);
  expect(batches.flat()).toEqual(numbers(0, 25));
  expect(Math.max(...batches.map((batch) => batch.length))).toBe(10);
  expect(events).toEqual([]);
  expect(existsSync(unsentPath)).toBe(false);
});

test("an outage is said once, rows wait, and arrive when it is over", async () => {
  const got: number[] = [];
  let down = true;
  const { delivery, events, codes } = start(async (items) => {
    if (down) transient();
    got.push(...items.map(({ n }) => n));
  });
  for (const n of numbers(0, 5)) delivery.push({ n });
  for (const deadline = Date.now() + 2000; events.length === 0 && Date.now() < deadline;) await sleep(1);
  await sleep(20);
  expect(codes()).toEqual(["tracking/unreachable"]);
  expect(events[0]).toMatchObject({ level: "warning", tracker: "x" });
  down = false;
  delivery.push({ n: 5 });
  for (const deadline = Date.now() + 2000; got.length < 6 && Date.now() < deadline;) await sleep(1);
  expect(got).toEqual(numbers(0, 6));
  down = true;
  delivery.push({ n: 6 });
  await sleep(10);
  expect(await delivery.close()).toBe(1);
  expect(codes()).toEqual(["tracking/unreachable", "tracking/reached", "tracking/unsent"]);
});

test("memory is bounded: what comes on top waits on disk, in order, and is left there when the run ends", async () => {
  const { delivery, codes, events } = start(transient, { capacity: 10 });
  for (const n of numbers(0, 40)) delivery.push({ n });
  expect(readUnsent()).toEqual(numbers(10, 40));
  expect(await delivery.close()).toBe(40);
  expect(readUnsent()).toEqual(numbers(0, 40));
  expect(codes()).toEqual(["tracking/unreachable", "tracking/unsent"]);
  expect(events[1]!.message).toContain(unsentPath);

  // The next session sends them first, and its own after them.
  const got: number[] = [];
  const later = start(async (items) => void got.push(...items.map(({ n }) => n)), {
    capacity: 10,
    batchSize: 7,
    isStale: ({ n }) => n === 3,
  });
  for (const n of numbers(40, 45)) later.delivery.push({ n });
  expect(await later.delivery.close()).toBe(0);
  expect(got).toEqual(numbers(0, 45).filter((n) => n !== 3));
  expect(later.events).toEqual([]);
  expect(existsSync(unsentPath)).toBe(false);
});

test("during an outage rows are on disk at once: a process that is killed then loses none", async () => {
  const { delivery, events } = start(transient);
  for (const n of numbers(0, 5)) delivery.push({ n });
  for (const deadline = Date.now() + 2000; events.length === 0 && Date.now() < deadline;) await sleep(1);
  delivery.push({ n: 5 });
  expect(readUnsent()).toEqual(numbers(0, 6));
  await sleep(20);
  delivery.push({ n: 6 });
  expect(readUnsent()).toEqual(numbers(0, 7));
  expect(await delivery.close()).toBe(7);
  expect(readUnsent()).toEqual(numbers(0, 7));
});

test("a killed writer's torn line is passed over", async () => {
  const { delivery } = start(transient);
  delivery.push({ n: 1 });
  await delivery.close();
  writeFileSync(unsentPath, `${readFileSync(unsentPath, "utf8")}{"n":`);
  const got: number[] = [];
  const later = start(async (items) => void got.push(...items.map(({ n }) => n)), { capacity: 1 });
  later.delivery.push({ n: 2 });
  await later.delivery.close();
  expect(got).toEqual([1, 2]);
});

test("a row that is refused is left out alone, and named once", async () => {
  const got: number[] = [];
  const { delivery, codes } = start(async (items) => {
    if (items.some(({ n }) => n % 10 === 7)) throw new DeliveryError("refused", "400 bad row");
    got.push(...items.map(({ n }) => n));
  });
  for (const n of numbers(0, 30)) delivery.push({ n });
  expect(await delivery.close()).toBe(0);
  expect(got).toEqual(numbers(0, 30).filter((n) => n % 10 !== 7));
  expect(codes()).toEqual(["tracking/refused", "tracking/refused-rows"]);
});

test("where everything is refused, it is not asked row by row for ever", async () => {
  let calls = 0;
  const { delivery, codes } = start(async () => {
    calls++;
    throw new DeliveryError("refused", "404 no such run");
  });
  for (const n of numbers(0, 500)) delivery.push({ n });
  expect(await delivery.close()).toBeGreaterThan(400);
  expect(calls).toBeLessThan(100);
  expect(codes()).toEqual(["tracking/refused", "tracking/denied", "tracking/unsent", "tracking/refused-rows"]);
});

test("a wrong key is said once and not tried again at the end", async () => {
  let calls = 0;
  const { delivery, codes } = start(
    async () => {
      calls++;
      throw new DeliveryError("denied", "401");
    },
    { retry: { first: 1, longest: 60_000 } },
  );
  delivery.push({ n: 1 });
  for (const deadline = Date.now() + 2000; calls === 0 && Date.now() < deadline;) await sleep(1);
  await sleep(10);
  expect(await delivery.close()).toBe(1);
  expect(calls).toBe(1);
  expect(codes()).toEqual(["tracking/denied", "tracking/unsent"]);
});

test("a server that never answers holds up neither rows nor, beyond its limit, the end", async () => {
  const { delivery, codes } = start(
    (_items, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new DeliveryError("transient", "aborted")))),
    { closeLimit: 60, capacity: 1000 },
  );
  const started = performance.now();
  for (const n of numbers(0, 5000)) delivery.push({ n });
  const pushing = performance.now() - started;
  // 4000 of them went to disk; a training step takes longer than all.
  expect(pushing).toBeLessThan(5000);
  await sleep(20);
  const closing = performance.now();
  expect(await delivery.close()).toBe(5000);
  expect(performance.now() - closing).toBeLessThan(3000);
  expect(codes()).toContain("tracking/unsent");
  expect(readUnsent()).toHaveLength(5000);
});

test("a listener that throws, and a disk that takes nothing, do not reach training", async () => {
  writeFileSync(join(folder, "trackers"), "a file where the folder should be");
  const delivery = createDelivery<Item>({
    name: "x",
    unsentPath,
    send: transient,
    capacity: 1,
    retry: { first: 1, longest: 2 },
    report: () => {
      throw new Error("the disk is full");
    },
  });
  expect(() => numbers(0, 5).forEach((n) => delivery.push({ n }))).not.toThrow();
  await expect(delivery.close()).resolves.toBeGreaterThan(0);
});

test("it sends a sign of life where there is nothing to send", async () => {
  let beats = 0;
  const { delivery } = start(async () => {}, { heartbeatEvery: 3, heartbeat: async () => void beats++ });
  for (const deadline = Date.now() + 2000; beats < 2 && Date.now() < deadline;) await sleep(2);
  expect(beats).toBeGreaterThanOrEqual(2);
  await delivery.close();
  const after = beats;
  await sleep(10);
  expect(beats).toBe(after);
});
