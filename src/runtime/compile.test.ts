import { describe, expect, test } from "vitest";
import type { Executable } from "./backend.ts";
import { bucketLength, bucketRows } from "./buckets.ts";
import { createSessionCache } from "./compile.ts";

/** Executables that write down what happens to them. */
function createLog(): { made: string[]; released: string[]; create: (key: string) => () => Promise<Executable> } {
  const made: string[] = [];
  const released: string[] = [];
  const create = (key: string) => async (): Promise<Executable> => {
    made.push(key);
    return { run: async () => undefined, release: () => void released.push(key) };
  };
  return { made, released, create };
}
const nothing = async (): Promise<void> => undefined;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("session cache", () => {
  test("keeps what was used last", async () => {
    const { made, released, create } = createLog();
    const cache = createSessionCache(2);
    for (const key of ["a", "b", "a", "c", "a", "b"]) await cache.use(key, create(key), nothing);
    await settle();
    expect(made).toEqual(["a", "b", "c", "b"]);
    expect(released).toEqual(["b", "c"]);
    expect(cache.size).toBe(2);
    cache.clear();
    await settle();
    expect(released).toEqual(["b", "c", "a", "b"]);
  });

  test("never gives back what is in use, made once for all who ask", async () => {
    const { made, released, create } = createLog();
    const cache = createSessionCache(1);
    let finish = (): void => undefined;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    const long = [
      cache.use("a", create("a"), () => gate),
      cache.use("a", create("a"), () => gate),
      cache.use("b", create("b"), () => gate),
    ];
    await cache.use("c", create("c"), nothing);
    await settle();
    expect(made).toEqual(["a", "b", "c"]);
    expect(released).toEqual(["c"]);
    cache.clear();
    expect(released).toEqual(["c"]);
    finish();
    await Promise.all(long);
    await settle();
    expect(released.toSorted()).toEqual(["a", "b", "c"]);
  });

  test("a failure is passed on and not remembered; a failing body keeps the session", async () => {
    const { made, released, create } = createLog();
    const cache = createSessionCache(1);
    await expect(cache.use("a", () => Promise.reject(new Error("no")), nothing)).rejects.toThrow("no");
    await expect(cache.use("a", create("a"), () => Promise.reject(new Error("body")))).rejects.toThrow("body");
    await expect(cache.use("a", create("a"), async () => 7)).resolves.toBe(7);
    expect(made).toEqual(["a"]);
    expect(released).toEqual([]);
  });
});

describe("buckets", () => {
  test("lengths: few, never shorter, at most an eighth longer beyond 64", () => {
    const seen = new Set<number>();
    for (let n = 1; n <= 2048; n++) {
      const bucket = bucketLength(n);
      expect(bucket).toBeGreaterThanOrEqual(n);
      expect(bucketLength(bucket)).toBe(bucket);
      if (n > 64) expect(bucket).toBeLessThanOrEqual(n * 1.125);
      else expect(bucket - n).toBeLessThan(8);
      seen.add(bucket);
    }
    expect(seen.size).toBeLessThanOrEqual(48);
    expect([1, 8, 9, 64, 65, 129, 257, 600, 1025].map((n) => bucketLength(n))).toEqual([8, 8, 16, 64, 72, 144, 288, 640, 1152]);
  });

  test("a model's positions are the limit", () => {
    expect(bucketLength(1020, 1024)).toBe(1024);
    expect(bucketLength(1000, 1010)).toBe(1010);
    expect(bucketLength(1020, 1000)).toBe(1020);
  });

  test("rows", () => {
    expect([0, 1, 3, 5, 8, 9, 17].map((n) => bucketRows(n))).toEqual([1, 1, 4, 8, 8, 16, 24]);
    expect(bucketRows(5, 6)).toBe(6);
  });
});
