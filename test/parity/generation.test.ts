/** Greedy continuations of Transformers, token by token; models that spar has no counterpart for are skipped. */
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openSafetensors } from "../../src/checkpoint/index.ts";
import { createGenerator, createScorer } from "../../src/generation/index.ts";
import { freeModel, loadModel } from "../../src/models/index.ts";
import { createCpuBackend } from "../../src/runtime/index.ts";
import { declareCases, listModels } from "./folder.ts";

const backend = createCpuBackend();
afterAll(() => backend.close());

async function readExpected(folder: string): Promise<{ rows: number[][]; prompts: number[][] }> {
  const file = await openSafetensors(join(folder, "expected.safetensors"));
  try {
    const read = async (tensor: string): Promise<number[][]> => {
      const { shape } = file.info(tensor);
      const values = new Float32Array(shape[0] * shape[1]);
      await file.readInto(tensor, values);
      return Array.from({ length: shape[0] }, (_, b) => [...values.subarray(b * shape[1], (b + 1) * shape[1])]);
    };
    const greedy = await read("greedy");
    const mask = await read("attention_mask");
    const rows = greedy.map((ids, b) => ids.slice(mask[b].indexOf(1)));
    return { rows, prompts: rows.map((ids) => ids.slice(0, ids.length - 16)) };
  } finally {
    await file.close();
  }
}

describe.each(declareCases("greedy continuations of models", listModels()))("models/$name", ({ path }) => {
  test("greedy continuations", async () => {
    const { rows, prompts } = await readExpected(path);
    const model = await loadModel(path, backend);
    const generator = createGenerator(model, backend);
    const scorer = createScorer(model, backend);
    try {
      const requests = prompts.map((promptIds) => ({ promptIds }));
      const completions = await generator.generate(requests, { temperature: 0, maxNewTokens: 16 });
      expect(completions.map(({ request, ids }) => [...prompts[request], ...ids])).toEqual(rows);
      const scored = await scorer.logprobs(rows.map((ids, b) => ({ ids, from: prompts[b].length })));
      for (const [b, { logprobs }] of completions.entries())
        for (const [i, logprob] of logprobs.entries()) expect(logprob).toBeCloseTo(scored[b].logprobs[i], 4);
    } finally {
      generator.release();
      scorer.release();
      freeModel(model);
    }
  });
});
