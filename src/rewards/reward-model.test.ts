import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Random } from "../internal/rng.ts";
import { batchRows, freeModel, loadModel, scoreHead, type LanguageModel } from "../models/index.ts";
import { createFullSequence, createParameters } from "../nn/index.ts";
import { createCpuBackend, type Backend } from "../runtime/index.ts";
import { buildGraph, evaluateGraph } from "../tensor/index.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizer/index.ts";
import { loadModelReward } from "./model-reward.ts";
import { createRewardScorer } from "./reward-model.ts";
import type { RewardRow } from "./reward.ts";

const models = fileURLToPath(new URL("../../test/fixtures/parity/models/", import.meta.url));
const folder = `${models}stories260K-score`;
const random = new Random(1);
const drawRow = (length: number): number[] => Array.from({ length }, () => 3 + random.integer(500));

let backend: Backend;
let model: LanguageModel;
beforeAll(async () => {
  backend = createCpuBackend();
  model = await loadModel(folder, backend);
});
afterAll(() => {
  freeModel(model);
  backend.close();
});

/** The score of one row alone, without padding, by the reference interpreter. */
function scoreExactly(row: readonly number[]): number {
  const p = createParameters();
  const hidden = model.architecture.trunk(model.config, p, createFullSequence(1, row.length), (body) => body());
  const { ids, positions, bias } = batchRows([{ ids: row }], 1, row.length);
  const weights = Object.fromEntries([...model.parameters].map(([name, buffer]) => [name, buffer.host as Float32Array]));
  const { scores } = evaluateGraph(buildGraph({ scores: scoreHead(p, hidden) }), { ...weights, ids, positions, bias });
  return scores[row.length - 1];
}

describe("createRewardScorer", () => {
  it("scores the last token as the reference interpreter does, on unpadded rows", async () => {
    const rows = [drawRow(5), drawRow(8), drawRow(11)];
    const scorer = createRewardScorer(model, backend);
    const scores = await scorer.score(rows);
    scorer.release();
    expect([...scores]).toEqual(rows.map((row) => expect.closeTo(scoreExactly(row), 4)));
    expect(new Set(scores).size).toBe(3);
  });

  it("padding, bucket, batch and order change nothing", async () => {
    const rows = [1, 7, 8, 9, 17, 23, 24, 40, 3, 7, 64].map(drawRow);
    const scorer = createRewardScorer(model, backend, { batchSize: 32 });
    const together = await scorer.score(rows);
    const alone = createRewardScorer(model, backend, { batchSize: 1 });
    const pairs = createRewardScorer(model, backend, { batchSize: 2 });
    const backwards = (await pairs.score(rows.toReversed())).toReversed();
    for (const [i, row] of rows.entries()) {
      expect(Math.abs((await alone.score([row]))[0] - together[i])).toBeLessThan(1e-5);
      expect(Math.abs(backwards[i] - together[i])).toBeLessThan(1e-5);
    }
    for (const used of [scorer, alone, pairs]) used.release();
  });

  it("callers at the same moment take turns", async () => {
    const rows = [drawRow(6), drawRow(6)];
    const scorer = createRewardScorer(model, backend);
    const [a, b] = await Promise.all([scorer.score(rows), scorer.score(rows)]);
    expect(a).toEqual(b);
    expect(await scorer.score([])).toEqual(new Float32Array(0));
    scorer.release();
  });

  it("refuses rows that it cannot score, and goes on afterwards", async () => {
    const scorer = createRewardScorer(model, backend);
    await expect(scorer.score([[5], []])).rejects.toThrow(/at least one token in row 1/);
    await expect(scorer.score([drawRow(model.config.maxPositions + 1)])).rejects.toThrow(/at most 512 tokens.*got 513/);
    await expect(scorer.score([[5]], { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect((await scorer.score([drawRow(model.config.maxPositions)])).every(Number.isFinite)).toBe(true);
    scorer.release();
  });

  it("refuses a language model", () => {
    const lm = { ...model, head: "lm" as const };
    expect(() => createRewardScorer(lm, backend)).toThrow(/expected a model with a score head/);
  });
});

describe("loadModelReward", () => {
  const rowOf = (tokenizer: Tokenizer, prompt: string, completion: string): RewardRow => {
    const prompt_ids = tokenizer.encode(prompt);
    return {
      prompt,
      completion,
      prompt_ids,
      completion_ids: [...tokenizer.encode(prompt + completion).slice(prompt_ids.length), tokenizer.eosId ?? 2],
    };
  };

  it("scores the very ids with the policy's tokenizer, and texts anew with another", async () => {
    const tokenizer = await loadTokenizer(folder);
    const row = rowOf(tokenizer, "Once upon a time", ", there was a cat.");
    const exact = scoreExactly([...row.prompt_ids, ...row.completion_ids]);
    const same = await loadModelReward(folder, backend, { name: "stories", tokenizer });
    expect(same.name).toBe("stories");
    expect(await same.score([row])).toEqual([expect.closeTo(exact, 4)]);
    // Ids of another vocabulary mean nothing here: the text is tokenised, and closed by the end token.
    const json = JSON.parse(tokenizer.files["tokenizer.json"]) as { model: unknown };
    const foreign = { ...tokenizer, files: { "tokenizer.json": JSON.stringify({ ...json, model: {} }) } };
    const other = await loadModelReward(folder, backend, { tokenizer: foreign });
    expect(await other.score([{ ...row, prompt_ids: [9], completion_ids: [9, 9] }])).toEqual([expect.closeTo(exact, 4)]);
    for (const reward of [same, other]) reward.release?.();
  });

  it("refuses a language model, whose head would be random", async () => {
    await expect(loadModelReward(`${models}stories260K`, backend)).rejects.toThrow(/expected a …ForSequenceClassification/);
  });
});
