import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { LabelRow } from "../../data/index.ts";
import { createJudge } from "./create-judge.ts";
import { readHumanLabels } from "./label-comparisons.ts";

const folder = mkdtempSync(join(tmpdir(), "spar-human-labels-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
const label = (over: Partial<LabelRow>): LabelRow => ({
  id: `l${++count}`,
  task: "t",
  annotator: "anna",
  prompt: "Q",
  candidates: [{ text: "x" }, { text: "y" }],
  choice: "a",
  order: [1, 0],
  milliseconds: 1,
  guidelines_version: 0,
  given: "2026-01-01T00:00:00.000Z",
  ...over,
});

test("a task's annotators come together; what was revised, undone, skipped or flagged does not count", () => {
  const wrong = label({ annotator: "bob", choice: "a" });
  const undone = label({ annotator: "cem" });
  const labels = [
    label({}),
    wrong,
    label({ annotator: "bob", choice: "b", revises: wrong.id }),
    undone,
    label({ annotator: "cem", choice: null, undoes: undone.id }),
    label({ annotator: "dora", choice: "both_bad" }),
    label({ annotator: "eve", choice: "skip" }),
    label({ annotator: "fay", choice: "flag" }),
  ];
  expect(readHumanLabels(labels)).toEqual({
    comparisons: [{ prompt: "Q", a: "x", b: "y", columns: { task: "t" }, labels: ["a", "b", "tie"], hasSides: true }],
    answers: [],
  });
});

test("labels.jsonl is a judge: by majority in either order, by ranking, and by grades", async () => {
  const path = join(folder, "labels.jsonl");
  const candidates = ["p", "q", "r"].map((text) => ({ text }));
  const shown = [0, 1, 2];
  const rows = [
    label({}),
    label({ annotator: "bob" }),
    label({ annotator: "cem", choice: "b" }),
    label({ task: "ranked", prompt: "R", candidates, order: shown, choice: null, ranking: [[2], [0, 1]] }),
    label({ task: "rated", prompt: "S", candidates, order: shown, choice: null, ratings: [4, 2, null], rating_max: 5 }),
  ];
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const judge = await createJudge(`human:${path}`);
  const ask = async (prompt: string, a: string, b: string) => (await judge.compare([{ prompt, a, b }]))[0].verdict;
  expect([
    await ask("Q", "x", "y"),
    await ask("Q", "y", "x"),
    await ask("R", "p", "r"),
    await ask("R", "p", "q"),
    await ask("S", "q", "p"),
  ]).toEqual(["a", "b", "b", "tie", "b"]);
  expect((await judge.grade([{ prompt: "S", answer: "p" }]))[0].score).toBe(4);
  writeFileSync(path, `${JSON.stringify(label({ choice: "skip" }))}\n`);
  await expect(createJudge(`human:${path}`)).rejects.toThrow("holds 1 labels, and none compares or rates an answer");
});
