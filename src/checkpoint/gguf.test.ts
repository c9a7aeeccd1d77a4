import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { f32Bytes, formatGguf, type GgufToWrite } from "../../test/fixtures/write-gguf.ts";
import { openGguf } from "./gguf.ts";
import { openWeights } from "./sharded.ts";

const fixtures = fileURLToPath(new URL("../../test/fixtures/gguf/", import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spar-gguf-"));
});
afterAll(() => rm(folder, { recursive: true }));

let count = 0;
async function write(bytes: Uint8Array | GgufToWrite): Promise<string> {
  const path = join(folder, `${count++}.gguf`);
  await writeFile(path, bytes instanceof Uint8Array ? bytes : formatGguf(bytes));
  return path;
}

const tensor = (name: string, values: ArrayLike<number> = [1, 2, 3, 4]) => ({ name, shape: [values.length], data: f32Bytes(values) });

describe("formats", async () => {
  const expected = JSON.parse(await readFile(join(fixtures, "quants.json"), "utf8")) as {
    [name: string]: { shape: number[]; f32: string };
  };
  test.each(Object.keys(expected))("%s: the bits that Python's gguf gives", async (name) => {
    const { shape, f32 } = expected[name]!;
    const bytes = Buffer.from(f32, "base64");
    const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    const source = await openWeights(join(fixtures, "quants.gguf"));
    expect(source.info(name)).toEqual({ dtype: name, shape });
    const target = new Float32Array(values.length);
    await source.readInto(name, target);
    expect(target).toEqual(values);
    await source.close();
  });

  test("more than one chunk, not a whole number of chunks", async () => {
    // 34 bytes a block of 32: the chunk of 1 MiB is rounded down to whole blocks.
    const blocks = 70_001;
    const data = new Uint8Array(34 * blocks);
    for (let b = 0; b < blocks; b++) {
      data[34 * b + 1] = 0x3c; // scale 1
      data[34 * b + 2 + (b % 32)] = b % 127;
    }
    const source = await openGguf(await write({ tensors: [{ name: "x", shape: [blocks, 32], data, typeId: 8 }] }));
    const target = new Float32Array(32 * blocks);
    await source.readInto("x", target);
    for (const b of [0, 1, 30_839, 30_840, 30_841, 61_680, 70_000]) expect(target[32 * b + (b % 32)]).toBe(b % 127);
    expect(target.reduce((sum, x) => sum + x, 0)).toBe(Array.from({ length: blocks }, (_, b) => b % 127).reduce((a, b) => a + b));
    await source.close();
  });
});

test.each([2, 3])("version %i: names, shapes and metadata", async (version) => {
  const metadata = {
    "general.architecture": "llama",
    count: 7,
    rate: 0.25,
    flag: true,
    words: ["a", "ü😀", ""],
    numbers: [1, -2],
    "general.alignment": 64,
  };
  const source = await openGguf(
    await write({ version, metadata, tensors: [tensor("a"), { name: "b", shape: [2, 3], data: f32Bytes([1, 2, 3, 4, 5, 6]) }] }),
  );
  expect(Object.fromEntries(source.metadata)).toEqual({ ...metadata, numbers: Float64Array.of(1, -2) });
  expect(source.names()).toEqual(["a", "b"]);
  expect(source.info("b")).toEqual({ dtype: "F32", shape: [2, 3] });
  const target = new Float32Array(6);
  await source.readInto("b", target);
  expect([...target]).toEqual([1, 2, 3, 4, 5, 6]);
  await source.close();
});

test("a header longer than the first piece that is read", async () => {
  const words = Array.from({ length: 300_000 }, (_, i) => `token number ${i}`);
  const source = await openGguf(await write({ metadata: { words }, tensors: [tensor("a")] }));
  expect(source.metadata.get("words")).toEqual(words);
  const target = new Float32Array(4);
  await source.readInto("a", target);
  expect([...target]).toEqual([1, 2, 3, 4]);
  await source.close();
});

