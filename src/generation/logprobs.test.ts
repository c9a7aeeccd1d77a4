import { afterAll, describe, expect, test } from "vitest";
import { freeModel, initializeModel } from "../models/index.ts";
import { createCpuBackend } from "../runtime/index.ts";
import { createScorer } from "./logprobs.ts";

const backend = createCpuBackend();
const raw = { model_type: "gpt2", vocab_size: 40, n_embd: 16, n_layer: 2, n_head: 2, n_positions: 700, initializer_range: 0.5 };
const model = initializeModel(raw, backend, { seed: 2 });
const scoring = initializeModel(raw, backend, { seed: 2, head: "score" });
const scorer = createScorer(model, backend);
afterAll(() => {
  scorer.release();
  freeModel(model);
  freeModel(scoring);
  backend.close();
});

const rowOf = (n: number, length: number): number[] => Array.from({ length }, (_, i) => (n * 13 + i * i) % 40);

test("are those of each row alone, whatever the lengths, beyond one head's rows too", async () => {
  const rows = [rowOf(1, 5), rowOf(2, 600), rowOf(3, 1), rowOf(4, 33), rowOf(5, 2), rowOf(6, 300)].map((ids) => ({ ids }));
  const together = await scorer.logprobs(rows);
  expect(together.map(({ logprobs }) => logprobs.length)).toEqual([4, 599, 0, 32, 1, 299]);
  for (const [i, row] of rows.entries()) {
    const [alone] = await scorer.logprobs([row]);
    for (const [j, logprob] of alone.logprobs.entries()) expect(together[i].logprobs[j]).toBeCloseTo(logprob, 4);
  }
});

test("from a token on", async () => {
  const ids = rowOf(1, 12);
  const [all] = await scorer.logprobs([{ ids }]);
  const [some] = await scorer.logprobs([{ ids, from: 9 }]);
  expect([...some.logprobs]).toHaveLength(3);
  for (const [i, logprob] of some.logprobs.entries()) expect(logprob).toBeCloseTo(all.logprobs[8 + i], 5);
});

test("probabilities of all continuations add up to one, and entropy is their mean surprise", async () => {
  for (const temperature of [1, 0.5]) {
    const rows = Array.from({ length: 40 }, (_, id) => ({ ids: [3, 1, id], from: 2 }));
    const scored = await scorer.logprobs(rows, { temperature, entropy: true });
    const logprobs = scored.map((row) => row.logprobs[0]);
    expect(logprobs.reduce((sum, x) => sum + Math.exp(x), 0)).toBeCloseTo(1, 5);
    const entropy = -logprobs.reduce((sum, x) => sum + Math.exp(x) * x, 0);
    for (const row of scored) expect(row.entropies?.[0]).toBeCloseTo(entropy, 4);
  }
});

test("scores by position are those of the row cut there", async () => {
  const scorer = createScorer(scoring, backend, { maxRows: 2 });
  const rows = [{ ids: rowOf(1, 6) }, { ids: rowOf(2, 9), from: 7 }, { ids: rowOf(3, 2), from: 2 }];
  const byPosition = await scorer.positionScores(rows);
  expect(byPosition.map(({ length }) => length)).toEqual([6, 2, 0]);
  for (const [r, { ids, from = 0 }] of rows.entries()) {
    const cuts = Array.from(byPosition[r], (_, i) => ids.slice(0, from + i + 1));
    const scores = await scorer.scores(cuts);
    expect(Array.from(byPosition[r])).toEqual(Array.from(scores, (score) => expect.closeTo(score, 4) as number));
  }
  await expect(createScorer(model, backend).positionScores([])).rejects.toMatchObject({ code: "generation/no-score-head" });
  scorer.release();
});

test("scores are of a row's last token and do not depend on what it is batched with", async () => {
  const scorer = createScorer(scoring, backend, { maxRows: 2 });
  const rows = [rowOf(1, 5), rowOf(2, 9), rowOf(3, 1), rowOf(1, 4)];
  const together = await scorer.scores(rows);
  for (const [i, row] of rows.entries()) expect((await scorer.scores([row]))[0]).toBeCloseTo(together[i], 5);
  expect(together[0]).not.toBeCloseTo(together[3], 3);
  await expect(scorer.logprobs([{ ids: [1, 2] }])).rejects.toMatchObject({ code: "generation/no-lm-head" });
  await expect(scorer.nextLogprobs([{ ids: [1, 2], tokens: [3] }])).rejects.toMatchObject({ code: "generation/no-lm-head" });
  expect(await scorer.scores([])).toEqual(new Float32Array(0));
  scorer.release();
});

test("what comes next is what logprobs says of it when it has come", async () => {
  const small = createScorer(model, backend, { maxRows: 2 });
  const rows = [rowOf(1, 5), rowOf(2, 9), rowOf(3, 1), rowOf(1, 5)].map((ids, i) => ({ ids, tokens: [i, 39, 7] }));
  const reported: number[] = [];
  const next = await small.nextLogprobs(rows, { report: (done) => void reported.push(done) });
  const after = await scorer.logprobs(
    rows.flatMap(({ ids, tokens }) => tokens.map((token) => ({ ids: [...ids, token], from: ids.length }))),
  );
  expect(next.flatMap((logprobs) => [...logprobs])).toEqual(after.map(({ logprobs }) => expect.closeTo(logprobs[0], 4)));
  expect(reported.at(-1)).toBe(4);
  expect(reported.length).toBeGreaterThan(1);
  small.release();
});

test("callers at the same moment take turns, and one that is called off leaves the others alone", async () => {
  const rows = [rowOf(1, 6), rowOf(2, 6)].map((ids) => ({ ids, tokens: [1] }));
  const [a, stopped, b] = await Promise.allSettled([
    scorer.nextLogprobs(rows),
    scorer.nextLogprobs(rows, { signal: AbortSignal.abort() }),
    scorer.nextLogprobs(rows),
  ]);
  expect(stopped.status).toBe("rejected");
  expect(a).toEqual(b);
  expect(a.status).toBe("fulfilled");
});

describe("refuses", () => {
  test.each([
    [{ ids: [] }, "generation/bad-row"],
    [{ ids: new Array(701).fill(1) }, "generation/bad-row"],
    [{ ids: [1, 40] }, "generation/bad-token"],
    [{ ids: [1, 2], from: 0 }, "generation/bad-row"],
  ])("%j", async (row, code) => {
    await expect(scorer.logprobs([{ ids: [1, 2] }, row])).rejects.toMatchObject({ code });
  });

  test("scores of a language model", async () => {
    await expect(scorer.scores([[1]])).rejects.toMatchObject({ code: "generation/no-score-head" });
  });
});
