import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatBfloat16, formatHalf, parseHalf } from "./dtype.ts";
import { openSafetensors, writeSafetensors } from "./safetensors.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spar-safetensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

let count = 0;
/** A file with any header and any data bytes. */
async function writeRaw(header: unknown, data: Uint8Array = new Uint8Array(0), length?: bigint): Promise<string> {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  const path = join(folder, `raw-${count++}.safetensors`);
  await writeFile(path, bytes);
  return path;
}

async function read(path: string, name: string, length: number): Promise<number[]> {
  const source = await openSafetensors(path);
  try {
    const target = new Float32Array(length);
    await source.readInto(name, target, { allowNonFinite: true });
    return [...target];
  } finally {
    await source.close();
  }
}

describe("round trip", () => {
  // 0x80 and 2 begin a pickle, PK a zip.
  test.each([128, 384, 640, 0x4b50])("a header of %d bytes is no other format", async (length) => {
    const header = JSON.stringify({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4] } });
    const path = await writeRaw(header.padEnd(length), new Uint8Array(new Float32Array([3]).buffer));
    expect(await read(path, "a", 1)).toEqual([3]);
  });

  test.each(["F32", "F16", "BF16"] as const)("%s keeps what the type can hold", async (dtype) => {
    const path = join(folder, `round-${dtype}.safetensors`);
    const data = Float32Array.of(0, -0, 1, -1.5, 0.25, 240);
    await writeSafetensors(
      path,
      [
        { name: "b.weight", shape: [2, 3], data },
        { name: "a", shape: [], data: () => Float32Array.of(7) },
      ],
      { dtype },
    );
    const source = await openSafetensors(path);
    expect(source.names()).toEqual(["a", "b.weight"]);
    expect(source.info("b.weight")).toMatchObject({ dtype, shape: [2, 3] });
    expect(source.metadata).toEqual({ format: "pt" });
    const target = new Float32Array(6);
    await source.readInto("b.weight", target);
    expect(target).toEqual(data);
    await source.close();
  });

  test("more than one chunk, at a boundary", async () => {
    const path = join(folder, "chunks.safetensors");
    const n = (1 << 19) * 2 + 3;
    const data = Float32Array.from({ length: n }, (_, i) => i % 256);
    await writeSafetensors(path, [{ name: "x", shape: [n], data }], { dtype: "BF16" });
    expect(await read(path, "x", n)).toEqual([...data]);
  });

  test("bytes do not depend on the order given; the data starts at a multiple of 8", async () => {
    const a = { name: "a", shape: [1], data: Float32Array.of(1) };
    const b = { name: "10", shape: [1], data: Float32Array.of(2) };
    const [one, two] = [join(folder, "one.safetensors"), join(folder, "two.safetensors")];
    await writeSafetensors(one, [a, b]);
    await writeSafetensors(two, [b, a]);
    const bytes = await readFile(one);
    expect(bytes.equals(await readFile(two))).toBe(true);
    expect(Number(bytes.readBigUInt64LE(0)) % 8).toBe(0);
  });

  test("integers and booleans arrive as numbers", async () => {
    const data = new Uint8Array(8 + 4 + 2);
    const view = new DataView(data.buffer);
    view.setBigInt64(0, -5n, true);
    view.setInt32(8, 123456, true);
    data[13] = 3;
    const path = await writeRaw(
      {
        a: { dtype: "I64", shape: [1], data_offsets: [0, 8] },
        b: { dtype: "I32", shape: [1], data_offsets: [8, 12] },
        c: { dtype: "BOOL", shape: [2], data_offsets: [12, 14] },
      },
      data,
    );
    expect(await read(path, "a", 1)).toEqual([-5]);
    expect(await read(path, "b", 1)).toEqual([123456]);
    expect(await read(path, "c", 2)).toEqual([0, 1]);
  });

  test("empty tensors are fine", async () => {
    const path = join(folder, "empty-tensor.safetensors");
    await writeSafetensors(path, [{ name: "x", shape: [0, 3], data: new Float32Array(0) }]);
    expect(await read(path, "x", 0)).toEqual([]);
  });
});

