/** rl/ppo.json: what OpenRLHF computes for KL, rewards, advantages and losses with their gradients; the first rollout of rl/ppo_update as TRL sums it up. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createScorer } from "../../src/generation/index.ts";
import {
  clippedPolicyLoss,
  clippedValueLoss,
  estimateTokenKL,
  temperedLogprobs,
  type ClippedPolicyOptions,
  type KLEstimator,
} from "../../src/losses/index.ts";
import { batchRows, freeModel, loadModel, type LanguageModel } from "../../src/models/index.ts";
import { createFullSequence, createParameters } from "../../src/nn/index.ts";
import {
  computeTargets,
  countStates,
  estimateAdvantages,
  estimateKL,
  penalizeMissingEnd,
  shapeRewards,
  summarizeObjective,
  whiten,
  type Rollout,
} from "../../src/rollout/index.ts";
import { createCpuBackend, type Backend, type DeviceBuffer } from "../../src/runtime/index.ts";
import { buildGraph, evaluateGraph, gather, grad, input, type TensorData } from "../../src/tensor/index.ts";
import { declareCases, findModelFolder, listRl } from "./folder.ts";

type Matrix = number[][];
type Loss = { loss: number; clip_fraction?: number; grad: Matrix };
type Reference = {
  B: number;
  T: number;
  mask: Matrix;
  logprobs: Matrix;
  ref_logprobs: Matrix;
  old_logprobs: Matrix;
  values: Matrix;
  old_values: Matrix;
  score: number[];
  kl_coef: number;
  rewards: Matrix;
  advantages_whitened_biased_variance: Matrix;
} & { [name: string]: unknown };

const tolerance = 1e-5;

function expectClose(got: Iterable<number>, expected: readonly number[], what: string): void {
  const values = [...got];
  expect(values.length, what).toBe(expected.length);
  const worst = values.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i])), 0);
  expect(worst, what).toBeLessThanOrEqual(tolerance);
}

const cases = listRl();

describe.each(
  declareCases(
    "rl",
    cases.filter(({ kind }) => kind === "arrays"),
  ),
)("rl/$name", ({ path }) => {
  const reference = JSON.parse(readFileSync(path, "utf8")) as Reference;
  const { B = 0, T = 0, mask = [] } = reference;
  const lengths = mask.map((row) => row.reduce((a, b) => a + b, 0));
  const cut = (rows: Matrix): Float32Array[] => rows.map((row, i) => Float32Array.from(row.slice(0, lengths[i])));
  const flat = (rows: readonly ArrayLike<number>[]): number[] => rows.flatMap((row) => Array.from(row));
  const padded = (rows: readonly Float32Array[]): Matrix => rows.map((row) => Array.from({ length: T }, (_, t) => row[t] ?? 0));

  const rollouts: Rollout[] = mask.map((_, i) => ({
    promptIds: Int32Array.of(1),
    completionIds: new Int32Array(lengths[i]),
    ended: true,
    logprobs: cut(reference.old_logprobs)[i],
    referenceLogprobs: cut(reference.ref_logprobs)[i],
    values: cut(reference.old_values)[i],
    score: reference.score[i],
  }));

  // OpenRLHF clips its estimates to ±10.
  it.each(["k1", "k2", "k3"] as const)("KL estimator %s, on the host and as tensors", (estimator: KLEstimator) => {
    const expected = flat(reference[`kl_${estimator}`] as Matrix);
    const host = reference.old_logprobs.map((row, i) => estimateKL(row, reference.ref_logprobs[i], { estimator, limit: 10 }));
    expectClose(flat(host), expected, "host");
    const [p, q] = ["p", "q"].map((name) => input(name, "float32", [B * T]));
    const kl = estimateTokenKL(p, q, estimator, { limit: 10 });
    expectClose(
      evaluateGraph(buildGraph({ kl }), { p: flat(reference.old_logprobs), q: flat(reference.ref_logprobs) }).kl,
      expected,
      "tensors",
    );
  });

  it("rewards", () => {
    const { kl, rewards } = shapeRewards(rollouts, reference.kl_coef, { limit: 10 });
    for (const [i, row] of rewards.entries()) {
      expectClose(row, reference.rewards[i].slice(0, lengths[i]), `row ${i}`);
      expectClose(kl[i], (reference["kl_k1"] as Matrix)[i].slice(0, lengths[i]), `KL of row ${i}`);
      // What lies behind a completion's end is only the penalty of tokens that do not count.
      const behind = reference.rewards[i].slice(lengths[i]);
      const difference = estimateKL(reference.old_logprobs[i], reference.ref_logprobs[i], { limit: 10 }).slice(lengths[i]);
      expectClose(
        difference.map((x) => -reference.kl_coef * x),
        behind,
        `padding of row ${i}`,
      );
    }
  });

  it.each(Object.keys(reference).filter((name) => name.startsWith("gae_")))("%s", (name) => {
    const [gamma, lambda] = name.slice(4).split("_").map(Number);
    const expected = reference[name] as { advantages: Matrix; returns: Matrix };
    const { advantages, returns } = estimateAdvantages(cut(reference.rewards), cut(reference.old_values), { gamma, lambda });
    expectClose(flat(padded(advantages)), flat(expected.advantages), "advantages");
    expectClose(flat(padded(returns)), flat(expected.returns), "returns");
  });

  it("advantages whitened with the biased variance, alone and as a whole", () => {
    const expected = flat(reference.advantages_whitened_biased_variance);
    const { advantages } = reference["gae_1.0_0.95"] as { advantages: Matrix };
    expectClose(flat(padded(whiten(cut(advantages), { unbiased: false }))), expected, "whiten");
    const targets = computeTargets(rollouts, {
      klCoef: reference.kl_coef,
      kl: { limit: 10 },
      gamma: 1,
      lambda: 0.95,
      whitenRewards: false,
      whitenAdvantages: true,
      whitening: { unbiased: false },
    });
    expectClose(flat(padded(targets.advantages)), expected, "computeTargets");
  });

  const means = {
    token_mean: () => mask.flatMap((row) => row.map((m) => m / lengths.reduce((a, b) => a + b, 0))),
    sequence_mean: () => mask.flatMap((row, i) => row.map((m) => m / (B * lengths[i]))),
  };
  const policies: [string, keyof typeof means, ClippedPolicyOptions][] = [
    ["policy_loss_token_mean", "token_mean", { clipLow: 0.2 }],
    ["policy_loss_sequence_mean", "sequence_mean", { clipLow: 0.2 }],
    ["policy_loss_dual_clip_3_high_0.28", "token_mean", { clipLow: 0.2, clipHigh: 0.28, dualClip: 3 }],
  ];

  it.each(policies)("%s, and its gradient", (name, mean, options) => {
    const expected = reference[name] as Loss;
    const [logprobs, oldLogprobs, advantages, weights] = ["new", "old", "advantages", "weights"].map((x) => input(x, "float32", [B * T]));
    const { loss, clipped } = clippedPolicyLoss({ logprobs, oldLogprobs, advantages, weights }, options);
    const [gradient] = grad(loss, [logprobs]);
    const got = evaluateGraph(buildGraph({ loss, clipped, gradient }), {
      new: flat(reference.logprobs),
      old: flat(reference.old_logprobs),
      advantages: flat(reference.advantages_whitened_biased_variance),
      weights: means[mean](),
    });
    expectClose(got.loss, [expected.loss], "loss");
    expectClose(got.gradient, flat(expected.grad), "gradient");
    if (expected.clip_fraction !== undefined)
      expectClose([got.clipped[0] / lengths.reduce((a, b) => a + b, 0)], [expected.clip_fraction], "clip fraction");
  });

  it.each(["token_mean", "sequence_mean"] as const)("value_loss_%s, and its gradient", (mean) => {
    const expected = reference[`value_loss_${mean}`] as Loss;
    const [values, oldValues, returns, weights] = ["values", "old", "returns", "weights"].map((x) => input(x, "float32", [B * T]));
    const { loss } = clippedValueLoss({ values, oldValues, returns, weights }, { clip: 0.2 });
    const [gradient] = grad(loss, [values]);
    const got = evaluateGraph(buildGraph({ loss, gradient }), {
      values: flat(reference.values),
      old: flat(reference.old_values),
      returns: flat((reference["gae_1.0_0.95"] as { returns: Matrix }).returns),
      weights: means[mean](),
    });
    expectClose(got.loss, [expected.loss], "loss");
    expectClose(got.gradient, flat(expected.grad), "gradient");
  });
});

type Generated = { prompts: number[][]; completions: number[][] };

/** Log-probs of the tokens after the first `from` of a row, of logits ÷ temperature. */
async function scoreTokens(
  model: LanguageModel,
  backend: Backend,
  ids: readonly number[],
  from: number,
  temperature: number,
): Promise<Float32Array> {
  const count = ids.length - from;
  const p = createParameters();
  const hidden = model.architecture.trunk(model.config, p, createFullSequence(1, ids.length), (body) => body());
  const logits = model.architecture.head(model.config, p, gather(hidden, input("rows", "int32", [count])));
  const { logprobs } = temperedLogprobs(logits, input("labels", "int32", [count]), temperature);
  const graph = buildGraph({ logprobs });
  const executable = await backend.compile(graph, { constants: model.parameters });
  const batch = batchRows([{ ids }], 1, ids.length);
  const data: { [name: string]: TensorData } = {
    ids: batch.ids,
    positions: batch.positions,
    bias: batch.bias,
    rows: Int32Array.from({ length: count }, (_, i) => from - 1 + i),
    labels: Int32Array.from(ids.slice(from)),
  };
  const inputs = new Map<string, DeviceBuffer>();
  for (const [name, values] of Object.entries(data)) {
    const buffer = backend.allocate(graph.inputs.get(name) ?? { dtype: "int32", shape: [count] });
    await backend.write(buffer, values);
    inputs.set(name, buffer);
  }
  const output = backend.allocate({ dtype: "float32", shape: [count] });
  await executable.run(inputs, new Map([["logprobs", output]]));
  const result = (await backend.read(output)) as Float32Array;
  for (const buffer of [...inputs.values(), output]) buffer.free();
  executable.release();
  return result;
}

