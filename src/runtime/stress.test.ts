/** The FFI layer under load: no crash, no leak, and the same bits wherever a buffer lies. */
import { afterAll, describe, expect, test } from "vitest";
import { buildGraph, gelu, input, layerNorm, matmul, mul, softmax, sum, type Tensor } from "../tensor/index.ts";
import { allocateBuffer, CpuBuffer, viewMemory } from "./buffers.ts";
import { findLibrary } from "./device.ts";
import { openEnvironment } from "./environment.ts";
import { createCpuBackend } from "./index.ts";
import { loadOrtApi } from "./ort-api.ts";

const backend = createCpuBackend({ threads: 2 });
const environment = openEnvironment(loadOrtApi(findLibrary()), 2, true);
afterAll(() => {
  environment.close();
  backend.close();
});

const residentMegabytes = (): number => process.memoryUsage.rss() / 2 ** 20;

/**
 * Megabytes by which memory grew, the least of three tries: the heap grows once where it likes, a leak grows every time.
 */
async function measureGrowth(work: () => Promise<void> | void, bound: number): Promise<number> {
  let least = Infinity;
  for (let attempt = 0; attempt < 3 && least >= bound; attempt++) {
    const before = residentMegabytes();
    await work();
    least = Math.min(least, residentMegabytes() - before);
  }
  return least;
}
const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("100,000 values made and freed, 1,000 runs: memory stays", { timeout: 120_000 }, async () => {
  const x = input("x", "float32", [64, 64]);
  const graph = buildGraph({ y: matmul(gelu(x), x) });
  const executable = await backend.compile(graph);
  const round = async (): Promise<void> => {
    for (let run = 0; run < 100; run++) {
      const made = Array.from({ length: 100 }, () => backend.allocate({ dtype: "float32", shape: [4, 4] }));
      const [a, b] = [backend.allocate(x), backend.allocate(x)];
      (a.host as Float32Array).fill(1);
      await executable.run(new Map([["x", a]]), new Map([["y", b]]));
      expect((b.host as Float32Array)[4095]).toBeCloseTo(64 * 0.8413447, 3);
      // Half are freed, half are left to the garbage collector.
      for (const buffer of made.slice(0, 50)) buffer.free();
      a.free();
      b.free();
    }
    await pause();
  };
  await round();
  await round();
  const growth = await measureGrowth(async () => {
    for (let i = 0; i < 10; i++) await round();
  }, 80);
  expect(growth).toBeLessThan(80);
  executable.release();
});

test("sessions made and released give their memory back", { timeout: 120_000 }, async () => {
  const w = backend.allocate({ dtype: "float32", shape: [512, 512] });
  const graph = buildGraph({ y: matmul(input("x", "float32", [8, 512]), input("w", "float32", [512, 512])) });
  const [x, y] = [backend.allocate({ dtype: "float32", shape: [8, 512] }), backend.allocate({ dtype: "float32", shape: [8, 512] })];
  const round = async (): Promise<void> => {
    const executable = await backend.compile(graph, { constants: new Map([["w", w]]) });
    await executable.run(new Map([["x", x]]), new Map([["y", y]]));
    executable.release();
  };
  for (let i = 0; i < 20; i++) await round();
  const growth = await measureGrowth(async () => {
    for (let i = 0; i < 100; i++) await round();
  }, 75);
  // A megabyte of prepacked weights each would be 100.
  expect(growth).toBeLessThan(75);
});

test("large buffers go back to the system at once", { timeout: 120_000 }, async () => {
  const growth = await measureGrowth(() => {
    for (let i = 0; i < 20; i++) {
      const buffer = backend.allocate({ dtype: "float32", shape: [16, 2 ** 20] });
      (buffer.host as Float32Array).fill(1);
      buffer.free();
    }
  }, 100);
  expect(growth).toBeLessThan(100);
});

