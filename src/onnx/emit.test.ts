import { describe, expect, test } from "vitest";
import { encodeModel } from "./emit.ts";
import { inspectModel } from "./inspect.ts";
import type { OnnxModel } from "./model.ts";
import { encodeVarint, readFields, readIntegers } from "./protobuf.ts";

const model: OnnxModel = {
  inputs: [
    { name: "x", dtype: "float32", shape: [2, 300] },
    { name: "flag", dtype: "bool", shape: [] },
  ],
  outputs: [{ name: "y", dtype: "int64", shape: [0, 1] }],
  initializers: [
    { name: "axes", dtype: "int64", shape: [2], data: BigInt64Array.of(-1n, 9_000_000_000n) },
    { name: "scale", dtype: "float32", shape: [], data: Float32Array.of(0.1) },
    { name: "ids", dtype: "int32", shape: [2], data: Int32Array.of(-5, 7) },
    { name: "large", dtype: "float32", shape: [3, 3], data: new Float32Array(9) },
    { name: "weights", dtype: "float32", shape: [768, 3072], data: undefined },
  ],
  nodes: [
    {
      op: "Pad",
      domain: "",
      inputs: ["x", "axes", "", "scale"],
      outputs: ["a"],
      attributes: { mode: "edge", axis: { int: -1 }, alpha: 0.5, perm: [0, -2, 128], ratios: { floats: [1, 0.25] }, empty: [] },
    },
    { op: "FusedMatMul", domain: "com.microsoft", inputs: ["a", "weights"], outputs: ["y", "z"], attributes: {} },
  ],
};

test("a model comes back as written", () => {
  expect(inspectModel(encodeModel(model))).toBe(`model ir_version 11 producer spar
opset ai.onnx 23
opset com.microsoft 1
input x: float32[2, 300]
input flag: bool[]
initializer axes: int64[2] = -1, 9000000000
initializer scale: float32[] = 0.1
initializer ids: int32[2] = -5, 7
initializer large: float32[3, 3]
initializer weights: float32[768, 3072] external memory
a = Pad(x, axes, , scale) {mode="edge", axis=-1, alpha=0.5, perm=[0, -2, 128], ratios=[1, 0.25] floats, empty=[]}
y, z = com.microsoft.FusedMatMul(a, weights)
output y: int64[0, 1]
`);
});

test("tensors are written from where a view begins", () => {
  const data = new Float32Array(Float32Array.of(9, 1, 2, 9).buffer, 4, 2);
  const text = inspectModel(
    encodeModel({ inputs: [], outputs: [], nodes: [], initializers: [{ name: "w", dtype: "float32", shape: [2], data }] }, { opset: 24 }),
  );
  expect(text).toContain("w: float32[2] = 1, 2");
  expect(text).toContain("opset ai.onnx 24");
});

test("data that does not fit the shape is refused", () => {
  const initializer = { name: "w", dtype: "float32" as const, shape: [3], data: new Float32Array(2) };
  expect(() => encodeModel({ inputs: [], outputs: [], nodes: [], initializers: [initializer] })).toThrow(
    'initializer "w" float32[3] expected 12 bytes, got 8',
  );
});

describe("protobuf", () => {
  test("varints", () => {
    expect([...encodeVarint(0)]).toEqual([0]);
    expect([...encodeVarint(300)]).toEqual([0xac, 2]);
    expect([...encodeVarint(-1)]).toEqual([255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    for (const value of [0, 1, 127, 128, 16384, 2 ** 32, Number.MAX_SAFE_INTEGER, -1, -(2 ** 40)]) {
      expect(readIntegers(encodeVarint(value)).map((x) => Number(BigInt.asIntN(64, x)))).toEqual([value]);
    }
    expect(() => encodeVarint(0.5)).toThrow("expected a safe integer, got 0.5");
    expect(() => encodeVarint(2 ** 60)).toThrow("safe integer");
  });

  test("damaged bytes are refused, whole prefixes of fields are not", () => {
    const bytes = encodeModel(model);
    expect(() => inspectModel(bytes.subarray(0, bytes.length - 3))).toThrow("beyond the end");
    expect(() => [...readFields(Uint8Array.of(0x08))]).toThrow("the bytes end inside an integer");
    expect(() => [...readFields(Uint8Array.of(0x08, ...new Array<number>(11).fill(255)))]).toThrow("longer than 10 bytes");
    expect(() => [...readFields(Uint8Array.of(0x0b))]).toThrow("unknown wire type 3");
    expect(() => [...readFields(Uint8Array.of(0x00, 0x00))]).toThrow("number 0");
    expect(() => readIntegers(Uint8Array.of(0x80))).toThrow("end inside");
    expect([...readFields(new Uint8Array())]).toEqual([]);
  });
});
