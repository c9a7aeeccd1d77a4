import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { loadDataset } from "../dataset.ts";
import { detectFormat } from "../formats/detect-format.ts";
import { groupCurrentLabels } from "./current-labels.ts";
import { makeLabelPairs } from "./label-pairs.ts";
import { type LabelRow, parseLabelRow } from "./label-row.ts";

const folder = mkdtempSync(join(tmpdir(), "spar-label-pairs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
const label = (over: Partial<LabelRow> = {}): LabelRow => ({
  id: `l${++count}`,
  task: "t",
  annotator: `annotator ${count}`,
  prompt: "Q",
  candidates: [{ text: "x", model: "m1" }, { text: "y" }],
  choice: "a",
  order: [1, 0],
  milliseconds: 1,
  guidelines_version: 0,
  given: "2026-01-01T00:00:00.000Z",
  ...over,
});

const shortly = (labels: readonly LabelRow[], options = {}): string[] =>
  makeLabelPairs(labels, options).map(({ chosen, rejected, votes }) => `${String(chosen)}>${String(rejected)} ${votes.join(":")}`);

test("one choice is one row in TRL's columns", () => {
  expect(makeLabelPairs([label()])).toEqual([
    { prompt: "Q", chosen: "x", rejected: "y", task: "t", chosen_model: "m1", votes: [1, 0], source: "label" },
  ]);
  const prompt = [{ role: "user", content: "Q" }];
  expect(makeLabelPairs([label({ prompt, choice: "b" })])[0]).toMatchObject({
    prompt,
    chosen: [{ role: "assistant", content: "y" }],
    rejected: [{ role: "assistant", content: "x" }],
    rejected_model: "m1",
  });
});

test("ties, both bad, skips and flags make none, and answers that are the same make none", () => {
  for (const choice of ["tie", "both_bad", "skip", "flag"] as const) expect(makeLabelPairs([label({ choice })])).toEqual([]);
  expect(makeLabelPairs([label({ candidates: [{ text: "x" }, { text: "x" }] })])).toEqual([]);
});

test("several annotators: the majority, against the others and against those who see no difference", () => {
  const of = (...choices: LabelRow["choice"][]): string[] => shortly(choices.map((choice) => label({ choice })));
  expect(of("a", "b", "a")).toEqual(["x>y 2:1"]);
  expect(of("a", "b")).toEqual([]);
  expect(of("b", "tie", "skip")).toEqual([]);
  expect(of("b", "b", "tie")).toEqual(["y>x 2:1"]);
  expect(shortly([label({ choice: "a" }), label({ choice: "b" })], { rows: "each" })).toEqual(["x>y 1:0", "y>x 1:0"]);
});

test("what was revised or taken back does not count", () => {
  const first = label({ annotator: "anna" });
  const second = label({ annotator: "anna", choice: "b", revises: first.id });
  const undo = label({ annotator: "anna", choice: null, undoes: second.id });
  expect(shortly([first, second])).toEqual(["y>x 1:0"]);
  expect(shortly([first, second, undo])).toEqual([]);
  // Put together by hand: the later one.
  expect(groupCurrentLabels([first, label({ annotator: "anna", choice: "b" })]).map((given) => given.map(({ choice }) => choice))).toEqual([
    ["b"],
  ]);
});

test("a task whose texts changed is another task", () => {
  expect(shortly([label(), label({ candidates: [{ text: "x" }, { text: "new" }], choice: "b" })])).toEqual(["x>y 1:0", "new>x 1:0"]);
});

test("rankings: all comparisons, or neighbours; ratings: by their difference", () => {
  const candidates = ["p", "q", "r", "s"].map((text) => ({ text }));
  const ranked = label({ candidates, order: [0, 1, 2, 3], choice: null, ranking: [[2], [0, 1], [3]] });
  expect(shortly([ranked])).toEqual(["r>p 1:0", "p>s 1:0", "r>q 1:0", "q>s 1:0", "r>s 1:0"]);
  expect(shortly([ranked], { rankedPairs: "adjacent" })).toEqual(["r>p 1:0", "p>s 1:0", "r>q 1:0", "q>s 1:0"]);
  const rated = label({ candidates, order: [0, 1, 2, 3], choice: null, ratings: [5, 3, null, 3], rating_max: 5 });
  expect(makeLabelPairs([rated]).map(({ chosen, rejected, margin }) => [chosen, rejected, margin])).toEqual([
    ["p", "q", 0.5],
    ["p", "s", 0.5],
  ]);
});

test("strength is the margin of all rows as soon as one has it", () => {
  expect(makeLabelPairs([label({ strength: 3 }), label({ task: "u" })]).map(({ margin }) => margin)).toEqual([1, 0]);
  expect(makeLabelPairs([label({ strength: 1 }), label({ strength: 2 }), label({ choice: "b", strength: 3 })])[0].margin).toBe(0.5);
  expect(makeLabelPairs([label()])[0]).not.toHaveProperty("margin");
});

test("an edit is chosen over the answer as it was", () => {
  const edited = label({ choice: "both_bad", edit: { candidate: 1, text: "better" } });
  expect(makeLabelPairs([edited])).toMatchObject([{ chosen: "better", rejected: "y", source: "edit" }]);
  expect(shortly([label({ edit: { candidate: 0, text: "x!" } }), label({ edit: { candidate: 0, text: "x?" } })])).toEqual([
    "x>y 2:0",
    "x!>x 1:0",
    "x?>x 1:0",
  ]);
  expect(makeLabelPairs([label({ choice: "skip", edit: { candidate: 1, text: "better" } })])).toEqual([]);
});

test("labels.jsonl is a data set of pairs: for spar reward, dpo and prompts of ppo", async () => {
  const path = join(folder, "labels.jsonl");
  const first = label({ annotator: "anna" });
  const rows = [first, label({ task: "tie", choice: "tie" }), label({ annotator: "anna", revises: first.id, choice: "b", strength: 3 })];
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const dataset = await loadDataset({ path: "json", data_files: path });
  expect(dataset.count).toBe(1);
  const row = await dataset.read(0);
  const { name, convert } = detectFormat(row, "preference", { hasChatTemplate: false });
  expect([name, convert(row)]).toEqual(["preference", { kind: "preference", prompt: "Q", chosen: "y", rejected: "x", margin: 1 }]);
  expect(detectFormat(row, "prompt", { hasChatTemplate: false }).convert(row)).toEqual({ kind: "prompt", prompt: "Q" });
  await dataset.close();
  writeFileSync(path, `${JSON.stringify(label({ choice: "tie" }))}\n`);
  await expect(loadDataset({ path: "json", data_files: path })).rejects.toThrow(
    `none of the 1 labels in ${path} prefers one answer to another`,
  );
  writeFileSync(path, `${JSON.stringify(label())}\n${JSON.stringify({ ...label(), order: [0] })}\n`);
  await expect(loadDataset({ path: "json", data_files: path })).rejects.toThrow(
    `${path}:2: expected order: each of 0 to 1 once; found [0]`,
  );
});

test("a row is read as it was written, whatever its texts", () => {
  const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(text, text, fc.string(), (one, other, comment) => {
      const row = label({ candidates: [{ text: one }, { text: other }], comment, choice: null, ranking: [[0, 1]] });
      expect(parseLabelRow(JSON.parse(JSON.stringify(row)) as Record<string, unknown>)).toEqual(row);
    }),
    { numRuns: 20 },
  );
});
