/** Values from the states that sampling went through, against values computed anew. (PPO's numbers: test/parity, test/invariants.) */
import { afterAll, expect, it } from "vitest";
import { fileURLToPath } from "node:url";
import { createGenerator } from "../generation/index.ts";
import { loadModel } from "../models/index.ts";
import { createCpuBackend } from "../runtime/index.ts";
import { ppoConfigSchema } from "./ppo-config.ts";
import { createPPOLearner, type SampledEpisode } from "./ppo-learner.ts";

const folder = fileURLToPath(new URL("../../test/fixtures/parity/models/stories260K", import.meta.url));
const backend = createCpuBackend();
afterAll(() => backend.close());

const responseLength = 12;

async function train(withStates: boolean): Promise<{ metrics: { [name: string]: number }[]; lengths: number[] }> {
  const config = ppoConfigSchema.parse({
    model_name_or_path: folder,
    datasets: [{ path: "given" }],
    reward_funcs: ["rule:length"],
    response_length: responseLength,
    per_device_train_batch_size: 8,
    num_ppo_epochs: 2,
  });
  const policy = await loadModel(folder, backend);
  const learner = await createPPOLearner(config, backend, policy, undefined);
  const generator = createGenerator(policy, backend);
  const prompts = Array.from({ length: 8 }, (_, n) => Int32Array.from({ length: 2 + (n % 4) }, (_, i) => 3 + ((n * 31 + i * 17) % 500)));
  const metrics = [];
  const lengths = [];
  for (let update = 1; update <= 3; update++) {
    // A third of the vocabulary ends a completion: some have states after their last token, which sampling never comes to.
    const stopIds = Array.from({ length: 40 }, (_, i) => 12 * i);
    const settings = { maxNewTokens: responseLength, stopIds, seed: update };
    const completions = await generator.generate(
      prompts.map((promptIds) => ({ promptIds })),
      settings,
      { states: withStates },
    );
    generator.refresh();
    const samples = completions.map(({ ids, logprobs, states, finishReason }, i): SampledEpisode => ({
      promptIds: prompts[i],
      completionIds: Int32Array.from(ids),
      ended: finishReason === "stop",
      logprobs: Float32Array.from(logprobs),
      referenceLogprobs: Float32Array.from(logprobs, (logprob) => logprob - 0.1),
      score: Math.sin(ids.length + i),
      ...(states === undefined ? {} : { states }),
    }));
    lengths.push(...samples.map(({ completionIds }) => completionIds.length));
    metrics.push(await learner.update(samples, { update, learningRate: 1e-3, klCoef: 0.05 }));
  }
  generator.release();
  learner.release();
  return { metrics, lengths };
}

it("gives the same updates whether values come from sampling or from a pass of their own", async () => {
  const [from, anew] = [await train(true), await train(false)];
  expect(from.lengths).toContain(responseLength);
  expect(Math.min(...from.lengths)).toBeLessThan(responseLength);
  expect(anew.lengths).toEqual(from.lengths);
  for (const [i, metrics] of from.metrics.entries())
    for (const [name, value] of Object.entries(metrics)) {
      const expected = anew.metrics[i][name];
      expect(Math.abs(value - expected), `${name} of update ${i + 1}: ${value}, ${expected}`).toBeLessThan(
        1e-4 * Math.max(1, Math.abs(expected)),
      );
    }
});
