import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openRunDirectory } from "../tracking/index.ts";
import { createRowReporter, type RowReporter } from "./report-rows.ts";

let root: string;
let cuts: number[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "spar-rows-"));
  cuts = [];
});
afterEach(() => rmSync(root, { recursive: true }));

async function go(resume: boolean, body: (reporter: RowReporter) => void): Promise<void> {
  const directory = openRunDirectory(root, { method: "spin", version: "0", configYaml: "", keepRows: resume });
  const resumedAt = (step: number): void => {
    cuts.push(step);
    directory.truncateAfter(step);
  };
  body(createRowReporter({ root, context: { tracker: directory, resume, resumedAt } }));
  await directory.close("finished");
}
const tell = ({ report }: RowReporter, step: number, value = step): void =>
  report({ step, value }, [{ step, prompt: "p", completion: `c${value}` }]);
const rows = (name: "metrics" | "samples"): unknown[][] =>
  readFileSync(join(root, `${name}.jsonl`), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { step: number; value?: number; completion?: string })
    .map(({ step, value, completion }) => [step, value ?? completion]);

test("a run that goes on writes no row twice, cuts back where it begins anew, and does so once", async () => {
  await go(false, (reporter) => [1, 2].forEach((step) => tell(reporter, step)));
  await go(true, (reporter) => {
    tell(reporter, 1);
    tell(reporter, 2);
    reporter.startNew();
    reporter.startNew();
    tell(reporter, 3);
    reporter.finish();
  });
  expect(cuts).toEqual([2]);
  expect(rows("metrics")).toEqual([1, 2, 3].map((step) => [step, step]));
  expect(rows("samples")).toEqual([1, 2, 3].map((step) => [step, `c${step}`]));
  // Nothing to do: nothing is written.
  await go(true, (reporter) => {
    [1, 2, 3].forEach((step) => tell(reporter, step));
    reporter.finish();
  });
  expect(cuts).toEqual([2]);
  expect(rows("samples")).toHaveLength(3);
});

test("a model made anew replaces its rows and those after it", async () => {
  await go(false, (reporter) => [1, 2, 3].forEach((step) => tell(reporter, step)));
  await go(true, (reporter) => {
    tell(reporter, 1);
    reporter.startNew();
    tell(reporter, 2, 20);
    tell(reporter, 3, 30);
  });
  expect(cuts).toEqual([1]);
  expect(rows("metrics")).toEqual([
    [1, 1],
    [2, 20],
    [3, 30],
  ]);
});

test("so do an edited figure, a row that is missing, and a shorter run", async () => {
  await go(false, (reporter) => [1, 2, 3].forEach((step) => tell(reporter, step)));
  await go(true, (reporter) => [1, 20, 3, 4].forEach((value, i) => tell(reporter, i + 1, value)));
  expect(cuts).toEqual([1]);
  expect(rows("metrics").map(([, value]) => value)).toEqual([1, 20, 3, 4]);
  await go(true, (reporter) => {
    tell(reporter, 1);
    reporter.finish();
  });
  expect(cuts).toEqual([1, 1]);
  expect(rows("metrics")).toEqual([[1, 1]]);
});

test("rows that an earlier version wrote twice are written anew", async () => {
  await go(false, (reporter) => [1, 2, 1, 2].forEach((step) => tell(reporter, step)));
  await go(true, (reporter) => [1, 2].forEach((step) => tell(reporter, step)));
  expect(cuts).toEqual([0]);
  expect(rows("samples")).toEqual([
    [1, "c1"],
    [2, "c2"],
  ]);
});
