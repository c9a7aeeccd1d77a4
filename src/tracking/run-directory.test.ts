import { appendFileSync, chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openRunDirectory, readRunRecord } from "./run-directory.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-folder-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (keepRows: boolean) =>
  openRunDirectory(join(folder, "a", "b"), { method: "ppo", version: "9.9.9", configYaml: "seed: 1\n", keepRows });
const path = (name: string): string => join(folder, "a", "b", name);
const lines = (name: string): string[] =>
  readFileSync(path(name), "utf8")
    .split("\n")
    .filter((line) => line !== "");

test("rows are in the files before close, and the record follows the run", async () => {
  const run = open(false);
  expect(readRunRecord(path(""))).toMatchObject({ status: "running", pid: process.pid, ended: null });
  run.metrics({ step: 1, epoch: 0.5, loss: 2, "objective/kl": Number.NaN });
  run.samples([{ step: 1, prompt: "p", completion: "c\n", scores: { rm: 1 } }]);
  run.event({ code: "checkpoint/saved", message: "saved", path: "x" });
  expect(lines("metrics.jsonl")).toEqual(['{"step":1,"epoch":0.5,"loss":2,"objective/kl":null}']);
  expect(lines("samples.jsonl")).toEqual(['{"step":1,"prompt":"p","completion":"c\\n","scores":{"rm":1}}']);
  expect(JSON.parse(lines("events.jsonl")[0]!)).toMatchObject({ code: "checkpoint/saved", level: "info", message: "saved", path: "x" });
  await new Promise((resolve) => setTimeout(resolve, 120));
  await run.close("failed", new Error("boom"));
  await run.close("finished");
  expect(lines("system.jsonl")).toHaveLength(1);
  expect(JSON.parse(lines("system.jsonl")[0]!)).toMatchObject({ step: 1, memory_mb: expect.any(Number), cpu_percent: expect.any(Number) });
  expect(readRunRecord(path(""))).toMatchObject({ status: "failed", error: { code: "internal/bug", message: "boom" } });
  expect(readFileSync(path("config.yaml"), "utf8")).toBe("seed: 1\n");
  expect(existsSync(path("run.json.tmp"))).toBe(false);
});

test("opening again keeps whole rows, cuts a torn end, and truncates by step", async () => {
  const run = open(false);
  for (const step of [1, 2, 3]) run.metrics({ step, loss: step });
  run.samples([{ step: 3, prompt: "", completion: "" }]);
  await run.close("stopped");
  appendFileSync(path("metrics.jsonl"), '{"step":4,"lo');
  appendFileSync(path("samples.jsonl"), '{"step":4,"prompt":"x"}\n{"torn\n');
  const again = open(true);
  expect(again.record.id).toBe(run.record.id);
  expect(lines("metrics.jsonl")).toHaveLength(3);
  expect(lines("samples.jsonl")).toHaveLength(2);
  again.truncateAfter(2);
  again.metrics({ step: 3, loss: 30 });
  again.samples([{ step: 3, prompt: "n", completion: "" }]);
  expect(lines("metrics.jsonl").map((line) => JSON.parse(line) as unknown)).toEqual([
    { step: 1, loss: 1 },
    { step: 2, loss: 2 },
    { step: 3, loss: 30 },
  ]);
  expect(lines("samples.jsonl")).toHaveLength(1);
  again.truncateAfter(0);
  expect(lines("metrics.jsonl")).toEqual([]);
  await again.close("finished");
  const fresh = open(false);
  expect(fresh.record.id).not.toBe(run.record.id);
  expect(lines("events.jsonl")).toEqual([]);
  await fresh.close("finished");
});

test("a folder without a record, or with a broken one, has none", () => {
  expect(readRunRecord(folder)).toBeUndefined();
  appendFileSync(join(folder, "run.json"), "{");
  expect(readRunRecord(folder)).toBeUndefined();
});

test("how a run ended is written even where the folder takes no new files any more", async (context) => {
  const isRoot = process.geteuid?.() === 0;
  if (process.platform === "win32") context.skip();
  // Root may write everywhere: be somebody else for a moment.
  if (isRoot) {
    chownSync(folder, 65534, 65534);
    process.seteuid!(65534);
  }
  try {
    const run = open(false);
    chmodSync(path(""), 0o555);
    await run.close("failed", new Error("boom"));
    expect(readRunRecord(path(""))).toMatchObject({ status: "failed", error: { message: "boom" } });
    chmodSync(path(""), 0o755);
  } finally {
    if (isRoot) process.seteuid!(0);
  }
});
