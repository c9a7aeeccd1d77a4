import { afterAll, describe, expect, test } from "vitest";
import {
  evaluateGraph,
  add,
  apply,
  buildGraph,
  constant,
  formatType,
  gather,
  grad,
  input,
  matmul,
  mul,
  sum,
  type Graph,
  type Tensor,
  type TensorData,
} from "../tensor/index.ts";
import type { DeviceBuffer } from "./backend.ts";
import { createCpuBackend, measureGemmRate, profileOf } from "./index.ts";

const backend = createCpuBackend({ threads: 2 });
afterAll(() => backend.close());

const random = (n: number, seed = 1): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin((i + 1) * seed * 12.9898) * 2);

function allocateAll(tensors: ReadonlyMap<string, Tensor>, data: { [name: string]: TensorData } = {}): Map<string, DeviceBuffer> {
  return new Map(
    [...tensors].map(([name, tensor]) => {
      const buffer = backend.allocate(tensor);
      if (data[name] !== undefined) (buffer.host as Float32Array).set(data[name] as Float32Array);
      return [name, buffer];
    }),
  );
}

/** Runs a graph as the backend does and as the reference interpreter does; asserts that they agree. */
async function expectLikeReference(graph: Graph, data: { [name: string]: Float32Array | Int32Array }, digits = 4): Promise<void> {
  const executable = await backend.compile(graph);
  const outputs = allocateAll(graph.outputs);
  for (const buffer of outputs.values()) (buffer.host as Float32Array).fill(NaN);
  const inputs = allocateAll(graph.inputs, data);
  const expected = evaluateGraph(graph, data);
  for (let repeat = 0; repeat < 2; repeat++) {
    await executable.run(inputs, outputs);
    for (const [name, buffer] of outputs) {
      const got = buffer.host as Float32Array;
      for (const [i, value] of (expected[name] as Float64Array).entries()) expect(got[i]).toBeCloseTo(value, digits);
    }
  }
  executable.release();
}

describe("running", () => {
  test("a graph gives the interpreter's numbers, in the buffers that are bound", async () => {
    const x = input("x", "float32", [4, 3]);
    const w = input("w", "float32", [3, 5]);
    const y = matmul(x, w);
    await expectLikeReference(buildGraph({ y, twice: add(y, y), x2: mul(x, x) }), { x: random(12), w: random(15, 3) });
  });

  test("constants are used where they lie, and are no inputs of the run", async () => {
    const graph = buildGraph({ y: matmul(input("x", "float32", [2, 64]), input("w", "float32", [64, 64])) });
    const w = backend.allocate({ dtype: "float32", shape: [64, 64] });
    (w.host as Float32Array).fill(0.5);
    const executable = await backend.compile(graph, {
      constants: new Map([
        ["w", w],
        ["unused", w],
      ]),
    });
    w.free();
    const x = backend.allocate({ dtype: "float32", shape: [2, 64] });
    (x.host as Float32Array).fill(1);
    const y = backend.allocate({ dtype: "float32", shape: [2, 64] });
    await executable.run(new Map([["x", x]]), new Map([["y", y]]));
    expect([...(y.host as Float32Array)]).toEqual(new Array(128).fill(32));
    executable.release();
  });

  test("an output over an input is updated in place", async () => {
    const w = input("w", "float32", [1000]);
    const g = input("g", "float32", [1000]);
    const executable = await backend.compile(buildGraph({ next: add(w, mul(g, -0.5)) }));
    const buffers = allocateAll(
      new Map([
        ["w", w],
        ["g", g],
      ]),
      { w: random(1000), g: random(1000, 2) },
    );
    const memory = (buffers.get("w") as DeviceBuffer).host as Float32Array;
    const expected = memory.map((value, i) => Math.fround(value + Math.fround(random(1000, 2)[i] as number) * -0.5));
    await executable.run(buffers, new Map([["next", buffers.get("w") as DeviceBuffer]]));
    for (const [i, value] of memory.entries()) expect(value).toBeCloseTo(expected[i] as number, 5);
    expect(memory).not.toEqual(random(1000));
    executable.release();
  });

  test("an output may be an input or a constant itself, and one tensor may have two names", async () => {
    const x = input("x", "float32", [3]);
    const y = add(x, 1);
    await expectLikeReference(buildGraph({ same: x, a: y, b: y, c: constant(Float32Array.of(7, 8), [2]) }), { x: random(3) });
  });

  test("scalars and empty tensors", async () => {
    const x = input("x", "float32", [0, 4]);
    await expectLikeReference(buildGraph({ total: sum(x), y: mul(x, 2) }), { x: new Float32Array(0) });
  });

  test("the event loop goes on while a graph runs", async () => {
    const x = input("x", "float32", [768, 768]);
    let y = x;
    for (let i = 0; i < 60; i++) y = matmul(y, x, { alpha: 0.01 });
    const graph = buildGraph({ y });
    const executable = await backend.compile(graph);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const start = performance.now();
    await executable.run(allocateAll(graph.inputs), allocateAll(graph.outputs));
    const milliseconds = performance.now() - start;
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(milliseconds / 50);
    executable.release();
  });

  test("two executables run at the same time", async () => {
    const graph = buildGraph({ y: matmul(input("x", "float32", [64, 64]), input("w", "float32", [64, 64])) });
    const pairs = await Promise.all(
      [1, 2, 3].map(async (seed) => {
        const outputs = allocateAll(graph.outputs);
        const executable = await backend.compile(graph);
        for (let i = 0; i < 20; i++)
          await executable.run(allocateAll(graph.inputs, { x: random(4096, seed), w: random(4096, 2) }), outputs);
        executable.release();
        return { seed, y: outputs.get("y")?.host as Float32Array };
      }),
    );
    for (const { seed, y } of pairs) {
      const expected = evaluateGraph(graph, { x: random(4096, seed), w: random(4096, 2) }).y as Float64Array;
      for (const [i, value] of expected.entries()) expect(y[i]).toBeCloseTo(value, 3);
    }
  });
});

