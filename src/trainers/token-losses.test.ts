import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchScoredRows, roomFor, splitByLogits } from "./token-losses.ts";

describe("splitByLogits", () => {
  it("keeps the order, balances the parts, and lets a row that is too large stand alone", () => {
    const vocab = 2 ** 18;
    const split = (tokens: number[]): number[][] => splitByLogits(tokens, (count) => count, vocab);
    expect(split([1, 2, 3])).toEqual([[1, 2, 3]]);
    expect(split([50, 50, 50, 50])).toEqual([
      [50, 50],
      [50, 50],
    ]);
    expect(split([1, 1000, 1])).toEqual([[1], [1000], [1]]);
    expect(split([0, 0])).toEqual([[0, 0]]);
    expect(split([])).toEqual([]);
  });

  it("loses and doubles nothing", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2000), { maxLength: 40 }), (tokens) => {
        const parts = splitByLogits(tokens, (count) => count, 2 ** 15);
        expect(parts.flat()).toEqual(tokens);
        expect(parts.every((part) => part.length > 0)).toBe(true);
      }),
    );
  });
});

describe("roomFor", () => {
  it("takes the usual size where little of it stays empty, else the bucket of the count", () => {
    expect(roomFor(1500, 1536)).toBe(1536);
    expect(roomFor(900, 1536)).toBe(roomFor(900, 0));
    expect(roomFor(1600, 1536)).toBeGreaterThanOrEqual(1600);
  });
});

describe("batchScoredRows", () => {
  it("says where each target is predicted from, row by row", () => {
    const batch = batchScoredRows(
      [
        { ids: [5, 6, 7], from: [0, 1], targets: [6, 7] },
        { ids: [8, 9], from: [0], targets: [9] },
      ],
      64,
    );
    expect(Array.from((batch.inputs["rows"] as Int32Array).subarray(0, 3))).toEqual([0, 1, batch.time]);
    expect(Array.from((batch.inputs["labels"] as Int32Array).subarray(0, 4))).toEqual([6, 7, 9, 0]);
    expect((batch.inputs["real"] as Float32Array).reduce((a, b) => a + b, 0)).toBe(3);
  });
});
