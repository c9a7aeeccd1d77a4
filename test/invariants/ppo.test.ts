/** PPO: what must hold at the first update whatever the model, and what a run must be when it is repeated or resumed. */
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createWorkplace, findDifferences, readFixtureRows, readTree, trainTiny, type TinyRun, type Workplace } from "./tiny-run.ts";

let place: Workplace;
let prompts: string;
let lengthReward: string;
let constantReward: string;
beforeAll(() => {
  place = createWorkplace();
  prompts = place.writeRows(
    "prompts.jsonl",
    readFixtureRows("sft", 0, 12).map(({ prompt }) => ({ prompt })),
  );
  const write = (name: string, body: string): string => {
    writeFileSync(place.path(name), `export default (rows) => rows.map((row) => ${body});\n`);
    return place.path(name);
  };
  lengthReward = write("length.mjs", "row.completion.split(' ').length / 4");
  constantReward = write("constant.mjs", "1.5");
});
afterAll(() => place.remove());

let count = 0;
function train(keys: { [key: string]: unknown }, context: Parameters<typeof trainTiny>[2] = {}): Promise<TinyRun> {
  const output = (keys["output_dir"] as string | undefined) ?? place.path(`out-${count++}`);
  mkdirSync(output, { recursive: true });
  return trainTiny(
    "ppo",
    {
      dataset_name: prompts,
      reward_funcs: [lengthReward],
      per_device_train_batch_size: 4,
      response_length: 8,
      max_steps: 1,
      learning_rate: 1e-3,
      num_ppo_epochs: 1,
      num_sample_generations: 0,
      temperature: 0.9,
      ...keys,
      output_dir: output,
    },
    context,
  );
}

const finite = (run: TinyRun): void => {
  for (const row of run.rows)
    for (const [name, value] of Object.entries(row)) expect(Number.isFinite(value), `${name} is ${value}`).toBe(true);
};

test("at the first update the ratio is 1 and KL is 0: sampler, scorer and trainer give the same log-probs", async () => {
  const run = await train({});
  finite(run);
  const row = run.rows[0] as { [key: string]: number };
  // exp(trainer − sampler), and sampler − reference summed over a completion.
  expect(Math.abs(row["val/ratio"] - 1)).toBeLessThan(1e-4);
  expect(Math.abs(row["objective/kl"])).toBeLessThan(1e-4);
  expect(row["policy/approxkl_avg"]).toBeLessThan(1e-7);
  expect(row["policy/clipfrac_avg"]).toBe(0);
  expect(row["objective/scores"]).toBeGreaterThan(0);
  expect(row["num_tokens"]).toBe(4 * row["completions/mean_length"]);
});

test("a constant reward leaves nothing to prefer: no advantage, no NaN", async () => {
  const run = await train({ reward_funcs: [constantReward], gamma: 1, lam: 1, kl_coef: 0 });
  finite(run);
  const row = run.rows[0] as { [key: string]: number };
  expect(row["objective/scores"]).toBe(1.5);
  // Whitening divides by a deviation of 0: what is left is rounding.
  expect(Math.abs(row["loss/policy_avg"])).toBeLessThan(1e-4);
  // Also where scores are divided by their own deviation, which is 0 too, and with completions of a single token.
  finite(await train({ reward_funcs: [constantReward], use_score_scaling: true, use_score_norm: true, whiten_rewards: true }));
  finite(await train({ reward_funcs: [constantReward], response_length: 1, per_device_train_batch_size: 1 }));
});

test("a reward that says nothing is told, and leaves no number that is none", async () => {
  writeFileSync(place.path("silent.mjs"), "export default (rows) => rows.map(() => null);\n");
  const run = await train({
    reward_funcs: [place.path("silent.mjs")],
    max_steps: 2,
    logging_steps: 2,
    save_strategy: "steps",
    save_steps: 1,
  });
  finite(run);
  expect(Object.keys(run.rows[0]!)).not.toContain("objective/scores");
  expect(run.events.filter(({ code }) => code === "rewards/unscored")).toMatchObject([
    { level: "warning", step: 1, message: expect.stringContaining("no reward gave a score to any of the 4 completions of step 1") },
  ]);
});

test("completions that the model's positions cut short are told, once", async () => {
  const run = await train({ response_length: 510, per_device_train_batch_size: 1, max_steps: 2 });
  expect(run.events.filter(({ code }) => code === "rollout/completions-cut")).toMatchObject([
    { level: "warning", step: 1, message: expect.stringContaining("1 of the 1 prompts of step 1 leave less than response_length 510") },
  ]);
});

test("a step that ends in no number names its rows, and the weight or gradient that is none", async () => {
  await expect(train({ learning_rate: 1e30, num_ppo_epochs: 2, weight_decay: 1 })).rejects.toMatchObject({
    code: "training/non-finite",
    message: expect.stringMatching(
      /^Step 1: .*in pass 2 for the batch of \S+prompts\.jsonl:\d, .*; the (weight|gradient of) \S+ is not finite/,
    ),
  });
});

test("the same seed gives the same bytes, another seed others", async () => {
  const [a, b, c] = [
    await train({ seed: 1, max_steps: 2 }),
    await train({ seed: 1, max_steps: 2 }),
    await train({ seed: 2, max_steps: 2 }),
  ];
  expect(a.rows).toEqual(b.rows);
  expect(findDifferences(readTree(a.folder), readTree(b.folder))).toEqual([]);
  expect(findDifferences(readTree(a.folder), readTree(c.folder))).toEqual(["model.safetensors"]);
});

test("stopped and gone on is the run that was not interrupted", async () => {
  const keys = {
    max_steps: 4,
    num_ppo_epochs: 2,
    num_mini_batches: 2,
    per_device_train_batch_size: 2,
    train_sampling_strategy: "random",
    adap_kl_ctrl: true,
    use_score_scaling: true,
    use_score_norm: true,
    save_strategy: "steps",
    save_steps: 3,
    logging_steps: 3,
  };
  const whole = await train(keys);
  let asked = 0;
  const output = place.path("stopped");
  const first = await train({ ...keys, output_dir: output }, { readControl: () => (asked++ === 2 ? "stop" : undefined) });
  expect(first.outcome).toMatchObject({ status: "stopped", steps: 2 });
  const second = await train({ ...keys, output_dir: output }, { resume: true });
  expect([...first.rows, ...second.rows]).toEqual(whole.rows);
  expect(findDifferences(readTree(whole.folder), readTree(output, { except: /^checkpoint-2\// }))).toEqual([]);
});

test("frozen layers keep their bits", async () => {
  const run = await train({ num_layers_unfrozen: 1 });
  const { openSafetensors } = await import("../../src/checkpoint/index.ts");
  const { tinyModel } = await import("./tiny-run.ts");
  const [before, after] = await Promise.all([
    openSafetensors(`${tinyModel}/model.safetensors`),
    openSafetensors(`${run.folder}/model.safetensors`),
  ]);
  const changed: string[] = [];
  for (const name of after.names()) {
    const size = after.info(name).shape.reduce((a, b) => a * b, 1);
    const [left, right] = [new Float32Array(size), new Float32Array(size)];
    await before.readInto(name, left);
    await after.readInto(name, right);
    if (left.some((value, i) => value !== right[i])) changed.push(name);
  }
  await Promise.all([before.close(), after.close()]);
  expect(changed.length).toBeGreaterThan(5);
  expect(changed.filter((name) => !/^model\.(layers\.4\.|norm)/.test(name))).toEqual([]);
});
