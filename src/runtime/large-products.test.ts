/** Products large enough to be lowered in parts or through transposes; small ones are covered by the op cases. */
import { describe, expect, it } from "vitest";
import { buildGraph, concat, input, linear, matmul, sizeOf, slice, type Shape, type Tensor } from "../tensor/index.ts";
import { createCpuBackend, type DeviceBuffer } from "./index.ts";

async function run(
  shapes: readonly Shape[],
  build: (...xs: Tensor[]) => Tensor,
): Promise<{ xs: Float32Array[]; y: Float32Array; shape: Shape }> {
  const backend = createCpuBackend();
  try {
    const graph = buildGraph({ y: build(...shapes.map((shape, i) => input(`x${i}`, "float32", shape))) });
    const feeds = new Map<string, DeviceBuffer>();
    const xs: Float32Array[] = [];
    for (const [name, tensor] of graph.inputs) {
      const buffer = backend.allocate(tensor);
      const data = repeat(sizeOf(tensor.shape), (i) => ((i * 7919 + xs.length * 31) % 1009) / 1009 - 0.5, 1009);
      await backend.write(buffer, data);
      xs.push(data);
      feeds.set(name, buffer);
    }
    const output = graph.outputs.get("y") as Tensor;
    const y = backend.allocate(output);
    await (await backend.compile(graph)).run(feeds, new Map([["y", y]]));
    return { xs, y: (y.host as Float32Array).slice(), shape: output.shape };
  } finally {
    backend.close();
  }
}

/** `count` values of a function whose values repeat. */
function repeat(count: number, value: (i: number) => number, period: number): Float32Array {
  const data = new Float32Array(count);
  for (let i = 0; i < Math.min(period, count); i++) data[i] = value(i);
  for (let filled = period; filled < count; filled *= 2) data.copyWithin(filled, 0, Math.min(filled, count - filled));
  return data;
}

/** Compares entries spread over all rows and columns, both edges included. */
function expectEntries(y: Float32Array, [rows, columns]: Shape, entry: (r: number, c: number) => number): void {
  for (let i = 0; i <= 60; i++) {
    const r = Math.min(rows - 1, Math.floor((i * rows) / 60));
    const c = Math.min(columns - 1, (i * 131) % columns);
    expect(y[r * columns + c], `[${r}, ${c}]`).toBeCloseTo(entry(r, c), 3);
  }
}

const dot = (n: number, term: (k: number) => number): number => Array.from({ length: n }, (_, k) => term(k)).reduce((a, b) => a + b, 0);

describe("large products", () => {
  it.each([false, true])("linear over many rows, w transposed: %s, with a bias or something added to each row", async (transW) => {
    const [M, K, N] = [1030, 513, 520];
    for (const added of [[N], [M, N]]) {
      const {
        xs: [x, w, c],
        y,
        shape,
      } = await run([[M, K], transW ? [N, K] : [K, N], added], (a, b, d) => linear(a, b, d, { transW }));
      expect(shape).toEqual([M, N]);
      expectEntries(
        y,
        shape,
        (r, n) => dot(K, (k) => x[r * K + k] * w[transW ? n * K + k : k * N + n]) + c[(added.length === 1 ? 0 : r * N) + n],
      );
    }
  });

  it.each([
    [520, 260, 130, 1],
    [130, 4100, 40, 1],
    [130, 4100, 40, 0.5],
  ])("transposed first factor: [%i, %i]ᵀ · […, %i] × %d", async (K, M, N, alpha) => {
    const {
      xs: [a, b],
      y,
      shape,
    } = await run(
      [
        [K, M],
        [K, N],
      ],
      (p, q) => matmul(p, q, { transA: true, alpha }),
    );
    expect(shape).toEqual([M, N]);
    expectEntries(y, shape, (r, n) => alpha * dot(K, (k) => a[k * M + r] * b[k * N + n]));
  });

  it.each([
    ["copied", 300, 1024, 300, false],
    ["copied, transposed", 300, 1024, 300, true],
    ["copied, in blocks of rows", 1200, 1024, 520, false],
    ["turned", 256, 1024, 16_400, true],
  ])("rows of 4 KB that would collide, %s: every bit as in a product too small for that", async (_way, M, K, N, transW) => {
    // Below 256 rows a product is computed as it is.
    const few = 100;
    const { xs, y } = await run([[M, K], transW ? [N, K] : [K, N], [N]], (x, w, c) =>
      concat([linear(x, w, c, { transW }), linear(slice(x, 0, 0, few), w, c, { transW })], 0),
    );
    const bytes = (from: number): Buffer => Buffer.from(y.buffer, 4 * from * N, 4 * few * N);
    expect(Buffer.compare(bytes(0), bytes(M))).toBe(0);
    const [x, w, c] = xs;
    const last = dot(K, (k) => x[(M - 1) * K + k] * w[transW ? N * K - K + k : (k + 1) * N - 1]) + c[N - 1];
    expect(y[M * N - 1]).toBeCloseTo(last, 3);
  });

  it("a weight's gradient over 1,024 rows", async () => {
    const [K, M, N] = [1024, 300, 130];
    const {
      xs: [a, b],
      y,
    } = await run(
      [
        [K, M],
        [K, N],
      ],
      (p, q) => matmul(p, q, { transA: true }),
    );
    expectEntries(y, [M, N], (r, n) => dot(K, (k) => a[k * M + r] * b[k * N + n]));
  });

  it("by a transposed matrix whose rows would collide", async () => {
    const [M, K, N] = [300, 1024, 260];
    const {
      xs: [a, b],
      y,
    } = await run(
      [
        [M, K],
        [N, K],
      ],
      (p, q) => matmul(p, q, { transB: true }),
    );
    expectEntries(y, [M, N], (r, n) => dot(K, (k) => a[r * K + k] * b[n * K + k]));
  });
});
