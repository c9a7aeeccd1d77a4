/** What must not change a training: how its batches are cut, when it is stopped, how its memory is saved. */
import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadDataset, prepareTexts, type PreparedRows, type TokenizedText } from "../../src/data/index.ts";
import { freeModel, loadModel } from "../../src/models/index.ts";
import { parseRecipe } from "../../src/recipes/index.ts";
import { createCpuBackend } from "../../src/runtime/index.ts";
import { loadTokenizer } from "../../src/tokenizer/index.ts";
import { trainLanguageModel } from "../../src/trainers/language-modelling.ts";
import { openSafetensors } from "../../src/checkpoint/index.ts";
import "../half-the-cores.mjs";
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
let data: string;
let pairs: string;
beforeAll(() => {
  place = createWorkplace();
  data = place.writeRows("rows.jsonl", readFixtureRows("sft", 0, 24));
  pairs = place.writeRows("pairs.jsonl", readFixtureRows("reward", 0, 16));
});
afterAll(() => place.remove());

let count = 0;
const train = (
  method: "sft" | "reward" | "dpo",
  keys: { [key: string]: unknown },
  context: Parameters<typeof trainTiny>[2] = {},
): Promise<TinyRun> => {
  const output = place.path(`out-${count++}`);
  mkdirSync(output);
  return trainTiny(
    method,
    {
      dataset_name: method === "sft" ? data : pairs,
      learning_rate: 1e-3,
      max_steps: 3,
      max_length: method === "sft" ? 24 : 1024,
      output_dir: output,
      // A loss of pairs and one of tokens, which are counted differently.
      ...(method === "dpo" ? { loss_type: ["sigmoid", "sft"], loss_weights: [1, 0.1] } : {}),
      ...keys,
    },
    context,
  );
};
const losses = ({ rows }: TinyRun): number[] => rows.filter((row) => "loss" in row).map((row) => row["loss"]);
const files = ({ folder }: TinyRun): Map<string, Buffer> => readTree(folder);

async function readWeights(folder: string): Promise<Map<string, Float32Array>> {
  const source = await openSafetensors(`${folder}/model.safetensors`);
  const weights = new Map<string, Float32Array>();
  for (const name of source.names()) {
    const target = new Float32Array(source.info(name).shape.reduce((a, b) => a * b, 1));
    await source.readInto(name, target);
    weights.set(name, target);
  }
  await source.close();
  return weights;
}

async function largestDifference(a: TinyRun, b: TinyRun): Promise<number> {
  const [left, right] = await Promise.all([readWeights(a.folder), readWeights(b.folder)]);
  expect([...left.keys()]).toEqual([...right.keys()]);
  let largest = 0;
  for (const [name, values] of left)
    for (const [i, value] of values.entries()) largest = Math.max(largest, Math.abs(value - (right.get(name) as Float32Array)[i]));
  return largest;
}

const relative = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]) / Math.abs(value)));

