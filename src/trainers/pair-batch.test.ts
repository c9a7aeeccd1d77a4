import { expect, test } from "vitest";
import { batchPairTokens } from "./dpo-batch.ts";
import { countPairTokens, scoredPairRow } from "./pair-batch.ts";

const pair = { promptIds: [1, 2], chosenIds: [3, 4, 5], rejectedIds: [6, 7] };

test("both completions are predicted from the prompt's end, and continue its positions", () => {
  const row = scoredPairRow(pair);
  expect(row.ids).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(row.segments).toEqual([0, 0, 1, 1, 1, 2, 2]);
  expect(row.positions).toEqual([0, 1, 2, 3, 4, 2, 3]);
  expect(row.from).toEqual([1, 2, 3, 1, 5]);
  expect(row.targets).toEqual([3, 4, 5, 6, 7]);
  expect(row.chosenCount).toBe(3);
  expect(countPairTokens(pair)).toBe(9);
});

test("without a prompt nothing predicts the first tokens, one of which may be all there is", () => {
  expect(scoredPairRow({ ...pair, promptIds: [] })).toMatchObject({ from: [0, 1, 3], targets: [4, 5, 7], chosenCount: 2 });
  expect(scoredPairRow({ promptIds: [], chosenIds: [3], rejectedIds: [6] })).toMatchObject({ from: [], targets: [], chosenCount: 0 });
});

test("sides sum their own tokens; those beyond the shorter one weigh ld_alpha", () => {
  const { inputs, room, scored } = batchPairTokens([pair], { maxPositions: 16, ldAlpha: 0.25 });
  const width = scored.scored;
  const row = (name: string, i: number): number[] => [...(inputs[name] as Float32Array).subarray(i * width, i * width + 5)];
  expect([room, scored.count]).toEqual([1, 5]);
  expect([row("sums", 0), row("sums", 1)]).toEqual([
    [1, 1, 0.25, 0, 0],
    [0, 0, 0, 1, 1],
  ]);
  expect(row("means", 1)).toEqual([0, 0, 0, 0.5, 0.5]);
  expect([row("sides", 0), row("sides", 1)]).toEqual([
    [1, 1, 1, 0, 0],
    [0, 0, 0, 1, 1],
  ]);
  expect([...(inputs["lengths"] as Float32Array)]).toEqual([3, 2]);
});
