import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadTasks } from "./load-tasks.ts";
import { nameProject } from "./open-label-file.ts";
import { parseTaskRow } from "./task.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-tasks-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, rows: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"));
  return path;
}

test("all the forms of a task", () => {
  const messages = [{ role: "user", content: "Hi" }];
  expect(parseTaskRow({ id: 7, prompt: "Q", answer1: "x", answer2: "y" })).toEqual({
    id: "7",
    prompt: "Q",
    candidates: [{ text: "x" }, { text: "y" }],
  });
  expect(parseTaskRow({ pair_id: "p", prompt: messages, candidates: ["x", { text: "y", model: "m" }, "z"] })).toEqual({
    id: "p",
    prompt: messages,
    candidates: [{ text: "x" }, { text: "y", model: "m" }, { text: "z" }],
  });
  const chosen = [...messages, { role: "assistant", content: "Hello" }];
  expect(parseTaskRow({ id: "c", prompt: messages, chosen, rejected: "No", chosen_model: "sft" }).candidates).toEqual([
    { text: "Hello", model: "sft" },
    { text: "No" },
  ]);
  expect(parseTaskRow({ id: "l", prompt: "Q", a: "1", b: "2", labels: ["a"] }).candidates).toEqual([{ text: "1" }, { text: "2" }]);
  expect(parseTaskRow({ id: "m", prompt: "Q", answer1: "1", answer2: "2", model1: "m1", model2: "m2" }).candidates[1]).toEqual({
    text: "2",
    model: "m2",
  });
});

test("candidates.jsonl and judgements.jsonl of spar self-rewarding are tasks", () => {
  const answers = [
    { text: "x", tokens: 2 },
    { text: "y", tokens: 3, score: null, judgements: [null], retries: 1 },
  ];
  expect(parseTaskRow({ id: "s", prompt: "Q", answers }).candidates).toEqual([{ text: "x" }, { text: "y" }]);
  expect(() => parseTaskRow({ prompt: "Q", answers: answers.slice(1) })).toThrow("answers: at least two answers");
});

test("an id from the texts: the same in another order of rows and columns, another for other texts", () => {
  const { id } = parseTaskRow({ prompt: "Q", answer1: "x", answer2: "y" });
  expect(id).toMatch(/^[0-9a-f]{16}$/);
  expect(parseTaskRow({ answer2: "y", answer1: "x", prompt: "Q", source: "elsewhere" }).id).toBe(id);
  expect(parseTaskRow({ prompt: "Q", candidates: ["x", { text: "y", model: "m" }] }).id).toBe(id);
  expect(parseTaskRow({ prompt: "Q", answer1: "y", answer2: "x" }).id).not.toBe(id);
});

test("every bad row is named at once, with its line", async () => {
  const good = { id: "g", prompt: "Q", answer1: "x", answer2: "y" };
  const path = write("bad.jsonl", [
    good,
    { prompt: "Q", answer1: "x" },
    { prompt: "Q", candidates: ["only one"] },
    { prompt: 3, answer1: "x", answer2: "y" },
    { prompt: "Q", answer1: "x", answer2: "x" },
    { ...good, answer2: "z" },
    { prompt: "Q", text: "nothing to compare" },
    { id: {}, prompt: "Q", answer1: "x", answer2: "y" },
  ]);
  const failure = (await loadTasks(path).catch((error: unknown) => error)) as Error;
  expect(failure).toMatchObject({ code: "data/bad-rows" });
  expect(failure.message.split("\n")).toEqual([
    `reading tasks: 7 of 8 rows of ${path} cannot be used`,
    `  ${path}:2: expected answer2: a text or {text, model}; found nothing`,
    `  ${path}:3: expected candidates: at least two answers; found ["only one"]`,
    `  ${path}:4: expected prompt: text or messages {role, content}; found 3`,
    `  ${path}:5: all answers are the same text`,
    `  ${path}:6: the id "g" is that of another task, at ${path}:1`,
    `  ${path}:7: expected answers, found the columns prompt, text`,
    `  ${path}:8: expected id: a text or a number; found {}`,
  ]);
});

test("lines that are not JSON are named beside those without the columns, in the file's order", async () => {
  const path = join(folder, "mixed.jsonl");
  writeFileSync(path, '{"prompt":"Q"}\n{"prompt":\n{"prompt":"Q","answer1":"x","answer2":"y"}\n[1]\n{"prompt":"Q","answer1":"x"}\n');
  const failure = (await loadTasks(path).catch((error: unknown) => error)) as Error;
  expect(failure).toMatchObject({ code: "data/bad-rows" });
  expect(failure.message.split("\n")).toEqual([
    `reading tasks: 4 of 5 rows of ${path} cannot be used`,
    `  ${path}:1: expected answers, found the columns prompt`,
    expect.stringContaining(`  ${path}:2: `),
    expect.stringContaining(`  ${path}:4: expected a JSON object`),
    `  ${path}:5: expected answer2: a text or {text, model}; found nothing`,
  ]);
});

test("duplicates are counted, pairs have two answers, CSV holds lists as JSON", async () => {
  const row = { prompt: "Q", answer1: "x", answer2: "y" };
  expect(await loadTasks(write("twice.jsonl", [row, row, { ...row, prompt: "R" }]))).toMatchObject({
    duplicates: 1,
    tasks: [{ prompt: "Q" }, { prompt: "R" }],
  });
  const three = write("three.jsonl", [{ prompt: "Q", candidates: ["x", "y", "z"] }]);
  expect((await loadTasks(three)).tasks[0].candidates).toHaveLength(3);
  await expect(loadTasks(three, "pair")).rejects.toThrow("3 answers; pairs have two (--mode ranking or rating takes more)");
  const csv = write("tasks.csv", ["prompt,candidates", '"Q","[""x"", ""y"", ""z""]"']);
  expect((await loadTasks(csv)).tasks[0].candidates).toEqual([{ text: "x" }, { text: "y" }, { text: "z" }]);
  await expect(loadTasks(join(folder, "nothing.jsonl"))).rejects.toMatchObject({ code: "data/not-found" });
  await expect(loadTasks(write("empty.jsonl", []))).rejects.toMatchObject({ code: "data/empty" });
});

test("names in addresses", () => {
  expect(["My Tasks (2).jsonl", "ä.json", "pairs.v2.csv.gz"].map(nameProject)).toEqual(["my-tasks-2", "tasks", "pairs-v2"]);
});
