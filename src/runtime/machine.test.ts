import { expect, test } from "vitest";
import { countCores, countPhysicalCores, describeMachine } from "./machine.ts";
import { parseProfile, sumProfileByOp } from "./profile.ts";

test("physical cores: two threads of a core count once", () => {
  const block = (processor: number, socket: number, core: number): string =>
    `processor\t: ${processor}\nphysical id\t: ${socket}\ncore id\t\t: ${core}\n`;
  expect(countPhysicalCores([block(0, 0, 0), block(1, 0, 1), block(2, 0, 0), block(3, 0, 1)].join("\n"))).toBe(2);
  expect(countPhysicalCores([block(0, 0, 0), block(1, 1, 0)].join("\n"))).toBe(2);
  expect(countPhysicalCores("processor\t: 0\nBogoMIPS\t: 50\n\nprocessor\t: 1\n")).toBe(0);
});

test("this machine", () => {
  const machine = describeMachine();
  expect(machine.cores).toBe(countCores());
  expect(machine.cores).toBeGreaterThan(0);
  expect(machine.availableBytes).toBeGreaterThan(0);
  expect(machine.availableBytes).toBeLessThanOrEqual(machine.memoryBytes);
});

test("profiles: runs of a node together, other events left out", () => {
  const event = (name: string, op: string, dur: number): object => ({ cat: "Node", name, dur, args: { op_name: op, output_size: "64" } });
  const json = JSON.stringify([
    { cat: "Session", name: "model_run", dur: 99 },
    event("Add_0_kernel_time", "Add", 10),
    event("Add_0_fence_before", "Add", 5),
    event("MatMul_1_kernel_time", "MatMul", 300),
    event("Add_2_kernel_time", "Add", 20),
    event("Add_0_kernel_time", "Add", 30),
  ]);
  const rows = parseProfile(json);
  expect(rows.map(({ name, runs }) => [name, runs])).toEqual([
    ["MatMul_1", 1],
    ["Add_0", 2],
    ["Add_2", 1],
  ]);
  expect(rows[1]).toMatchObject({ op: "Add", seconds: 40e-6, outputBytes: 64 });
  expect(sumProfileByOp(rows)).toEqual([
    { op: "MatMul", nodes: 1, seconds: 300e-6, fastest: 300e-6 },
    { op: "Add", nodes: 2, seconds: expect.closeTo(60e-6, 9), fastest: expect.closeTo(30e-6, 9) },
  ]);
  expect(() => parseProfile("not json")).toThrow("expected ONNX Runtime's JSON events");
});
