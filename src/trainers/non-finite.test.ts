import { expect, test } from "vitest";
import type { PreparedRows } from "../data/index.ts";
import { nonFiniteLoss } from "./non-finite.ts";
import type { Trainable } from "./optimizer.ts";

const buffer = (...values: number[]): Trainable["value"] => ({
  dtype: "float32",
  shape: [values.length],
  host: Float32Array.from(values),
  discard() {},
  free() {},
});
const trainable = (name: string, value: number[], gradient: number[]): Trainable => ({
  name,
  value: buffer(...value),
  gradient: buffer(...gradient),
});
const rows = { place: (index: number) => ({ file: "data.jsonl", line: index + 1 }) } as PreparedRows<unknown>;

test("rows, and the first weight or else gradient that is no number", () => {
  const first = trainable("first", [1, 2], [0, NaN]);
  const messageOf = (...trainables: Trainable[]): string => nonFiniteLoss(NaN, [4, 0], rows, trainables).message;
  const what = "the loss is NaN for the batch of data.jsonl:5, data.jsonl:1";
  expect(messageOf(trainable("sound", [1], [1]))).toBe(what);
  expect(messageOf(trainable("sound", [1], [1]), first)).toBe(`${what}; the gradient of first is not finite`);
  expect(messageOf(first, trainable("second", [-Infinity], [1]))).toBe(`${what}; the weight second is not finite`);
});
