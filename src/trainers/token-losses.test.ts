import { describe, expect, it } from "vitest";
import { batchScoredRows, roomFor, splitByLogits } from "./token-losses.ts";

describe("splitByLogits", () => {
  it("keeps order and bounds, and lets a row that is too large stand alone", () => {
    const vocab = 2 ** 17;
    const parts = splitByLogits([600, 400, 100, 3000, 5], (tokens) => tokens, vocab);
    expect(parts).toEqual([[600, 400], [100], [3000], [5]]);
    expect(splitByLogits([1, 2, 3], (tokens) => tokens, 512)).toEqual([[1, 2, 3]]);
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