test("a discarded buffer gives its memory back, and is used again where it was", async () => {
  const type = { dtype: "float32", shape: [2 ** 20] } as const;
  const buffers = Array.from({ length: 8 }, () => allocateBuffer(environment, type, { discardable: true }));
  const part = buffers[0].view(100, [4]);
  const twice = await backend.compile(buildGraph({ y: mul(input("x", "float32", [4]), 2) }));
  const run = async (): Promise<Float32Array> => {
    const y = backend.allocate(part);
    await twice.run(new Map([["x", part]]), new Map([["y", y]]));
    return y.host as Float32Array;
  };
  for (const { memory } of buffers) (memory as Float32Array).fill(3);
  expect([...(await run())]).toEqual([6, 6, 6, 6]);
  const before = residentMegabytes();
  for (const buffer of buffers) buffer.discard();
  // Of 32 MB; the system may take a page or two elsewhere meanwhile.
  expect(before - residentMegabytes()).toBeGreaterThan(20);
  expect([...(await run())]).toEqual([0, 0, 0, 0]);
  (part.memory as Float32Array).set([1, 2, 3, 4]);
  expect([...(await run())]).toEqual([2, 4, 6, 8]);
  expect(buffers[0].memory.subarray(99, 105)).toEqual(Float32Array.of(0, 1, 2, 3, 4, 0));
  twice.release();
  for (const buffer of buffers) buffer.free();
});

test("a new buffer is zero and begins at a cache line", () => {
  for (const size of [0, 1, 7, 1000, 5_000_000]) {
    const buffer = allocateBuffer(environment, { dtype: "float32", shape: [size] });
    expect(Number(environment.api.addressOf(buffer.memory) % 64n)).toBe(0);
    expect(buffer.memory.every((value: number | bigint) => value === 0)).toBe(true);
    buffer.free();
  }
});

test("weights of two sessions with other values are not confused", async () => {
  const w = backend.allocate({ dtype: "float32", shape: [64, 64] });
  const x = backend.allocate({ dtype: "float32", shape: [4, 64] });
  const y = backend.allocate({ dtype: "float32", shape: [4, 64] });
  (x.host as Float32Array).fill(1);
  const graph = buildGraph({ y: matmul(input("x", "float32", [4, 64]), input("w", "float32", [64, 64])) });
  const results: (number | undefined)[] = [];
  const executables = [];
  for (const value of [1, 2, 1]) {
    (w.host as Float32Array).fill(value);
    const executable = await backend.compile(graph, { constants: new Map([["w", w]]) });
    await executable.run(new Map([["x", x]]), new Map([["y", y]]));
    results.push((y.host as Float32Array)[255]);
    executables.push(executable);
  }
  expect(results).toEqual([64, 128, 64]);
  for (const executable of executables) executable.release();
});

describe("the same bits", () => {
  const [rows, width] = [257, 129];
  const x = input("x", "float32", [rows, width]);
  const w = input("w", "float32", [width, width]);
  const hidden = matmul(layerNorm(x, input("gamma", "float32", [width]), input("beta", "float32", [width]), 1e-5), w);
  const graph = buildGraph({ y: softmax(hidden), total: sum(gelu(hidden)), columns: sum(x, [0]) });

  const compute = async (offset: number): Promise<string> => {
    const place = (tensor: Tensor, seed: number): CpuBuffer => {
      const memory = new ArrayBuffer(tensor.shape.reduce((product, d) => product * d, 4) + 256);
      const aligned = Number(-environment.api.addressOf(new Uint8Array(memory)) & 63n);
      const host = viewMemory(tensor, memory, aligned + offset) as Float32Array;
      for (let i = 0; i < host.length; i++) host[i] = Math.sin((i + seed) * 1.7) * 3;
      return new CpuBuffer(environment, tensor, host);
    };
    const executable = await backend.compile(graph);
    const inputs = new Map([...graph.inputs].map(([name, tensor], i) => [name, place(tensor, i)]));
    const outputs = new Map([...graph.outputs].map(([name, tensor]) => [name, place(tensor, 0)]));
    await executable.run(inputs, outputs);
    executable.release();
    return [...outputs.values()].map((buffer) => Buffer.from((buffer.memory as Float32Array).slice().buffer).toString("hex")).join();
  };

  test("at every alignment, every time", async () => {
    const expected = await compute(0);
    for (const offset of [0, 0, 0, 4, 8, 16, 20, 32, 48, 60]) expect(await compute(offset)).toBe(expected);
  });
});
