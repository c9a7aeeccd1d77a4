/** Whole PPO updates on given completions, against the log of TRL 0.12.2's PPOTrainer. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createScorer } from "../../src/generation/index.ts";
import { loadModel } from "../../src/models/index.ts";
import { loadModelReward } from "../../src/rewards/index.ts";
import { penalizeMissingEnd } from "../../src/rollout/index.ts";
import { createCpuBackend } from "../../src/runtime/index.ts";
import { ppoConfigSchema } from "../../src/trainers/ppo-config.ts";
import { createPPOLearner } from "../../src/trainers/ppo-learner.ts";
import { declareCases, findModelFolder, listRl } from "./folder.ts";

const backend = createCpuBackend({ threads: 2 });
afterAll(() => backend.close());

const readRows = <T>(path: string): T[] =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);

const updates = listRl().filter(({ kind }) => kind === "update");

describe.each(declareCases("rl", updates))("rl/$name", ({ path: folder }) => {
  it("logs TRL's numbers for three updates of four epochs, with a value model of its own", async () => {
    const given = parse(readFileSync(join(folder, "config.yaml"), "utf8")) as { [key: string]: unknown };
    const rollouts = readRows<{ prompts: number[][]; completions: number[][] }>(join(folder, "rollouts.jsonl"));
    const log = readRows<{ [metric: string]: number }>(join(folder, "log.jsonl"));
    const [start, scored] = [findModelFolder("stories260K"), findModelFolder("stories260K-score")];
    const config = ppoConfigSchema.parse({
      ...given,
      model_name_or_path: start,
      reward_model_path: scored,
      value_model_path: scored,
      datasets: [{ path: "given" }],
    });
    const [policy, reference] = [await loadModel(start, backend), await loadModel(start, backend)];
    const valueModel = await loadModel(scored, backend);
    const reward = await loadModelReward(scored, backend);
    const scorers = [createScorer(policy, backend), createScorer(reference, backend)];
    const learner = await createPPOLearner(config, backend, policy, valueModel);
    const eos = 2;

    expect(rollouts.length).toBe(log.length);
    for (const [i, { prompts, completions }] of rollouts.entries()) {
      const rows = prompts.map((promptIds, r) => {
        const end = completions[r].indexOf(eos);
        const length = end < 0 ? completions[r].length : end + 1;
        return { promptIds, completionIds: completions[r].slice(0, length), trailingIds: completions[r].slice(length), ended: end >= 0 };
      });
      const whole = rows.map(({ promptIds, completionIds }) => ({ ids: [...promptIds, ...completionIds], from: promptIds.length }));
      const [logprobs, referenceLogprobs] = [
        await scorers[0].logprobs(whole, { temperature: config.temperature }),
        await scorers[1].logprobs(whole, { temperature: config.temperature }),
      ];
      const scores = await reward.score(
        rows.map(({ promptIds, completionIds }) => ({ prompt: "", completion: "", prompt_ids: promptIds, completion_ids: completionIds })),
      );
      const metrics = await learner.update(
        rows.map(({ promptIds, completionIds, trailingIds, ended }, r) => ({
          promptIds: Int32Array.from(promptIds),
          completionIds: Int32Array.from(completionIds),
          trailingIds,
          ended,
          logprobs: logprobs[r].logprobs,
          referenceLogprobs: referenceLogprobs[r].logprobs,
          score: penalizeMissingEnd(scores[r] as number, ended, config.missing_eos_penalty),
        })),
        { update: i + 1, learningRate: config.learning_rate, klCoef: config.kl_coef },
      );
      for (const [metric, expected] of Object.entries(log[i])) {
        if (["eps", "lr", "episode", "epoch", "step"].includes(metric)) continue;
        const difference = Math.abs(metrics[metric] - expected);
        expect(
          difference <= Math.max(1e-3 * Math.abs(expected), 1e-6),
          `${metric} of update ${i + 1}: ${metrics[metric]} against ${expected}`,
        ).toBe(true);
      }
    }
  });
});