// ppo-update.test.ts names those that are skipped.
const updates = cases.filter(({ kind, skipped }) => kind === "update" && skipped === undefined);

describe.each(updates)("rl/$name", ({ path: update }) => {
  const endId = 2;
  const temperature = 0.7 + 1e-7;

  it("the first rollout: KL, entropy and scores", async () => {
    const firstRow = (name: string): unknown => JSON.parse(readFileSync(join(update, name), "utf8").split("\n")[0]);
    const { prompts, completions } = firstRow("rollouts.jsonl") as Generated;
    const expected = firstRow("log.jsonl") as { [metric: string]: number };
    const backend = createCpuBackend();
    const policy = await loadModel(findModelFolder("stories260K"), backend);
    const rewardModel = await loadModel(findModelFolder("stories260K-score"), backend);
    const scorer = createScorer(rewardModel, backend);

    const responseLength = completions[0].length;
    const ended = completions.map((ids) => ids.includes(endId));
    const cut = completions.map((ids, i) => (ended[i] ? ids.slice(0, ids.indexOf(endId) + 1) : ids));
    const scores = await scorer.scores(prompts.map((ids, i) => [...ids, ...cut[i]]));
    const rollouts: Rollout[] = [];
    for (const [i, prompt] of prompts.entries()) {
      const logprobs = await scoreTokens(policy, backend, [...prompt, ...cut[i]], prompt.length, temperature);
      rollouts.push({
        promptIds: Int32Array.from(prompt),
        completionIds: Int32Array.from(cut[i]),
        ended: ended[i],
        logprobs,
        referenceLogprobs: logprobs,
        values: new Float32Array(countStates(cut[i].length, responseLength)),
        score: penalizeMissingEnd(scores[i], ended[i], 1),
      });
    }
    const objective = summarizeObjective(rollouts, 0.05, { responseLength });
    scorer.release();
    for (const model of [policy, rewardModel]) freeModel(model);
    backend.close();

    expect(objective.kl).toBe(expected["objective/kl"]);
    for (const [name, value] of [
      ["entropy", objective.entropy],
      ["scores", objective.scores],
      ["rlhf_reward", objective.rlhfReward],
    ] as const) {
      const reference = expected[`objective/${name}`];
      expect(Math.abs(value - reference), name).toBeLessThanOrEqual(1e-4 * Math.abs(reference));
    }
  });
});
