import { describe, expect, test } from "vitest";
import { mapSteps, placeSteps } from "./axes.ts";
import { absent } from "./row-parser.ts";
import { sampleSeries } from "./series.ts";

const everything = { from: -Infinity, to: Infinity, points: 100 };
const columnOf = (...values: number[]): Float64Array => Float64Array.from(values);

describe("sampleSeries", () => {
  test("few points are all sent, with gaps for what is not a number", () => {
    const series = sampleSeries(columnOf(1, 2, 3, 4, 5), columnOf(1.5, absent, NaN, 2, 3), everything);
    expect(series).toEqual({ count: 4, x: [1, 3, 4, 5], y: [1.5, null, 2, 3] });
  });

  test("a range takes its bounds in, and a row without place is passed over", () => {
    const x = columnOf(1, 2, absent, 3, NaN, 4);
    expect(sampleSeries(x, columnOf(1, 2, 3, 4, 5, 6), { ...everything, from: 2, to: 3 })).toEqual({ count: 2, x: [2, 3], y: [2, 4] });
    expect(sampleSeries(x, columnOf(1, 2, 3, 4, 5, 6), { ...everything, from: 50 })).toEqual({ count: 0, x: [], y: [] });
  });

  test("no spike is hidden among a million points", () => {
    const rows = 1_000_000;
    const x = Float64Array.from({ length: rows }, (_, i) => i);
    const y = Float64Array.from({ length: rows }, (_, i) => Math.sin(i / 1e5));
    y[123_456] = 50;
    y[777_777] = -50;
    const series = sampleSeries(x, y, { ...everything, points: 1000 });
    expect(series.count).toBe(rows);
    expect(series.x.length).toBeLessThanOrEqual(1000);
    expect(series.x.length).toBe(series.y.length);
    expect(series.y[series.x.indexOf(123_456)]).toBe(50);
    expect(series.y[series.x.indexOf(777_777)]).toBe(-50);
    expect(series.x.every((at, i) => i === 0 || at > series.x[i - 1]!)).toBe(true);
    expect(series.meanX).toHaveLength(500);
    // Means of 2,000 points each: of sin over a fiftieth of a period.
    for (const [i, at] of series.meanX!.entries()) {
      const spike = Math.abs(at - 123_456) < 2000 || Math.abs(at - 777_777) < 2000 ? 0.06 : 1e-4;
      expect(Math.abs(series.mean![i]! - Math.sin(at / 1e5))).toBeLessThan(spike);
    }
  });

  test("buckets of nothing but NaN are gaps", () => {
    const x = Float64Array.from({ length: 100 }, (_, i) => i);
    const y = Float64Array.from({ length: 100 }, (_, i) => (i < 50 ? i : NaN));
    const series = sampleSeries(x, y, { ...everything, points: 20 });
    expect(series.y.slice(-5)).toEqual([null, null, null, null, null]);
    expect(Math.max(...series.y.map((value) => value ?? -1))).toBe(49);
  });

  test("places that go back are put in order; all at one place is one place", () => {
    expect(sampleSeries(columnOf(1, 2, 3, 2), columnOf(10, 20, 30, 21), everything)).toEqual({
      count: 4,
      x: [1, 2, 2, 3],
      y: [10, 20, 21, 30],
    });
    const same = sampleSeries(
      new Float64Array(300).fill(7),
      Float64Array.from({ length: 300 }, (_, i) => i),
      { ...everything, points: 10 },
    );
    expect(same).toEqual({ count: 300, x: [7, 7], y: [0, 299], meanX: [7], mean: [149.5] });
  });
});

describe("axes", () => {
  test("steps get the times between which they were done", () => {
    const map = mapSteps(columnOf(absent, 10, 10, 20), columnOf(0, 1, 2, 5));
    expect(map).toEqual({ steps: [10, 20], values: [1, 5] });
    expect([...placeSteps(map, columnOf(5, 10, 15, 20, 30, 12, NaN))]).toEqual([1, 1, 3, 5, 5, 1.8, absent]);
  });

  test("a run that went back to a checkpoint forgets what it did after it", () => {
    const map = mapSteps(columnOf(10, 20, 30, 20, 25), columnOf(1, 2, 3, 100, 101));
    expect(map).toEqual({ steps: [10, 20, 25], values: [1, 100, 101] });
  });

  test("without a map there are no places", () => {
    expect([...placeSteps(mapSteps(new Float64Array(0), new Float64Array(0)), columnOf(1, 2))]).toEqual([absent, absent]);
  });
});
