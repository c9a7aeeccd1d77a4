import { afterAll, describe, expect, test } from "vitest";
import { createCpuBackend, runSelfTest } from "../runtime/index.ts";
import { buildGraph, exp, input, matmul, mul } from "../tensor/index.ts";
import { largeCases, smallCases } from "./large-cases.ts";
import { planGraph } from "./plan-memory.ts";
import { countCompiles, planBatches } from "./plan-batches.ts";
import { parseRecipe } from "../recipes/index.ts";

const backend = createCpuBackend({ threads: 2 });
afterAll(() => backend.close());

describe("large cases", () => {
  test.each(largeCases.map((one) => [one.name, one] as const))("%s", async (_name, one) => {
    expect(await runSelfTest(backend, [one])).toEqual([]);
  });
  test("each is of an operation that has a small case too", () => {
    const small = new Set(smallCases.map(({ name }) => name.split(" ")[0]));
    expect(largeCases.map(({ name }) => name.split(" ")[0]).filter((name) => !small.has(name))).toEqual([]);
  });
});

test("the plan of a graph counts what lives at one time, and the products' work", () => {
  const x = input("x", "float32", [10, 20]);
  const w = input("w", "float32", [20, 30]);
  const h = matmul(x, w);
  // h lives while exp(h) and the product are made: h is read twice, exp(h) is replaced by the product's result.
  const y = matmul(mul(h, exp(h)), input("v", "float32", [30, 5]));
  const { peakBytes, flops } = planGraph(buildGraph({ y }));
  expect(peakBytes).toBe(2 * 10 * 30 * 4);
  expect(flops).toBe(2 * 10 * 20 * 30 + 2 * 10 * 30 * 5);
});

test("outputs bound over inputs of their name are not the plan's", () => {
  const x = input("x", "float32", [10]);
  expect(planGraph(buildGraph({ x: mul(exp(x), x) })).peakBytes).toBe(40);
});

test("a run's batches: steps as the trainer counts, heavier where longer", async () => {
  const { config } = await parseRecipe({
    method: "sft",
    flags: [
      "--model_name_or_path",
      "m",
      "--dataset_name",
      "d",
      "--per_device_train_batch_size",
      "4",
      "--gradient_accumulation_steps",
      "2",
      "--num_train_epochs",
      "2",
    ],
  });
  const rows = Array.from({ length: 18 }, (_, i) => ({ tokens: i < 9 ? 10 : 100, scored: 5 }));
  const sizes = { hiddenSize: 64, layers: 2, vocabSize: 512, maxPositions: 128, weights: 0 };
  const plan = planBatches(rows, { ...config, train_sampling_strategy: "sequential" }, sizes);
  // 5 micro-batches an epoch, two to a step, the last of an epoch alone.
  expect(plan).toMatchObject({ steps: 6, microBatches: 10 });
  expect(plan.batches[0].graphs).toEqual(["4x16:24"]);
  // The second of a step adds to the gradients: another graph.
  expect(plan.batches[1].graphs).toEqual(["4x16:24 +"]);
  expect(plan.batches[3].cost).toBeGreaterThan(plan.batches[0].cost);
  expect(planBatches(rows, { ...config, max_steps: 3 }, sizes).steps).toBe(3);
  // 4 rows of 500 tokens and a vocabulary of 2¹⁵: 2 × 2²⁵ logits, in two parts.
  const large = { ...sizes, vocabSize: 2 ** 15, maxPositions: 512 };
  const split = planBatches(new Array(4).fill({ tokens: 501, scored: 500 }), { ...config, max_steps: 1 }, large);
  expect(split.batches[0].graphs).toEqual(["2x512:1024", "2x512:1024 +"]);
});

test("graphs are made again for shapes that fell out of the cache", () => {
  const shapes = (names: string) => [...names].map((shape) => ({ graphs: [shape], cost: 1, indices: [] }));
  expect(countCompiles(shapes("aabab"))).toBe(2);
  expect(countCompiles(shapes("abcabc"), 2)).toBe(6);
  expect(countCompiles(shapes("abaca"), 2)).toBe(3);
});
