import { afterAll, describe, expect, test } from "vitest";
import { uniformAt } from "../internal/rng.ts";
import { createCpuBackend, type DeviceBuffer } from "../runtime/index.ts";
import { evaluateGraph } from "../tensor/index.ts";
import { blockSize } from "./inverse-cdf.ts";
import { createSampler, type Sampled } from "./sampler.ts";
import { buildSamplerGraph } from "./sampler-graph.ts";

const backend = createCpuBackend();
afterAll(() => backend.close());

const plain = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 };

async function sampleRows(
  rows: readonly (readonly number[])[],
  settings: typeof plain,
  u: readonly number[],
  seen: (row: number) => number[] = () => [],
): Promise<Sampled> {
  const [batch, vocab] = [rows.length, rows[0].length];
  const sampler = await createSampler(backend, batch, vocab, settings);
  const logits = backend.allocate({ dtype: "float32", shape: [batch, vocab] });
  await backend.write(logits, Float32Array.from(rows.flat()));
  try {
    return await sampler.sample(logits, Float64Array.from(u), seen);
  } finally {
    sampler.release();
    logits.free();
  }
}

function softmax(logits: readonly number[], temperature = 1): number[] {
  const weights = logits.map((x) => Math.exp((x - Math.max(...logits)) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
}

describe("blockSize", () => {
  test.each([
    [50257, 29],
    [32000, 160],
    [512, 16],
    [1, 1],
    [997, 32],
  ])("of %i is %i", (width, size) => expect(blockSize(width)).toBe(size));
});

describe("drawing", () => {
  // 7 is prime and padded, 12 a reshape.
  test.each([7, 12, 101])("follows the distribution of %i tokens (chi-square)", async (vocab) => {
    const logits = Array.from({ length: vocab }, (_, i) => 1.5 * Math.sin(7 * i));
    const draws = 16384;
    const counts = new Array<number>(vocab).fill(0);
    const u = Array.from({ length: draws }, (_, i) => uniformAt(9, i));
    const { tokens } = await sampleRows(new Array(draws).fill(logits), { ...plain, temperature: 0.8 }, u);
    for (const token of tokens) counts[token]++;
    const p = softmax(logits, 0.8);
    const chiSquare = counts.reduce((sum, count, i) => sum + (count - draws * p[i]) ** 2 / (draws * p[i]), 0);
    // Mean vocab − 1, deviation √(2(vocab − 1)): five deviations.
    expect(chiSquare).toBeLessThan(vocab - 1 + 5 * Math.sqrt(2 * (vocab - 1)));
  });

  test("is the inverse of the running sum", async () => {
    const logits = [0.3, -1, 2, 0.5, 0.1, -0.7, 1.1];
    const p = softmax(logits);
    const ends = p.map((_, i) => p.slice(0, i + 1).reduce((a, b) => a + b, 0));
    const u = [...ends.flatMap((end) => [end - 1e-5, end + 1e-5]).slice(0, -1), 0, 0.99999999];
    const { tokens, logprobs } = await sampleRows(new Array(u.length).fill(logits), plain, u);
    const expected = u.map((x) => Math.min(6, ends.filter((end) => end <= x).length));
    expect([...tokens]).toEqual(expected);
    for (const [i, token] of tokens.entries()) expect(logprobs[i]).toBeCloseTo(Math.log(p[token]), 5);
  });

  test("never takes what has no probability, whatever u is", async () => {
    const impossible = -Infinity;
    const rows = [
      [impossible, 0, impossible, 0, impossible],
      [impossible, 0, impossible, 0, impossible],
      [0, impossible, impossible, impossible, impossible],
    ];
    const { tokens } = await sampleRows(rows, plain, [0, 1, 1]);
    expect([...tokens]).toEqual([1, 3, 0]);
  });

  test("is the same on the reference interpreter", async () => {
    const [batch, vocab] = [3, 30];
    const logits = Float32Array.from({ length: batch * vocab }, (_, i) => 2 * Math.cos(i * i));
    const u = Float32Array.of(0.1, 0.5, 0.95);
    const graph = buildSamplerGraph("draw", batch, vocab, true);
    const inputs = { logits, u, temperature: Float32Array.of(0.7, 1, 2) };
    const reference = evaluateGraph(graph, inputs);
    const executable = await backend.compile(graph);
    const given = new Map([...graph.inputs].map(([name, type]) => [name, backend.allocate(type)]));
    const results = new Map([...graph.outputs].map(([name, type]) => [name, backend.allocate(type)]));
    for (const [name, data] of Object.entries(inputs)) await backend.write(given.get(name) as DeviceBuffer, data);
    await executable.run(given, results);
    expect([...(await backend.read(results.get("token") as DeviceBuffer))]).toEqual([...reference["token"]]);
    executable.release();
  });
});

describe("greedy", () => {
  test("takes the first of equals and gives log-probabilities at temperature 1", async () => {
    const logits = [1, 3, 3, 2];
    const { tokens, logprobs } = await sampleRows([logits], { ...plain, temperature: 0 }, [0.9]);
    expect([...tokens]).toEqual([1]);
    expect(logprobs[0]).toBeCloseTo(Math.log(softmax(logits)[1]), 6);
  });
});

describe("filters and penalty", () => {
  test("draw from what stays, and report log-probabilities from before", async () => {
    const logits = [1, 0.5, 2, -1, 1.5];
    const p = softmax(logits, 0.5);
    const { tokens, logprobs } = await sampleRows([logits, logits], { ...plain, temperature: 0.5, topK: 2 }, [0, 0.99]);
    expect([...tokens]).toEqual([2, 4]);
    for (const [i, token] of tokens.entries()) expect(logprobs[i]).toBeCloseTo(Math.log(p[token]), 5);
  });

  test("the penalty divides positive and multiplies negative logits of seen tokens, each once", async () => {
    const logits = [2, 1.5, -0.1, -0.5];
    const greedy = { ...plain, temperature: 0, repetitionPenalty: 2 };
    const { tokens, logprobs } = await sampleRows([logits, logits], greedy, [0, 0], (row) => (row === 0 ? [0, 0, 3] : []));
    expect([...tokens]).toEqual([1, 0]);
    expect(logprobs[0]).toBeCloseTo(Math.log(softmax(logits)[1]), 5);

    const penalised = softmax([1, 1.5, -0.1, -1]);
    const draws = 4000;
    const u = Array.from({ length: draws }, (_, i) => (i + 0.5) / draws);
    const drawn = await sampleRows(new Array(draws).fill(logits), { ...greedy, temperature: 1 }, u, () => [0, 3]);
    for (const [token, share] of penalised.entries()) expect(drawn.tokens.filter((t) => t === token).length / draws).toBeCloseTo(share, 2);
  });
});