describe("scattered rows", () => {
  const table = (): Tensor => input("table", "float32", [6, 4]);
  const ids = (): Tensor => input("ids", "int32", [2, 3]);
  const data = { table: random(24), ids: Int32Array.of(1, 5, 1, 1, 0, 5), weight: random(24, 2) };

  test("an embedding's gradient, with rows hit many times", async () => {
    const [embedding, at, weight] = [table(), ids(), input("weight", "float32", [2, 3, 4])];
    const gradient = grad(sum(mul(gather(embedding, at), weight)), [embedding])[0] as Tensor;
    await expectLikeReference(buildGraph({ gradient }), data);
  });

  test("a tied embedding: scattered rows on top of a product, computed rows, two gathers, a second output", async () => {
    const [embedding, at, weight] = [table(), ids(), input("weight", "float32", [2, 3, 4])];
    const hidden = mul(gather(embedding, at), weight);
    const more = gather(embedding, input("more", "int32", [5]));
    const logits = matmul(mul(hidden, hidden), embedding, { transB: true });
    const loss = add(sum(mul(logits, logits)), sum(mul(more, more)));
    const gradients = grad(loss, [embedding, weight]);
    const accumulated = add(input("before", "float32", [6, 4]), gradients[0] as Tensor);
    const graph = buildGraph({ loss, accumulated, weightGradient: gradients[1] as Tensor });
    const small = (values: Float32Array): Float32Array => values.map((v) => v / 4);
    await expectLikeReference(graph, {
      table: small(data.table),
      ids: data.ids,
      weight: small(data.weight),
      more: Int32Array.of(0, 0, 2, 5, 0),
      before: random(24, 5),
    });
  });

  test("accumulated in place: the output over the input it starts from", async () => {
    const before = input("before", "float32", [6, 4]);
    const rows = input("rows", "float32", [2, 3, 4]);
    const graph = buildGraph({ after: apply("scatterAddRows", [ids(), rows, before], { rows: 6 })[0] as Tensor });
    const executable = await backend.compile(graph);
    const inputs = allocateAll(graph.inputs, { ids: data.ids, rows: random(24, 3), before: random(24, 4) });
    const expected = evaluateGraph(graph, { ids: data.ids, rows: random(24, 3), before: random(24, 4) }).after as Float64Array;
    await executable.run(inputs, new Map([["after", inputs.get("before") as DeviceBuffer]]));
    const got = (inputs.get("before") as DeviceBuffer).host as Float32Array;
    for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 5);
    executable.release();
  });

  test("the same bits every time, with many repeated indices", async () => {
    const rows = input("rows", "float32", [4096, 64]);
    const graph = buildGraph({ y: apply("scatterAddRows", [input("ids", "int32", [4096]), mul(rows, 1.5)], { rows: 8 })[0] as Tensor });
    const executable = await backend.compile(graph);
    const inputs = allocateAll(graph.inputs, { ids: Int32Array.from({ length: 4096 }, (_, i) => (i * i) % 8), rows: random(4096 * 64) });
    const outputs = allocateAll(graph.outputs);
    const seen = new Set<string>();
    for (let i = 0; i < 10; i++) {
      await executable.run(inputs, outputs);
      seen.add(Buffer.from(((outputs.get("y") as DeviceBuffer).host as Float32Array).slice().buffer).toString("base64"));
    }
    expect(seen.size).toBe(1);
    executable.release();
  });

  test("an index outside the table is an error that names it", async () => {
    const graph = buildGraph({
      y: apply("scatterAddRows", [input("ids", "int32", [2]), input("rows", "float32", [2, 4])], { rows: 6 })[0] as Tensor,
    });
    const executable = await backend.compile(graph);
    const run = executable.run(allocateAll(graph.inputs, { ids: Int32Array.of(0, 6) }), allocateAll(graph.outputs));
    await expect(run).rejects.toThrow("expected indices from 0 to 5, got 6 at position 1");
    executable.release();
  });
});

