import { describe, expect, it } from "vitest";

import { createMemoryRows } from "./indexed-rows.ts";
import { type Dataset, mixDatasets, splitDataset } from "./mixture.ts";

const part = (task: string, count: number, share: { fraction?: number; weight?: number } = {}) => ({
  task,
  rows: createMemoryRows(
    Array.from({ length: count }, (_, i) => ({ text: `${task}${i}` })),
    task,
  ),
  ...share,
});

async function readAll(dataset: Dataset): Promise<string[]> {
  return Promise.all(Array.from({ length: dataset.count }, async (_, i) => (await dataset.read(i))["text"] as string));
}

describe("mixDatasets", () => {
  it("puts data sets one after another, each row knowing its task and place", async () => {
    const mixed = mixDatasets([part("a", 2), part("b", 3)]);
    expect(await readAll(mixed)).toEqual(["a0", "a1", "b0", "b1", "b2"]);
    expect([0, 1, 2, 4].map((i) => mixed.task(i))).toEqual(["a", "a", "b", "b"]);
    expect(mixed.place(4)).toMatchObject({ file: "b", line: 3 });
  });

  it("keeps the first rows of each by fraction, as many as need no repeats", async () => {
    // 10 rows at 1/4 and 6 at 3/4: the second limits the mixture to 8 rows
    expect(await readAll(mixDatasets([part("a", 10, { fraction: 1 }), part("b", 6, { fraction: 3 })]))).toEqual([
      "a0",
      "a1",
      "b0",
      "b1",
      "b2",
      "b3",
      "b4",
      "b5",
    ]);
  });

  it("repeats and leaves out rows by weight, the same each time", async () => {
    const make = (seed: number) => mixDatasets([part("a", 10, { weight: 1 }), part("b", 2, { weight: 1 })], { seed });
    const rows = await readAll(make(1));
    expect(rows.filter((row) => row.startsWith("a"))).toHaveLength(6);
    expect(rows.filter((row) => row.startsWith("b")).sort()).toEqual(["b0", "b0", "b0", "b1", "b1", "b1"]);
    expect(new Set(rows.filter((row) => row.startsWith("a"))).size).toBe(6);
    expect(await readAll(make(1))).toEqual(rows);
    expect(await readAll(make(2))).not.toEqual(rows);
  });

  it("refuses shares on some parts only, both kinds, or none above zero", () => {
    expect(() => mixDatasets([part("a", 1, { fraction: 1 }), part("b", 1)])).toThrow(/on all of them or on none/);
    expect(() => mixDatasets([part("a", 1, { fraction: 1 }), part("b", 1, { weight: 1 })])).toThrow(/all of them|either/);
    expect(() => mixDatasets([part("a", 1, { weight: 0 })])).toThrow(/got 0/);
  });
});

describe("splitDataset", () => {
  it("splits without overlap, by seed", async () => {
    const { train, test } = splitDataset(mixDatasets([part("a", 20), part("b", 20)]), 0.25, 7);
    expect([train.count, test.count]).toEqual([30, 10]);
    expect(new Set([...(await readAll(train)), ...(await readAll(test))]).size).toBe(40);
    expect(test.tasks).toEqual(["a", "b"]);
  });

  it("holds a row that a weight repeats out with all its copies", async () => {
    const mixed = mixDatasets([part("a", 10, { weight: 9 }), part("b", 30, { weight: 1 })]);
    const { train, test } = splitDataset(mixed, 0.15, 7);
    const held = await readAll(test);
    expect(held).toHaveLength(6);
    expect(new Set(held).size).toBe(6);
    const learnt = new Set(await readAll(train));
    expect(held.filter((row) => learnt.has(row))).toEqual([]);
    // 14 rows are different in the mixture: not all can be held out.
    expect(() => splitDataset(mixed, 14, 7)).toThrow(/fewer rows than the 14 there are/);
  });

  it("refuses to leave nothing to train on", () => {
    expect(() => splitDataset(mixDatasets([part("a", 3)]), 3, 0)).toThrow(/fewer rows than the 3/);
  });
});
