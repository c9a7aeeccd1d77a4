import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createLoader, type LoaderOptions } from "./loader.ts";

function takeEpoch(options: LoaderOptions): number[] {
  const loader = createLoader(options);
  return Array.from({ length: loader.batchesPerEpoch }, () => loader.next().indices).flat();
}

describe("createLoader", () => {
  it("goes through every row once an epoch, the last batch smaller", () => {
    const loader = createLoader({ count: 10, batchSize: 4, seed: 1 });
    const sizes = [loader.next(), loader.next(), loader.next()].map((batch) => [batch.indices.length, batch.isLastOfEpoch]);
    expect(sizes).toEqual([
      [4, false],
      [4, false],
      [2, true],
    ]);
    expect(takeEpoch({ count: 10, batchSize: 4, seed: 1 }).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("shuffles each epoch anew, by seed and epoch alone", () => {
    const options = { count: 50, batchSize: 7, seed: 3 };
    expect(takeEpoch(options)).toEqual(takeEpoch({ ...options, batchSize: 5 }));
    expect(takeEpoch(options)).not.toEqual(takeEpoch({ ...options, seed: 4 }));
    expect(takeEpoch(options)).not.toEqual(takeEpoch({ ...options, cursor: { epoch: 1, position: 0 } }));
  });

  it("goes on from any cursor exactly as if it had not stopped", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 0, max: 20 }),
        fc.constantFrom("random" as const, "sequential" as const, "group_by_length" as const),
        fc.boolean(),
        (count, batchSize, steps, samplingStrategy, dropLast) => {
          if (dropLast && count < batchSize) return;
          const lengths = Array.from({ length: count }, (_, i) => (i * 7919) % 13);
          const options: LoaderOptions = { count, batchSize, seed: 5, samplingStrategy, lengths, dropLast };
          const whole = createLoader(options);
          for (let i = 0; i < steps; i++) whole.next();
          const resumed = createLoader({ ...options, cursor: JSON.parse(JSON.stringify(whole.cursor)) });
          for (let i = 0; i < 8; i++) expect(resumed.next()).toEqual(whole.next());
        },
      ),
    );
  });

  it("drops the partial batch when asked, and keeps sequential order", () => {
    const loader = createLoader({ count: 5, batchSize: 2, seed: 0, samplingStrategy: "sequential", dropLast: true });
    expect(loader.batchesPerEpoch).toBe(2);
    expect([loader.next(), loader.next(), loader.next()].map((batch) => [batch.epoch, ...batch.indices])).toEqual([
      [0, 0, 1],
      [0, 2, 3],
      [1, 0, 1],
    ]);
  });

  it("groups rows of like length, the longest first", () => {
    const lengths = Array.from({ length: 400 }, (_, i) => (i * 37) % 101);
    const order = takeEpoch({ count: 400, batchSize: 4, seed: 2, samplingStrategy: "group_by_length", lengths });
    expect(lengths[order[0]!]).toBe(100);
    let spread = 0;
    for (let i = 0; i < 400; i += 4) {
      const batch = order.slice(i, i + 4).map((row) => lengths[row]!);
      spread += Math.max(...batch) - Math.min(...batch);
    }
    expect(spread / 100).toBeLessThan(15); // 4 rows at random: about 60
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, i) => i));
  });

  it("refuses what cannot be", () => {
    expect(() => createLoader({ count: 0, batchSize: 1, seed: 0 })).toThrow(/empty/);
    expect(() => createLoader({ count: 3, batchSize: 4, seed: 0, dropLast: true })).toThrow(/do not fill one batch/);
    expect(() => createLoader({ count: 3, batchSize: 1, seed: 0, cursor: { epoch: 0, position: 4 } })).toThrow(/does not fit 3 rows/);
    expect(() => createLoader({ count: 3, batchSize: 1, seed: 0, samplingStrategy: "group_by_length" })).toThrow(/needs the length/);
  });
});