describe("errors", () => {
  const x = input("x", "float32", [2, 2]);
  const graph = buildGraph({ y: add(x, 1) });
  const rejection = async (promise: Promise<unknown>): Promise<{ code: string; message: string }> =>
    promise.then(
      () => ({ code: "none", message: "" }),
      (error: { code: string; message: string }) => error,
    );

  test("missing, mistyped, freed and unknown buffers are named", async () => {
    const executable = await backend.compile(graph, { label: "toy" });
    const inputs = allocateAll(graph.inputs);
    const outputs = allocateAll(graph.outputs);
    expect(await rejection(executable.run(new Map(), outputs))).toMatchObject({
      code: "runtime/wrong-buffer",
      message: expect.stringContaining('expected a buffer float32[2, 2] for input "x", got none'),
    });
    const wrong = backend.allocate({ dtype: "float32", shape: [4] });
    expect(await rejection(executable.run(inputs, new Map([["y", wrong]])))).toMatchObject({
      message: expect.stringContaining('for output "y", got float32[4]'),
    });
    expect(await rejection(executable.run(inputs, new Map([...outputs, ["z", wrong]])))).toMatchObject({
      message: expect.stringContaining('no output "z"'),
    });
    wrong.free();
    expect(wrong.host).toBeUndefined();
    expect(await rejection(backend.read(wrong))).toMatchObject({ code: "runtime/freed-buffer" });
    inputs.get("x")?.free();
    expect(await rejection(executable.run(inputs, outputs))).toMatchObject({ code: "runtime/freed-buffer" });
    executable.release();
    executable.release();
    expect(await rejection(executable.run(inputs, outputs))).toMatchObject({ code: "runtime/released" });
  });

  test("one run at a time; free and release during a run wait for its end", async () => {
    const executable = await backend.compile(graph);
    const inputs = allocateAll(graph.inputs, { x: Float32Array.of(1, 2, 3, 4) });
    const outputs = allocateAll(graph.outputs);
    const y = outputs.get("y")?.host as Float32Array;
    const first = executable.run(inputs, outputs);
    expect(await rejection(executable.run(inputs, outputs))).toMatchObject({ code: "runtime/busy" });
    for (const buffer of [...inputs.values(), ...outputs.values()]) buffer.free();
    executable.release();
    await first;
    expect([...y]).toEqual([2, 3, 4, 5]);
  });

  test("a view shares memory, runs like a buffer, and ends with the buffer", async () => {
    const whole = backend.allocate({ dtype: "float32", shape: [3, 4] });
    (whole.host as Float32Array).set(random(12));
    const row = backend.view(whole, 4, [2, 2]);
    const executable = await backend.compile(graph);
    await executable.run(new Map([["x", row]]), new Map([["y", row]]));
    const expected = random(12).map((value, i) => (i >= 4 && i < 8 ? value + 1 : value));
    for (const [i, value] of expected.entries()) expect((whole.host as Float32Array)[i]).toBeCloseTo(value, 5);
    expect(() => backend.view(whole, 9, [2, 2])).toThrow("expected 4 elements from 9 within 12");
    const run = executable.run(new Map([["x", row]]), new Map([["y", row]]));
    whole.free();
    await run;
    expect(row.host).toBeUndefined();
    expect(await rejection(executable.run(new Map([["x", row]]), new Map([["y", row]])))).toMatchObject({ code: "runtime/freed-buffer" });
    row.free();
    executable.release();
  });

  test("writing data of another type or length, other threads, a closed backend", async () => {
    const buffer = backend.allocate({ dtype: "int32", shape: [3] });
    await backend.write(buffer, Int32Array.of(1, 2, 3));
    expect(await backend.read(buffer)).toEqual(Int32Array.of(1, 2, 3));
    expect(await rejection(backend.write(buffer, Float32Array.of(1, 2, 3)))).toMatchObject({
      code: "runtime/wrong-data",
      message: expect.stringContaining("expected a Int32Array of 3 values"),
    });
    expect(await rejection(backend.write(buffer, Int32Array.of(1)))).toMatchObject({ code: "runtime/wrong-data" });
    expect(() => createCpuBackend({ threads: 3 })).toThrow("expected 2 threads");
    expect(() => createCpuBackend({ threads: 0 })).toThrow("expected a whole number of threads");
    const second = createCpuBackend({ threads: 2 });
    const executable = await second.compile(graph);
    second.close();
    expect(() => second.allocate(x)).toThrow("after its close()");
    expect(await rejection(executable.run(new Map(), new Map()))).toMatchObject({ code: "runtime/released" });
  });

  test("too much memory is one clear error", () => {
    expect(() => backend.allocate({ dtype: "float32", shape: [2 ** 46] })).toThrow(/cannot get \d+ bytes for float32\[70368744177664\]/);
  });

  test("what ONNX Runtime refuses comes with its message and the label", async () => {
    const at = input("at", "int32", [1]);
    const broken = buildGraph({ y: gather(input("table", "float32", [2, 2]), at) });
    const executable = await backend.compile(broken, { label: "lookup" });
    const inputs = allocateAll(broken.inputs, { at: Int32Array.of(9) });
    expect(await rejection(executable.run(inputs, allocateAll(broken.outputs)))).toMatchObject({
      code: "runtime/onnxruntime",
      message: expect.stringMatching(/run \(lookup\).*indices element out of data bounds/s),
    });
    executable.release();
  });
});

test("a profile has a row a node", async () => {
  const profiled = createCpuBackend({ threads: 2, profile: true });
  const x = input("x", "float32", [64, 64]);
  const graph = buildGraph({ y: matmul(x, mul(x, x)) });
  const executable = await profiled.compile(graph);
  const [inputs, outputs] = [allocateAll(graph.inputs), allocateAll(graph.outputs)];
  for (let i = 0; i < 3; i++) await executable.run(inputs, outputs);
  const rows = profileOf(executable);
  expect(rows.length).toBeGreaterThan(0);
  expect(rows.map((row) => row.op)).toContain("Mul");
  for (const row of rows) expect(row).toMatchObject({ runs: 3, seconds: expect.any(Number), outputBytes: 64 * 64 * 4 });
  profiled.close();
  const plain = await backend.compile(graph);
  expect(() => profileOf(plain)).toThrow("made with profile");
  plain.release();
});

test("the GEMM rate is a number of this world", async () => {
  const rate = await measureGemmRate(backend, 3);
  expect(rate).toBeGreaterThan(1e8);
  expect(rate).toBeLessThan(1e15);
  expect(formatType(backend.allocate({ dtype: "bool", shape: [2] }))).toBe("bool[2]");
});
