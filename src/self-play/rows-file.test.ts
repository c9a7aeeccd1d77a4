import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { judgedShapes } from "./row-shapes.ts";
import { trainingShapes, watchedShapes } from "./row-shapes.ts";
import { produceRows, readRows, readSummary } from "./rows-file.ts";

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

test("what was edited into another shape is named by its file, line and column", async () => {
  const good = { text: "x", tokens: 1, score: 1, judgements: [1, null], retries: 0 };
  const tell = async (row: object): Promise<string> => {
    writeFileSync(path, [{ prompt: "q", answers: [good] }, row].map((line) => `${JSON.stringify(line)}\n`).join(""));
    const error: unknown = await readRows<{ prompt: string; answers: object[] }>(path, ["prompt", "answers"], judgedShapes).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: "self-play/bad-rows" });
    return (error as Error).message.replace(`${path}:2: `, "");
  };
  const expected = "{text, tokens, score, judgements, retries}";
  expect(await tell({ prompt: "q", answers: "no" })).toBe(`answers: expected a list of ${expected}, got "no"`);
  expect(await tell({ prompt: "q", answers: [good, "no"] })).toBe(`answers[1]: expected ${expected}, got "no"`);
  expect(await tell({ prompt: "q", answers: [{ text: "x", tokens: 1, score: 1 }] })).toBe(
    "answers[0].judgements: expected a list of numbers or nulls, got nothing",
  );
  expect(await tell({ prompt: "q", answers: [{ ...good, score: "5" }] })).toBe('answers[0].score: expected a number or null, got "5"');
  expect(await tell({ prompt: "q", answers: [{ ...good, text: null }] })).toBe("answers[0].text: expected a text, got null");
  expect(await tell({ prompt: 3, answers: [good] })).toContain("prompt: expected a text or messages");
  expect(await tell({ prompt: [{ role: "user" }], answers: [good] })).toContain("prompt: expected a text or messages");
  writeFileSync(path, '{"prompt": [{"role": "user", "content": "q"}], "answer": ["a"]}\n');
  await expect(readRows<{ prompt: object }>(path, ["prompt"])).resolves.toHaveLength(1);
  await expect(readRows<{ prompt: object; answer: string }>(path, ["prompt", "answer"])).rejects.toThrow(
    `${path}:1: answer: expected a text, got ["a"]`,
  );
});

test("a summary that was edited into another shape is named", async () => {
  writeFileSync(path, '{"pairs": 3, "ties": null}');
  await expect(readSummary(path, {})).resolves.toEqual({ pairs: 3, ties: null });
  await expect(readSummary(path, trainingShapes)).rejects.toThrow(`${path}: steps: expected a number from 0, got nothing`);
  const watched = { mean_length: 12.5, distinct_2: 0.9, outside_score: null, win_rate: 0.5, win_interval: [0.4, 0.6] };
  const tell = (change: object): Promise<unknown> => {
    writeFileSync(path, JSON.stringify({ ...watched, ...change }));
    return readSummary(path, watchedShapes).catch((error: Error) => error.message.replace(`${path}: `, ""));
  };
  expect(await tell({})).toEqual(watched);
  expect(await tell({ mean_length: null })).toBe("mean_length: expected a number from 0, got null");
  expect(await tell({ win_interval: 0.4 })).toBe("win_interval: expected [low, high] or null, got 0.4");
  for (const broken of ["3 pairs", "[]", '{"mean_length": 12.', ""]) {
    writeFileSync(path, broken);
    await expect(readSummary(path, watchedShapes)).rejects.toMatchObject({
      code: "self-play/bad-rows",
      message: `${path}: expected {mean_length, distinct_2, outside_score, win_rate, win_interval}, got no JSON object`,
    });
  }
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