describe("half precision", () => {
  test("every bit pattern survives", () => {
    for (let half = 0; half < 65536; half++) {
      const value = parseHalf(half);
      if (!Number.isNaN(value)) expect(formatHalf(value)).toBe(half);
    }
    expect(parseHalf(formatHalf(NaN))).toBeNaN();
  });

  test("rounds to the nearest, ties to even", () => {
    expect(parseHalf(formatHalf(2049))).toBe(2048);
    expect(parseHalf(formatHalf(2051))).toBe(2052);
    expect(formatHalf(65519)).toBe(0x7bff);
    expect(formatHalf(65520)).toBe(0x7c00);
    expect(formatHalf(2 ** -25)).toBe(0);
    expect(formatHalf(2 ** -25 * 1.0001)).toBe(1);
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -60000, max: 60000 }), (x) => {
        const half = formatHalf(x);
        const error = Math.abs(parseHalf(half) - x);
        for (const near of [half - 1, half + 1])
          if ((near & 0x7c00) !== 0x7c00 && (near & 0x7fff) !== 0x7fff && near >= 0)
            expect(error).toBeLessThanOrEqual(Math.abs(parseHalf(near) - x) + 1e-12);
      }),
    );
  });

  test("bfloat16 rounds ties to even and keeps NaN", () => {
    expect(formatBfloat16(1)).toBe(0x3f80);
    expect(formatBfloat16(1 + 2 ** -8)).toBe(0x3f80);
    expect(formatBfloat16(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(formatBfloat16(NaN) & 0x7fff).toBeGreaterThan(0x7f80);
  });
});