describe.each(["sft", "reward", "dpo"] as const)("%s", (method) => {
  test("8 × 1, 1 × 8 and 2 × 4 are the same step", async () => {
    // A large epsilon keeps Adam from blowing rounding of tiny gradients up to whole steps.
    const cut = (rows: number, accumulated: number): Promise<TinyRun> =>
      train(method, { per_device_train_batch_size: rows, gradient_accumulation_steps: accumulated, adam_epsilon: 1e-3, max_steps: 2 });
    const whole = await cut(8, 1);
    for (const other of [await cut(1, 8), await cut(2, 4)]) {
      expect(relative(losses(whole), losses(other))).toBeLessThan(2e-6);
      expect(
        relative(
          whole.rows.map((row) => row["grad_norm"]),
          other.rows.map((row) => row["grad_norm"]),
        ),
      ).toBeLessThan(1e-5);
      expect(await largestDifference(whole, other)).toBeLessThan(1e-6);
    }
    expect(losses(whole)).toHaveLength(2);
  });

  test("the same seed gives the same bytes, another seed others", async () => {
    // Two threads, whatever the machine: threads that meet must not show.
    const backend = createCpuBackend({ threads: 2 });
    const run = (seed: number): Promise<TinyRun> =>
      train(method, { seed, train_sampling_strategy: "random", per_device_train_batch_size: 4 }, { backend });
    const [a, b, c] = [await run(3), await run(3), await run(4)];
    backend.close();
    expect(findDifferences(files(a), files(b))).toEqual([]);
    expect(a.rows).toEqual(b.rows);
    expect(losses(c)).not.toEqual(losses(a));
    expect(findDifferences(files(a), files(c))).toEqual(["model.safetensors"]);
  });

  test("gradient checkpointing changes no bit", async () => {
    const [plain, recomputed] = [
      await train(method, { max_steps: 2 }),
      await train(method, { max_steps: 2, gradient_checkpointing: true }),
    ];
    expect(recomputed.rows).toEqual(plain.rows);
    expect(findDifferences(files(plain), files(recomputed))).toEqual([]);
  });

  test("frozen layers keep their bits, the others learn", async () => {
    const [start, end] = [
      await train(method, { max_steps: 1, learning_rate: 0 }),
      await train(method, { num_layers_unfrozen: 2, max_steps: 2 }),
    ];
    const [before, after] = await Promise.all([readWeights(start.folder), readWeights(end.folder)]);
    const changed = [...before]
      .filter(([name, values]) => values.some((value, i) => value !== (after.get(name) as Float32Array)[i]))
      .map(([name]) => name);
    // Layers 3 and 4 of 5, the last norm, and the head where it has weights of its own.
    const isTop = (name: string): boolean => /^model\.(layers\.[34]\.|norm)|^score/.test(name);
    expect(changed.filter((name) => !isTop(name))).toEqual([]);
    expect(changed.length).toBe([...before.keys()].filter(isTop).length);
    expect(changed.length).toBeGreaterThan(10);
    await expect(train(method, { num_layers_unfrozen: 6, max_steps: 1 })).rejects.toThrow(
      "the model has 5 layers, and 6 are to be trained",
    );
  });

  test("stopped at any step and gone on is the run that was not interrupted", async () => {
    const keys = {
      max_steps: 7,
      per_device_train_batch_size: 4,
      gradient_accumulation_steps: 2,
      train_sampling_strategy: "random",
      logging_steps: 3,
      save_strategy: "steps",
      save_steps: 3,
      eval_strategy: "steps",
      eval_steps: 3,
      test_split_size: 4,
      lr_scheduler_type: "cosine",
      warmup_steps: 2,
    };
    const whole = await train(method, keys);
    const output = place.path(`stopped-${method}`);
    mkdirSync(output);
    const rows: TinyRun["rows"] = [];
    let from = 0;
    // Twice stopped, and resumed twice. Step 4 lies between two logged rows: their averages must travel too.
    for (const stop of [1, 4, undefined]) {
      let asked = from;
      let resumedAt = 0;
      const part = await train(
        method,
        { ...keys, output_dir: output },
        {
          resume: from > 0,
          resumedAt: (step) => void (resumedAt = step),
          readControl: () => (asked++ === stop ? "stop" : undefined),
        },
      );
      rows.push(...part.rows);
      expect(resumedAt).toBe(from === 0 ? -1 : from);
      expect(part.outcome).toMatchObject(stop === undefined ? { status: "finished", steps: 7 } : { status: "stopped", steps: stop });
      if (stop !== undefined) expect(part.events.at(-1)).toMatchObject({ code: "run/stopped", step: stop });
      from = stop ?? 7;
    }
    expect(rows).toEqual(whole.rows);
    // Also the optimizer's state: checkpoint-6 and -7 are in the tree. Those made by stopping are not in the other.
    const own = (folder: string): Map<string, Buffer> => readTree(folder, { except: /^checkpoint-[14]\// });
    expect(findDifferences(own(whole.folder), own(output))).toEqual([]);
  });
});

describe("texts", () => {
  test("each task is evaluated as if it were alone, and together they are the whole", async () => {
    const backend = createCpuBackend();
    const [model, tokenizer] = await Promise.all([loadModel(tinyModel, backend), loadTokenizer(tinyModel)]);
    const recipe = await parseRecipe({
      method: "sft",
      flags: [
        "--model_name_or_path",
        tinyModel,
        "--dataset_name",
        data,
        "--max_steps=1",
        "--learning_rate=0",
        "--logging_steps=1",
        "--eval_strategy=steps",
        "--per_device_eval_batch_size=3",
        "--save_strategy=no",
        "--output_dir",
        place.path("tasks"),
      ],
    });
    if (recipe.method !== "sft") throw new Error("not sft");
    const { config } = recipe;
    mkdirSync(config.output_dir);
    const specs = [
      { path: place.writeRows("short.jsonl", readFixtureRows("sft", 30, 37)), task: "short" },
      { path: place.writeRows("long.jsonl", readFixtureRows("sft", 40, 43)), task: "long" },
    ];
    const prepare = async (list: typeof specs): Promise<PreparedRows<TokenizedText>> =>
      prepareTexts(await loadDataset(list), { tokenizer, maxLength: 64 });
    const evaluate = async (list: typeof specs): Promise<{ [key: string]: number }> => {
      const found: { [key: string]: number }[] = [];
      const tracker = {
        metrics: (row: { [key: string]: number }) => void found.push(row),
        samples() {},
        event() {},
        progress() {},
        async close() {},
      };
      const [rows, evaluation] = [await prepare(specs), await prepare(list)];
      await trainLanguageModel(
        config,
        { tracker, signal: new AbortController().signal, resume: false },
        { backend, model, rows, evaluation, resumePoint: undefined, save: async () => {} },
      );
      return found.find((row) => "eval_loss" in row) as { [key: string]: number };
    };
    const together = await evaluate(specs);
    const alone = [await evaluate([specs[0]]), await evaluate([specs[1]])];
    expect(Object.keys(together).sort()).toEqual([...Object.keys(alone[0]), "eval_short_loss", "eval_long_loss"].sort());
    expect([together["eval_short_loss"], together["eval_long_loss"]]).toEqual(alone.map((row) => row["eval_loss"]));
    const counts = await Promise.all(
      specs.map(async (spec) => {
        const rows = await prepare([spec]);
        const masks = await Promise.all(
          Array.from({ length: rows.count }, async (_, i) => Array.from((await rows.read(i)).completionMask.subarray(1))),
        );
        return masks.flat().reduce((sum, bit) => sum + bit, 0);
      }),
    );
    const mean = (counts[0] * alone[0]["eval_loss"] + counts[1] * alone[1]["eval_loss"]) / (counts[0] + counts[1]);
    expect(together["eval_loss"]).toBeCloseTo(mean, 9);
    expect(together["eval_perplexity"]).toBeCloseTo(Math.exp(mean), 6);
    freeModel(model);
    backend.close();
  });

  test("shuffle_dataset changes the order, the same way each time", async () => {
    const [plain, shuffled, again] = [
      await train("sft", { max_steps: 1 }),
      await train("sft", { shuffle_dataset: true, max_steps: 1 }),
      await train("sft", { shuffle_dataset: true, max_steps: 1 }),
    ];
    expect(losses(shuffled)).not.toEqual(losses(plain));
    expect(losses(again)).toEqual(losses(shuffled));
  });

  test("the order of a batch's rows changes nothing", async () => {
    const rows = readFixtureRows("sft", 0, 8);
    const run = (name: string, list: readonly unknown[]): Promise<TinyRun> =>
      train("sft", { dataset_name: place.writeRows(name, list), max_steps: 1, adam_epsilon: 1e-3 });
    const [a, b] = [await run("there.jsonl", rows), await run("back.jsonl", rows.toReversed())];
    expect(relative(losses(a), losses(b))).toBeLessThan(1e-6);
    expect(await largestDifference(a, b)).toBeLessThan(1e-6);
  });
});

test("a packed row of a single token has nothing to learn, and its metrics are nowhere", async () => {
  const one = place.writeRows("nine-tokens.jsonl", [{ input_ids: [1, 403, 407, 261, 378, 432, 383, 285, 261] }]);
  const run = await train("sft", {
    dataset_name: one,
    packing: true,
    packing_strategy: "wrapped",
    max_length: 4,
    per_device_train_batch_size: 1,
    logging_steps: 3,
    save_strategy: "steps",
    save_steps: 1,
  });
  expect(run.rows).toHaveLength(1);
  for (const name of ["loss", "entropy", "mean_token_accuracy", "grad_norm"]) expect(run.rows[0]![name], name).toEqual(expect.any(Number));
  expect(Object.values(run.rows[0]!).every(Number.isFinite)).toBe(true);
});

test("resumed with fewer steps than it has made, a run says so and keeps its model", async () => {
  const keys = { output_dir: place.path("beyond"), save_strategy: "steps", save_steps: 2 };
  mkdirSync(keys.output_dir);
  const whole = await train("sft", { ...keys, max_steps: 2 });
  const before = files(whole).get("model.safetensors");
  const again = await train("sft", { ...keys, max_steps: 1 }, { resume: true });
  expect(again.outcome).toMatchObject({ status: "finished", steps: 2 });
  expect(again.events.filter(({ code }) => code === "run/beyond-end")).toMatchObject([
    { message: expect.stringContaining("has made 2 steps already, more than max_steps 1"), step: 2 },
  ]);
  expect(again.rows).toEqual([]);
  expect(files(again).get("model.safetensors")).toEqual(before);
});

test("what is under way is told before its rows, and evaluation rows are called so", async () => {
  const told: string[] = [];
  const tracker = {
    metrics: ({ step }: { step: number }) => void told.push(`step ${step}`),
    samples() {},
    event: ({ message }: { message: string }) => void told.push(message),
    progress: ({ stage, done }: { stage: string; done: number }) => void (stage === "training" && told.push(`${stage} ${done}`)),
    async close() {},
  };
  await train("sft", { max_steps: 1, test_split_size: 4, eval_strategy: "epoch" }, { tracker });
  expect(told).toEqual([
    expect.stringMatching(/: 20 rows, read as /),
    "19 of 20 rows were cut to max_length",
    expect.stringMatching(/: 4 evaluation rows, read as /),
    "4 of 4 evaluation rows were cut to max_length",
    "training 0",
    "step 1",
    "training 1",
    "step 1",
  ]);
});
