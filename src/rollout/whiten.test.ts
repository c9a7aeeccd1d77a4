import { describe, expect, it } from "vitest";
import { whiten } from "./whiten.ts";

const rows = [Float32Array.of(1, 2), Float32Array.of(3), Float32Array.of(6)];
const flat = (result: readonly Float32Array[]): number[] => result.flatMap((row) => [...row]);

describe("whiten", () => {
  // Mean 3, squared deviations 4 + 1 + 0 + 9 = 14.
  it("divides by n − 1 or by n", () => {
    expect(flat(whiten(rows))).toEqual([-2, -1, 0, 3].map((x) => expect.closeTo(x / Math.sqrt(14 / 3), 6)));
    expect(flat(whiten(rows, { unbiased: false }))).toEqual([-2, -1, 0, 3].map((x) => expect.closeTo(x / Math.sqrt(14 / 4), 6)));
  });

  it("keeps the mean where asked", () => {
    expect(flat(whiten(rows, { shiftMean: false }))).toEqual([-2, -1, 0, 3].map((x) => expect.closeTo(x / Math.sqrt(14 / 3) + 3, 6)));
  });

  it("is calm about equal, single and no values", () => {
    expect(flat(whiten([Float32Array.of(4, 4), Float32Array.of(4)]))).toEqual([0, 0, 0]);
    expect(flat(whiten([Float32Array.of(4)]))).toEqual([0]);
    expect(flat(whiten([Float32Array.of(4)], { shiftMean: false }))).toEqual([4]);
    expect(whiten([])).toEqual([]);
  });
});
