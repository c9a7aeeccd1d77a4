import { tokensPerPass } from "../runtime/index.ts";
import { describe, expect, test } from "vitest";
import { bucketBatch, bucketCapacity, groupPrompts, isTimeToAdmit, shrinkBatch } from "./batch-plan.ts";

test("bucketBatch", () => {
  expect([1, 3, 8, 9, 20, 33, 64].map((rows) => bucketBatch(rows, 64))).toEqual([1, 4, 8, 16, 24, 48, 64]);
  expect(bucketBatch(100, 20)).toBe(20);
  expect(bucketBatch(10, 12)).toBe(12);
});

test("bucketCapacity never cuts a sequence nor exceeds a model's positions by itself", () => {
  expect([1, 64, 65, 512, 513].map((length) => bucketCapacity(length, 2048))).toEqual([64, 64, 128, 512, 768]);
  expect(bucketCapacity(100, 120)).toBe(120);
  expect(bucketCapacity(10, 32)).toBe(32);
});

test("isTimeToAdmit waits for a few free slots while others work", () => {
  expect(isTimeToAdmit(0, 32, 32)).toBe(false);
  expect(isTimeToAdmit(3, 29, 32)).toBe(false);
  expect(isTimeToAdmit(4, 28, 32)).toBe(true);
  expect(isTimeToAdmit(1, 0, 1)).toBe(true);
});

test("shrinkBatch asks for enough steps to pay for compiling", () => {
  expect(shrinkBatch(32, 30, 1000, 1e6)).toBe(32);
  expect(shrinkBatch(32, 3, 1000, 1e6)).toBe(4);
  expect(shrinkBatch(32, 3, 2, 1e6)).toBe(32);
  expect(shrinkBatch(32, 3, 50, 1.2e8)).toBe(32);
  expect(shrinkBatch(32, 3, 60, 1.2e8)).toBe(4);
});

describe("groupPrompts", () => {
  test("puts every prompt in one group that is long enough", () => {
    const lengths = Array.from({ length: 100 }, (_, i) => 1 + ((i * 37) % 400));
    const groups = groupPrompts(lengths, 512);
    expect(groups.flatMap(({ members }) => members).sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    for (const { members, rows, time } of groups) {
      expect(rows).toBeGreaterThanOrEqual(members.length);
      for (const member of members) expect(lengths[member]).toBeLessThanOrEqual(time);
      expect(members.length === 1 || rows * time <= tokensPerPass).toBe(true);
    }
  });

  test("does not pad short prompts to long ones", () => {
    expect(groupPrompts([5, 200, 6], 512).map(({ members }) => members)).toEqual([[0, 2], [1]]);
  });

  test("of nothing is nothing", () => expect(groupPrompts([], 512)).toEqual([]));
});