describe("hostile and damaged files", () => {
  const good = () => formatGguf({ metadata: { key: "value", words: ["a", "b"] }, tensors: [tensor("a"), tensor("b")] });
  const patched = (at: number, bytes: Uint8Array) => {
    const file = good();
    file.set(bytes, at);
    return file;
  };
  const huge = Buffer.alloc(8);
  huge.writeBigUInt64LE(10n ** 18n);
  const keyLength = 24;
  const wordsCount = good().indexOf("words") + 5 + 8;

  const cases: [string, () => Uint8Array | GgufToWrite, RegExp][] = [
    ["an empty file", () => new Uint8Array(0), /empty/],
    ["another file", () => Buffer.from("PK\x03\x04 and so on, long enough to hold a head"), /not with "GGUF"/],
    ["version 1", () => ({ version: 1 }), /version 1 cannot be read/],
    ["big-endian", () => ({ version: 0x03000000 }), /big-endian/],
    ["10^18 tensors", () => ({ tensorCount: 10n ** 18n }), /number of tensors is 1000000000000000000/],
    ["10^18 keys", () => ({ keyCount: 10n ** 18n }), /number of metadata keys is 1000000000000000000/],
    ["more keys than there are", () => ({ keyCount: 1n, metadata: {} }), /truncated|number of metadata keys/],
    ["a key of 10^18 bytes", () => patched(keyLength, huge), /length of metadata key 0 is 1000000000000000000/],
    ["a list of 10^18 texts", () => patched(wordsCount, huge), /length of words is 1000000000000000000/],
    ["an unknown type of value", () => patched(good().indexOf("key") + 3, Buffer.from([77])), /key has type 77/],
    ["a list of lists", () => patched(wordsCount - 4, Buffer.from([9])), /words is a list of type 9/],
    [
      "a key twice",
      () => patched(good().indexOf("words") - 8, Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("key")])),
      /"key" appears twice/,
    ],
    ["a tensor twice", () => ({ tensors: [tensor("a"), tensor("a")] }), /"a": the name appears twice/],
    ["five dimensions", () => ({ tensors: [{ ...tensor("a"), shape: [1, 1, 1, 1, 4] }] }), /"a": it has 5 dimensions/],
    ["a dimension of 10^15 twice", () => ({ tensors: [{ ...tensor("a"), shape: [1e15, 1e15] }] }), /"a": dimension 1 is/],
    ["an empty dimension", () => ({ tensors: [{ ...tensor("a"), shape: [0, 4] }] }), /"a": dimension 1 is 0/],
    ["a shape beyond the file", () => ({ tensors: [{ ...tensor("a"), shape: [4000] }] }), /"a": its data ends at byte .* \(truncated\)/],
    [
      "rows that are not whole blocks",
      () => ({ tensors: [{ ...tensor("a"), shape: [4], typeId: 8 }] }),
      /"a": its rows have 4 elements.*32 for Q8_0/,
    ],
    ["overlapping tensors", () => ({ tensors: [tensor("a"), { ...tensor("b"), offset: 0n }] }), /"b": its data overlaps that of "a"/],
    ["a hole", () => ({ tensors: [tensor("a"), { ...tensor("b"), offset: 64n }, tensor("c")] }), /belong to no tensor|overlaps/],
    [
      "an offset between the steps",
      () => ({ tensors: [{ ...tensor("a"), offset: 4n }] }),
      /"a": its data begins at 4, expected a multiple of 32/,
    ],
    ["an offset of 10^18", () => ({ tensors: [{ ...tensor("a"), offset: 10n ** 18n }] }), /"a": its data begins at 1000000000000000000/],
    ["an alignment of 0", () => patched(0, formatGguf({ metadata: { "general.alignment": 4 } })), /general.alignment is 4/],
  ];
  test.each(cases)("%s", async (_, make, message) => {
    const path = await write(make());
    const error: unknown = await openGguf(path).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "checkpoint/malformed", message: expect.stringMatching(message), hint: expect.any(String) });
    expect((error as Error).message).toContain(path);
  });

  test("any cut is refused, and any changed byte of the head gives a file or a clean refusal", async () => {
    const file = good();
    for (let length = 0; length < file.length - 28; length += 3)
      await expect(openGguf(await write(file.subarray(0, length))), `${length} bytes`).rejects.toMatchObject({
        code: "checkpoint/malformed",
      });
    await fc.assert(
      fc.asyncProperty(fc.nat(file.length - 33), fc.nat(255), async (at, byte) => {
        const source = await openGguf(await write(patched(at, Buffer.from([byte])))).catch((error: unknown) => error);
        if (source instanceof Error) expect(source).toHaveProperty("code", expect.stringMatching(/^checkpoint\//));
        else await (source as { close(): Promise<void> }).close();
      }),
      { numRuns: 300 },
    );
  });

  test("a format that is not read is named", async () => {
    const path = await write({ tensors: [{ name: "blk.0.w", shape: [256], data: new Uint8Array(84), typeId: 10 }] });
    await expect(openGguf(path)).rejects.toMatchObject({
      code: "checkpoint/gguf",
      message: expect.stringMatching(/"blk.0.w" is stored as Q2_K.*Q4_K/),
    });
  });

  test("one part of several", async () => {
    await expect(openGguf(await write({ metadata: { "split.count": 3 } }))).rejects.toMatchObject({
      code: "checkpoint/gguf",
      message: expect.stringMatching(/one of 3 parts/),
    });
  });

  test("values that are not finite, a file cut off later, wrong names and sizes", async () => {
    // A Q8_0 block whose scale is a NaN.
    const block = new Uint8Array(34).fill(1);
    block.set([0, 0x7e]);
    const path = await write({ tensors: [tensor("a"), { name: "q", shape: [32], data: block, typeId: 8 }] });
    const source = await openGguf(path);
    await expect(source.readInto("q", new Float32Array(32))).rejects.toMatchObject({
      code: "checkpoint/not-finite",
      message: expect.stringMatching(/"q" holds NaN at element 0/),
    });
    await source.readInto("q", new Float32Array(32), { allowNonFinite: true });
    await expect(source.readInto("a", new Float32Array(3))).rejects.toMatchObject({ code: "checkpoint/shape-mismatch" });
    expect(() => source.info("b")).toThrow(/no tensor "b"/);
    await truncate(path, 150);
    await expect(source.readInto("q", new Float32Array(32))).rejects.toThrow(/truncated/);
    await source.close();
    await expect(openGguf(join(folder, "nowhere.gguf"))).rejects.toMatchObject({ code: "file/not-found" });
  });

  test("a folder that holds one says to name the file", async () => {
    const holder = await mkdtemp(join(folder, "holder-"));
    await writeFile(join(holder, "m.gguf"), good());
    await expect(openWeights(holder)).rejects.toMatchObject({
      code: "checkpoint/gguf",
      hint: expect.stringContaining(join(holder, "m.gguf")),
    });
  });
});