describe("hostile and damaged files", () => {
  const entry = (begin: number, end: number, shape = [(end - begin) / 4], dtype = "F32") => ({ dtype, shape, data_offsets: [begin, end] });
  const cases: [string, () => Promise<string>, RegExp][] = [
    ["a header of 10^18 bytes", () => writeRaw({}, undefined, 10n ** 18n), /claims 1000000000000000000 bytes, more than/],
    ["a header beyond the file", () => writeRaw({}, undefined, 500n), /claims 500 bytes, but the file ends/],
    ["an empty file", async () => (await writeFile(join(folder, "zero"), ""), join(folder, "zero")), /empty/],
    ["no JSON", () => writeRaw("{nonsense"), /not valid JSON/],
    [
      "invalid UTF-8",
      async () => {
        const p = await writeRaw('{"a":"xx"}');
        const b = await readFile(p);
        b[13] = 0xff;
        await writeFile(p, b);
        return p;
      },
      /not valid JSON/,
    ],
    ["a list", () => writeRaw("[1]"), /not a JSON object/],
    ["overlapping tensors", () => writeRaw({ a: entry(0, 8), b: entry(4, 12) }, new Uint8Array(12)), /"b": its data overlaps that of "a"/],
    ["the same bytes twice", () => writeRaw({ a: entry(0, 8), b: entry(0, 8) }, new Uint8Array(8)), /overlaps/],
    ["a hole", () => writeRaw({ a: entry(4, 8) }, new Uint8Array(8)), /belong to no tensor/],
    ["bytes after the end", () => writeRaw({ a: entry(0, 4) }, new Uint8Array(8)), /4 bytes after the last tensor/],
    ["offsets beyond the file", () => writeRaw({ a: entry(0, 16) }, new Uint8Array(8)), /"a": its data ends at byte 16.*truncated/],
    [
      "a wrong shape",
      () => writeRaw({ a: entry(0, 8, [3]) }, new Uint8Array(8)),
      /shape \[3\] of F32 needs 12 bytes, but data_offsets span 8/,
    ],
    ["a shape that overflows", () => writeRaw({ a: entry(0, 0, [2 ** 40, 2 ** 40]) }), /shape/],
    ["a negative shape", () => writeRaw({ a: entry(0, 8, [-2]) }, new Uint8Array(8)), /non-negative/],
    ["a fractional offset", () => writeRaw({ a: entry(0, 0.5, [0]) }, new Uint8Array(8)), /non-negative integers/],
    ["reversed offsets", () => writeRaw({ a: entry(8, 4, [1]) }, new Uint8Array(8)), /begin \(8\) after/],
    ["an unknown dtype", () => writeRaw({ a: entry(0, 4, [1], "F8_E4M3") }, new Uint8Array(4)), /"a": unknown dtype "F8_E4M3"/],
    [
      "a name twice",
      () =>
        writeRaw(
          '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
          new Uint8Array(4),
        ),
      /"a": the name appears twice/,
    ],
    [
      "a pickle",
      async () => (await writeFile(join(folder, "p"), Buffer.from([0x80, 2, 0x8a, 10, 0, 0, 0, 0, 0])), join(folder, "p")),
      /pickle/,
    ],
    [
      "a Git LFS pointer",
      async () => (await writeFile(join(folder, "l"), "version https://git-lfs.github.com/spec/v1\n"), join(folder, "l")),
      /Git LFS pointer/,
    ],
    ["a zip", async () => (await writeFile(join(folder, "z"), Buffer.from("PK\x03\x04aaaaaaaa")), join(folder, "z")), /zip/],
  ];
  test.each(cases)("%s", async (_, make, message) => {
    const path = await make();
    const error = await openSafetensors(path).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "checkpoint/malformed", message: expect.stringMatching(message), hint: expect.any(String) });
    expect((error as Error).message).toContain(path);
  });

  test("a file cut off after it was opened", async () => {
    const path = join(folder, "cut.safetensors");
    await writeSafetensors(path, [{ name: "x", shape: [100], data: new Float32Array(100) }]);
    const source = await openSafetensors(path);
    await truncate(path, 200);
    await expect(source.readInto("x", new Float32Array(100))).rejects.toThrow(/truncated/);
    await source.close();
  });

  test("a file that is not there", async () => {
    await expect(openSafetensors(join(folder, "nowhere"))).rejects.toMatchObject({ code: "file/not-found" });
  });

  test.each([NaN, Infinity, -Infinity])("a weight that is %s is refused by name, unless asked for", async (bad) => {
    const path = join(folder, "nan.safetensors");
    for (const dtype of ["F32", "BF16"] as const) {
      await writeSafetensors(path, [{ name: "h.0.w", shape: [3], data: Float32Array.of(1, bad, 2) }], { dtype });
      const source = await openSafetensors(path);
      await expect(source.readInto("h.0.w", new Float32Array(3))).rejects.toThrow(/"h.0.w" holds (NaN|-?Infinity) at element 1/);
      const target = new Float32Array(3);
      await source.readInto("h.0.w", target, { allowNonFinite: true });
      expect(target[1]).toBe(bad);
      await source.close();
    }
  });

  test("wrong sizes and names in calls", async () => {
    const path = join(folder, "calls.safetensors");
    await writeSafetensors(path, [{ name: "x", shape: [2], data: new Float32Array(2) }]);
    const source = await openSafetensors(path);
    await expect(source.readInto("x", new Float32Array(3))).rejects.toMatchObject({ code: "checkpoint/shape-mismatch" });
    await expect(source.readInto("y", new Float32Array(2))).rejects.toMatchObject({ code: "checkpoint/missing-tensor" });
    expect(() => source.info("y")).toThrow(/no tensor "y"/);
    await source.close();
    const twice = [1, 2].map(() => ({ name: "x", shape: [1], data: new Float32Array(1) }));
    await expect(writeSafetensors(join(folder, "twice"), twice)).rejects.toMatchObject({ code: "checkpoint/duplicate-tensor" });
    await expect(writeSafetensors(join(folder, "short"), [{ name: "x", shape: [2], data: new Float32Array(1) }])).rejects.toMatchObject({
      code: "checkpoint/shape-mismatch",
    });
  });
});
