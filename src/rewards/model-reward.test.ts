import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { batchRows, freeModel, loadModel, scoreHead, type LanguageModel } from "../models/index.ts";
import { createFullSequence, createParameters } from "../nn/index.ts";
import { createCpuBackend, type Backend } from "../runtime/index.ts";
import { buildGraph, evaluateGraph } from "../tensor/index.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizer/index.ts";
import { loadModelReward } from "./model-reward.ts";
import type { RewardRow } from "./reward.ts";

const models = fileURLToPath(new URL("../../test/fixtures/parity/models/", import.meta.url));
const folder = `${models}stories260K-score`;

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

  it("names itself where a row is too long for it", async () => {
    const reward = await loadModelReward(folder, backend, { name: "judge" });
    const long = { prompt: "", completion: "", prompt_ids: new Array<number>(600).fill(5), completion_ids: [2] };
    await expect(reward.score([long])).rejects.toMatchObject({
      code: "generation/bad-row",
      message: expect.stringMatching(/^The reward model judge: row 1 has 601 tokens; expected at most/),
      hint: expect.stringContaining("max_prompt_length"),
    });
    reward.release?.();
  });

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
