import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { produceRows, readRows } from "./rows-file.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-rows-"));
  path = join(folder, "rows.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a bad line is named, with what is missing", async () => {
  writeFileSync(path, '{"a": 1}\n\n{"b": 2}\n');
  await expect(readRows<{ a: number }>(path, ["a"])).rejects.toThrow(`${path}:3: expected {a}, got {b}`);
  writeFileSync(path, '{"a": 1}\nnot json\n');
  await expect(readRows<{ a: number }>(path, ["a"])).rejects.toThrow(`${path}:2: expected {a}, got no JSON object`);
  await expect(readRows(join(folder, "none.jsonl"), [])).rejects.toMatchObject({ code: "self-play/bad-rows" });
});

test("a file made in two goes is the one made in one, and done parts are not made again", async () => {
  const items = Array.from({ length: 10 }, (_, i) => i);
  const make = async (options: { resume: boolean; failAt?: number; part?: string }): Promise<number[]> => {
    const made: number[] = [];
    await produceRows({
      path,
      items,
      partSize: 3,
      resume: options.resume,
      signal: new AbortController().signal,
      async produce(part, first) {
        if (options.failAt !== undefined && first >= options.failAt) throw new Error("killed");
        made.push(...part);
        return part.map((item) => ({ item, first }));
      },
    });
    return made;
  };
  expect(await make({ resume: false })).toEqual(items);
  const whole = readFileSync(path, "utf8");
  rmSync(path);

  await expect(make({ resume: false, failAt: 6 })).rejects.toThrow("killed");
  expect(existsSync(path)).toBe(false);
  // A line that was cut by the crash goes, and with it the part that it was in.
  appendFileSync(`${path}.part`, '{"item":6,"first":6}\n{"item":7,"fi');
  expect(await make({ resume: true })).toEqual([6, 7, 8, 9]);
  expect(readFileSync(path, "utf8")).toBe(whole);
  expect(existsSync(`${path}.part`)).toBe(false);
});

test("rows left out are counted as done where a run goes on, and are not in the file", async () => {
  const make = (resume: boolean, failAt = Infinity): Promise<number> =>
    produceRows({
      path,
      items: [0, 1, 2, 3, 4],
      partSize: 2,
      resume,
      signal: new AbortController().signal,
      async produce(part, first) {
        if (first >= failAt) throw new Error("killed");
        return part.map((item) => ({ item }));
      },
      keep: ({ item }) => item !== 1 && item !== 4,
    });
  await expect(make(false, 2)).rejects.toThrow("killed");
  expect(await make(true)).toBe(3);
  expect((await readRows<{ item: number }>(path, ["item"])).map(({ item }) => item)).toEqual([0, 2, 3]);
  expect(existsSync(`${path}.part`)).toBe(false);
});
