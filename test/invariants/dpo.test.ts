/** What must hold of DPO's reference, whatever the data: it is what training starts from, asked once, and kept. */
import { mkdirSync, readdirSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { createScorer } from "../../src/generation/index.ts";
import { freeModel, loadModel } from "../../src/models/index.ts";
import { createCpuBackend } from "../../src/runtime/index.ts";
import { loadTokenizer } from "../../src/tokenizer/index.ts";
import {
  createWorkplace,
  findDifferences,
  readFixtureRows,
  readTree,
  tinyModel,
  trainTiny,
  type TinyRun,
  type Workplace,
} from "./tiny-run.ts";

let place: Workplace;
let pairs: string;
let count = 0;
beforeAll(() => {
  place = createWorkplace();
  pairs = place.writeRows("pairs.jsonl", readFixtureRows("reward", 0, 12));
});
afterAll(() => place.remove());
beforeEach(() => void vi.stubEnv("HF_HUB_CACHE", place.path("cache", "hub")));
afterEach(() => void vi.unstubAllEnvs());

const train = (keys: { [key: string]: unknown } = {}, context: Parameters<typeof trainTiny>[2] = {}): Promise<TinyRun> => {
  const output = place.path(`out-${count++}`);
  mkdirSync(output);
  return trainTiny(
    "dpo",
    { dataset_name: pairs, learning_rate: 1e-3, max_steps: 4, per_device_train_batch_size: 4, output_dir: output, ...keys },
    context,
  );
};
const column = ({ rows }: TinyRun, key: string): number[] => rows.filter((row) => key in row).map((row) => row[key]);

test("at the start the loss is ln 2 and nothing is preferred, in any batch and padding", async () => {
  for (const keys of [{}, { per_device_train_batch_size: 3 }, { per_device_train_batch_size: 1, gradient_accumulation_steps: 5 }]) {
    const [row] = (await train({ max_steps: 1, ...keys })).rows;
    expect(row["loss"]).toBeCloseTo(Math.LN2, 6);
    expect(Math.abs(row["rewards/chosen"]) + Math.abs(row["rewards/rejected"])).toBeLessThan(1e-5);
    expect(row["rewards/accuracies"]).toBe(0);
  }
});

test("a pair in one row has the log-probs of two rows", async () => {
  const [row] = (await train({ max_steps: 1, train_sampling_strategy: "sequential" })).rows;
  const backend = createCpuBackend();
  const [model, tokenizer] = await Promise.all([loadModel(tinyModel, backend), loadTokenizer(tinyModel)]);
  const scorer = createScorer(model, backend);
  const sum = async (side: "chosen" | "rejected"): Promise<number> => {
    const scored = await scorer.logprobs(
      readFixtureRows("reward", 0, 4).map((pair) => {
        const from = tokenizer.encode(pair["prompt"]).length;
        return { ids: [...tokenizer.encode(pair["prompt"] + pair[side]), tokenizer.eosId as number], from };
      }),
    );
    return scored.flatMap(({ logprobs }) => [...logprobs]).reduce((a, b) => a + b, 0) / 4;
  };
  expect(row["logps/chosen"]).toBeCloseTo(await sum("chosen"), 3);
  expect(row["logps/rejected"]).toBeCloseTo(await sum("rejected"), 3);
  scorer.release();
  freeModel(model);
  backend.close();
});

test("precomputed log-probs give the same run, and the next run reads them", async () => {
  const keys = { eval_strategy: "steps", eval_steps: 2, test_split_size: 4, ld_alpha: 0.5 };
  const asked = await train(keys);
  const first = await train({ ...keys, precompute_ref_log_probs: true, precompute_ref_batch_size: 3 });
  const second = await train({ ...keys, precompute_ref_log_probs: true, precompute_ref_batch_size: 3 });
  for (const key of ["loss", "eval_loss", "eval_rewards/margins"]) {
    expect(column(first, key).length).toBeGreaterThan(1);
    expect(column(first, key)).toEqual(column(asked, key).map((value) => expect.closeTo(value, 4)));
  }
  expect(second.rows).toEqual(first.rows);
  const cached = (run: TinyRun): number => run.events.filter(({ code }) => code === "dpo/reference-cached").length;
  expect([cached(first), cached(second)]).toEqual([0, 2]);
  expect(readdirSync(place.path("cache", "spar", "reference-logps"))).toHaveLength(2);
  // Another weight of long tails is another number.
  expect(cached(await train({ ...keys, ld_alpha: 0.25, precompute_ref_log_probs: true, precompute_ref_batch_size: 3 }))).toBe(0);
});

test("a reference that becomes the model after every step leaves the loss at ln 2", async () => {
  const run = await train({ sync_ref_model: true, ref_model_mixup_alpha: 1, ref_model_sync_steps: 1 });
  expect(column(run, "loss")).toEqual([1, 2, 3, 4].map(() => expect.closeTo(Math.LN2, 5)));
  const still = await train({ sync_ref_model: true, ref_model_mixup_alpha: 0, ref_model_sync_steps: 1 });
  expect(column(still, "loss")).toEqual(column(await train(), "loss"));
});

test("a reference that has moved comes back with a checkpoint", async () => {
  const keys = { max_steps: 5, sync_ref_model: true, ref_model_sync_steps: 2, save_strategy: "steps", save_steps: 3 };
  const whole = await train(keys);
  const output = place.path("moved");
  mkdirSync(output);
  let asked = 0;
  const first = await train({ ...keys, output_dir: output }, { readControl: () => (asked++ === 3 ? "stop" : undefined) });
  const second = await train({ ...keys, output_dir: output }, { resume: true });
  expect([...first.rows, ...second.rows]).toEqual(whole.rows);
  expect(findDifferences(readTree(whole.folder), readTree(second.folder))).toEqual([]);
});

test("another model as the reference: its log-probs count; one of other tokens is refused", async () => {
  const other = await train({ max_steps: 3 });
  const run = await train({ max_steps: 1, ref_model_name_or_path: other.folder });
  expect(run.rows[0]["loss"]).not.toBeCloseTo(Math.LN2, 2);
  expect(run.rows[0]["rewards/margins"]).toBeLessThan(0);
  await expect(train({ max_steps: 1, ref_model_name_or_path: "models/tiny-reviews" })).rejects.toMatchObject({
    code: "model/reference-mismatch",
  });
});

test("losses that sort see a whole micro-batch, and accumulate micro-batch by micro-batch", async () => {
  // A small β, where −log σ is curved: elsewhere the order does not matter.
  const keys = {
    loss_type: "aot_unpaired",
    max_steps: 1,
    beta: 0.005,
    label_smoothing: 0.1,
    ref_model_name_or_path: (await train({ max_steps: 3 })).folder,
  };
  const [whole, accumulated, twos] = [
    await train({ ...keys, per_device_train_batch_size: 4 }),
    await train({ ...keys, per_device_train_batch_size: 2, gradient_accumulation_steps: 2 }),
    await train({ ...keys, per_device_train_batch_size: 2, max_steps: 2, learning_rate: 0 }),
  ];
  expect(Math.abs(accumulated.rows[0]["loss"] - whole.rows[0]["loss"])).toBeGreaterThan(1e-5);
  expect(accumulated.rows[0]["loss"]).toBeCloseTo((twos.rows[0]["loss"] + twos.rows[1]["loss"]) / 2, 6);
});
