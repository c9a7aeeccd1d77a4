import { afterAll, describe, expect, test } from "vitest";
import { add, mul, type Tensor } from "../tensor/index.ts";
import { caseValues, opCases } from "../tensor/op-cases.ts";
import { createCpuBackend } from "./index.ts";
import { runSelfTest, type SelfTestCase } from "./self-test.ts";

const backend = createCpuBackend({ threads: 2 });
afterAll(() => backend.close());

describe("every lowering on the CPU", () => {
  for (const opCase of opCases) {
    test(opCase.name, async () => {
      const selfTestCase = { ...opCase, values: (i: number) => caseValues(opCase.inputs[i] as (typeof opCase.inputs)[number], i) };
      expect(await runSelfTest(backend, [selfTestCase])).toEqual([]);
    });
  }
});

describe("a self-test that fails", () => {
  const base: SelfTestCase = {
    name: "double",
    inputs: [{ dtype: "float32", shape: [2] }],
    build: ([x]) => [mul(x as Tensor, 2)],
    values: () => [1, 2],
  };

  test("names the output, the place and both numbers", async () => {
    // A backend that computes something else.
    const wrong: typeof backend = {
      name: "wrong",
      allocate: (type) => backend.allocate(type),
      view: (buffer, start, shape) => backend.view(buffer, start, shape),
      write: (buffer, data) => backend.write(buffer, data),
      read: async (buffer) => ((await backend.read(buffer)) as Float32Array).map((value, i) => (i === 1 ? value + 1 : value)),
      compile: (graph, options) => backend.compile(graph, options),
      close: () => undefined,
    };
    expect(await runSelfTest(wrong, [base])).toEqual([{ name: "double", message: "output y0 float32[2]: expected 4 at 1, got 5" }]);
    expect(await runSelfTest(backend, [base])).toEqual([]);
  });

  test("reports errors and goes on", async () => {
    const broken: SelfTestCase = { ...base, name: "broken", build: ([x]) => [add(x as Tensor, x as Tensor)], values: () => [1] };
    const failures = await runSelfTest(backend, [broken, base]);
    expect(failures).toEqual([{ name: "broken", message: expect.stringContaining('input "x0" needs 2 values') }]);
  });
});
