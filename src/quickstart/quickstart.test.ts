/** The whole loop on a model that knows nothing of reviews: what is made, not how good it is. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFanOut } from "../tracking/index.ts";
import { runQuickstart, type QuickstartResult } from "./quickstart.ts";
import type { QuickstartOptions } from "./stages.ts";

const model = fileURLToPath(new URL("../../test/fixtures/parity/models/stories260K", import.meta.url));
const flags = {
  reward: ["--max_steps", "3", "--per_device_train_batch_size", "8"],
  ppo: ["--total_episodes", "32", "--per_device_train_batch_size", "4", "--num_mini_batches", "4", "--response_length", "8"],
};

let folder: string;
const run = (name: string, options: Partial<QuickstartOptions> = {}): Promise<QuickstartResult> =>
  runQuickstart({
    seed: 1,
    outputDir: join(folder, name),
    version: "0.0.0",
    signal: new AbortController().signal,
    model,
    flags,
    ...options,
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spar-quickstart-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("runQuickstart", () => {
  it("leaves the three reports, two runs and their data", { timeout: 240_000 }, async () => {
    const stages: string[] = [];
    const { report, files } = await run("first", { openStage: () => createFanOut([]), closeStage: (stage) => stages.push(stage) });
    expect(stages).toEqual(["model", "reward_model", "ppo", "report"]);
    expect((await readdir(join(folder, "first"))).sort()).toEqual(
      [
        "config.yaml",
        "data",
        "events.jsonl",
        "metrics.jsonl",
        "ppo",
        "report.html",
        "report.json",
        "report.md",
        "reward",
        "run.json",
        "samples.jsonl",
        "system.jsonl",
      ].sort(),
    );
    expect(JSON.parse(await readFile(files.json, "utf8"))).toEqual(report);

    const sides = ["mean_score", "outside_positive_share", "outside_interval", "perplexity", "mean_length", "distinct_2"];
    expect(Object.keys(report.before)).toEqual(sides);
    expect(Object.keys(report.after)).toEqual([...sides, "kl"]);
    for (const side of [report.before, report.after]) {
      expect([side.mean_score, side.perplexity, side.mean_length].every(Number.isFinite)).toBe(true);
      expect(side.perplexity).toBeGreaterThan(1);
      const [low, high] = side.outside_interval;
      expect(low <= side.outside_positive_share && side.outside_positive_share <= high).toBe(true);
    }
    expect(report.seconds).toBeCloseTo(
      report.stages.reduce((sum, stage) => sum + stage.seconds, 0),
      1,
    );
    expect(report.reward_model.heldout_pairs).toBeGreaterThan(200);
    expect(report.reward_model.heldout_accuracy).toBeGreaterThan(0);
    expect(report.samples.length).toBeGreaterThan(0);
    expect(report.samples.every((sample) => sample.before !== sample.after)).toBe(true);

    const rows = (await readFile(join(folder, "first", "samples.jsonl"), "utf8")).trim().split("\n");
    expect(rows.length).toBe(512);
    const known = new Set(
      (await readFile(join(folder, "first", "data", "openings", "train.jsonl"), "utf8"))
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { prompt: string }).prompt),
    );
    expect(known.size).toBe(768);
    for (const row of rows) expect(known.has((JSON.parse(row) as { prompt: string }).prompt)).toBe(false);
    const record = JSON.parse(await readFile(join(folder, "first", "run.json"), "utf8")) as { status: string; id: string };
    expect(record.status).toBe("finished");
    expect(JSON.parse(await readFile(join(folder, "first", "ppo", "run.json"), "utf8"))).toMatchObject({
      status: "finished",
      parent: record.id,
    });
  });

  it("writes into no folder that holds something", async () => {
    const { mkdir } = await import("node:fs/promises");
    await mkdir(join(folder, "full"));
    await writeFile(join(folder, "full", "mine.txt"), "mine");
    await expect(run("full")).rejects.toMatchObject({ code: "run/folder-not-empty" });
    expect(await readdir(join(folder, "full"))).toEqual(["mine.txt"]);
  });

  it("says where it was stopped, and records it", async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(run("stopped", { signal: controller.signal })).rejects.toMatchObject({ code: "run/interrupted" });
    expect(JSON.parse(await readFile(join(folder, "stopped", "run.json"), "utf8"))).toMatchObject({ status: "stopped", error: null });
  });

  it("names a model folder that is not there", async () => {
    await expect(run("nothing", { model: join(folder, "no-such-model") })).rejects.toMatchObject({ name: "SparError" });
    expect(JSON.parse(await readFile(join(folder, "nothing", "run.json"), "utf8"))).toMatchObject({ status: "failed" });
  });
});
