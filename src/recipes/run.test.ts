import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { InterruptedError, SparError } from "../internal/errors.ts";
import type { RunEvent, Tracker } from "../tracking/index.ts";
import type { TrainingContext } from "../trainers/configs.ts";
import { parseRecipe } from "./load.ts";
import { runRecipe, type RunRecipeOptions } from "./run.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-run-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (name: string): string => readFileSync(join(folder, "out", name), "utf8");
const rows = (name: string): { [key: string]: unknown }[] =>
  read(name)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { [key: string]: unknown });

function makeRecipe(...flags: string[]) {
  return parseRecipe({
    method: "sft",
    flags: ["--model-name-or-path", "m", "--dataset-name", "d", "--output-dir", join(folder, "out"), ...flags],
  });
}

function collect(): { events: RunEvent[]; tracker: Tracker } {
  const events: RunEvent[] = [];
  return { events, tracker: { metrics() {}, samples() {}, event: (event) => void events.push(event), progress() {}, async close() {} } };
}

/** Logs a row a step from `start` on, and one before the first, as a training does. */
function trainFrom(start: number, end: number, status: "finished" | "stopped" = "finished"): NonNullable<RunRecipeOptions["train"]> {
  return async (recipe, context: TrainingContext) => {
    if (context.resume !== false) context.resumedAt?.(start === 0 ? -1 : start);
    if (start === 0) context.tracker.metrics({ step: 0, eval_loss: 1 });
    for (let step = start + 1; step <= end; step++) context.tracker.metrics({ step, loss: 1 / step });
    return { status, steps: end, outputDir: recipe.config.output_dir, metrics: { loss: 1 / end } };
  };
}

const options = { version: "1.2.3", signal: new AbortController().signal };

test("a run leaves its files, and gives the folder back", async () => {
  const recipe = await makeRecipe("--bf16", "--report_to", "tensorboard", "comet_ml");
  const outcome = await runRecipe(recipe, { ...options, train: trainFrom(0, 3) });
  expect(outcome).toMatchObject({ status: "finished", steps: 3 });
  expect(JSON.parse(read("run.json"))).toMatchObject({
    schema_version: 1,
    method: "sft",
    status: "finished",
    pid: process.pid,
    spar: "1.2.3",
    error: null,
    parent: null,
  });
  expect(rows("metrics.jsonl").map((row) => row["step"])).toEqual([0, 1, 2, 3]);
  expect(rows("events.jsonl").map((row) => row["code"])).toEqual(["recipe/keys-ignored", "tracking/not-available"]);
  expect(read("config.yaml")).toBe(recipe.yamlText);
  expect(readdirSync(join(folder, "out", "runs"))).toHaveLength(1);
  expect(readdirSync(join(folder, "out")).filter((name) => name.startsWith("."))).toEqual([]);
});

test("a folder that is not empty is only touched when asked to", async () => {
  await runRecipe(await makeRecipe(), { ...options, train: trainFrom(0, 2) });
  const before = read("metrics.jsonl");
  await expect(runRecipe(await makeRecipe(), { ...options, train: trainFrom(0, 1) })).rejects.toMatchObject({
    code: "run/folder-not-empty",
  });
  expect(read("metrics.jsonl")).toBe(before);
  mkdirSync(join(folder, "out", "checkpoint-7"));
  writeFileSync(join(folder, "out", "mine.txt"), "keep me");
  await runRecipe(await makeRecipe("--overwrite-output-dir"), { ...options, train: trainFrom(0, 1) });
  expect(rows("metrics.jsonl")).toHaveLength(2);
  expect(existsSync(join(folder, "out", "checkpoint-7"))).toBe(false);
  expect(read("mine.txt")).toBe("keep me");
});

test("resume cuts the logs back to the checkpoint and keeps the run's id", async () => {
  await runRecipe(await makeRecipe(), { ...options, train: trainFrom(0, 5, "stopped") });
  const { id } = JSON.parse(read("run.json")) as { id: string };
  const seen = collect();
  await runRecipe(await makeRecipe("--resume"), {
    ...options,
    trackers: [{ name: "seen", tracker: seen.tracker }],
    train: trainFrom(3, 6),
  });
  expect(rows("metrics.jsonl").map((row) => row["step"])).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(seen.events).toMatchObject([{ code: "run/resumed", step: 3 }]);
  expect(JSON.parse(read("run.json"))).toMatchObject({ id, status: "finished" });
  expect(read("config.yaml")).toContain("resume_from_checkpoint: false");
});

test("what was logged before a first checkpoint is not logged twice, the evaluation at the start included", async () => {
  await runRecipe(await makeRecipe(), { ...options, train: trainFrom(0, 2, "stopped") });
  await runRecipe(await makeRecipe("--resume"), { ...options, train: trainFrom(0, 3) });
  expect(rows("metrics.jsonl").map((row) => row["step"])).toEqual([0, 1, 2, 3]);
});

test("resume without a checkpoint starts over and says so; of a finished run changes nothing; of a longer one goes on", async () => {
  const first = collect();
  await runRecipe(await makeRecipe("--resume", "--max-steps", "2"), {
    ...options,
    trackers: [{ name: "seen", tracker: first.tracker }],
    train: trainFrom(0, 2),
  });
  expect(first.events).toMatchObject([{ code: "run/no-checkpoint" }]);
  const before = readdirSync(join(folder, "out")).map((name) => [name, read(name)]);
  const second = collect();
  const never = async (): Promise<never> => {
    throw new Error("not to be called");
  };
  const outcome = await runRecipe(await makeRecipe("--resume", "--max-steps", "2"), {
    ...options,
    trackers: [{ name: "seen", tracker: second.tracker }],
    train: never,
  });
  expect(outcome).toMatchObject({ status: "finished", steps: 2 });
  expect(second.events).toMatchObject([{ code: "run/already-finished" }]);
  expect(readdirSync(join(folder, "out")).map((name) => [name, read(name)])).toEqual(before);
  const longer = await runRecipe(await makeRecipe("--resume", "--max-steps", "4"), { ...options, train: trainFrom(2, 4) });
  expect(longer.steps).toBe(4);
});

test("resume says which keys changed, and refuses another method's folder", async () => {
  await runRecipe(await makeRecipe(), { ...options, train: trainFrom(0, 2, "stopped") });
  const seen = collect();
  const trackers = [{ name: "seen", tracker: seen.tracker }];
  await runRecipe(await makeRecipe("--resume", "--learning-rate", "0.5", "--run_name", "x"), {
    ...options,
    trackers,
    train: trainFrom(1, 2, "stopped"),
  });
  expect(seen.events).toMatchObject([{ code: "run/recipe-changed", keys: ["learning_rate"] }, { code: "run/resumed" }]);
  const other = await parseRecipe({
    method: "reward",
    flags: ["--model-name-or-path", "m", "--dataset-name", "d", "--output-dir", join(folder, "out"), "--resume"],
  });
  await expect(runRecipe(other, { ...options, train: trainFrom(0, 1) })).rejects.toMatchObject({ code: "run/other-method" });
});

test("a failure is recorded and thrown on", async () => {
  const train = async (): Promise<never> => {
    throw new SparError("data/empty", "the data is empty");
  };
  await expect(runRecipe(await makeRecipe(), { ...options, train })).rejects.toThrow("the data is empty");
  expect(JSON.parse(read("run.json"))).toMatchObject({ status: "failed", error: { code: "data/empty", message: "the data is empty" } });
});

test("a start that came to nothing does not stand in the way of the next", async () => {
  const fail: NonNullable<RunRecipeOptions["train"]> = async () => {
    throw new SparError("data/not-found", "no data");
  };
  await expect(runRecipe(await makeRecipe(), { ...options, train: fail })).rejects.toThrow("no data");
  expect((await runRecipe(await makeRecipe(), { ...options, train: trainFrom(0, 1) })).steps).toBe(1);
  expect(rows("events.jsonl")).toEqual([]);
  // That one has rows: it stays. So does a folder with a file of somebody's.
  await expect(runRecipe(await makeRecipe(), { ...options, train: fail })).rejects.toMatchObject({ code: "run/folder-not-empty" });
  rmSync(join(folder, "out"), { recursive: true });
  await expect(runRecipe(await makeRecipe(), { ...options, train: fail })).rejects.toThrow("no data");
  writeFileSync(join(folder, "out", "mine.txt"), "keep me");
  await expect(runRecipe(await makeRecipe(), { ...options, train: fail })).rejects.toMatchObject({ code: "run/folder-not-empty" });
});

test("a second run in the same folder is refused while the first goes on", async () => {
  let refused: unknown;
  await runRecipe(await makeRecipe(), {
    ...options,
    async train(recipe, context) {
      refused = await runRecipe(await makeRecipe("--resume"), { ...options, train: trainFrom(0, 1) }).catch((error: unknown) => error);
      return trainFrom(0, 1)(recipe, context);
    },
  });
  expect(refused).toMatchObject({ code: "run/locked" });
});

test("the control file reaches the training", async () => {
  const seen: unknown[] = [];
  await runRecipe(await makeRecipe(), {
    ...options,
    async train(recipe, context) {
      for (const text of ["pause\n", "save", "dance", "stop"]) {
        writeFileSync(join(folder, "out", "control"), text);
        seen.push(context.readControl?.(), context.readControl?.());
      }
      return trainFrom(0, 1)(recipe, context);
    },
  });
  expect(seen).toEqual(["pause", "pause", "save", undefined, undefined, undefined, "stop", undefined]);
  expect(rows("events.jsonl").map((row) => row["code"])).toEqual(["run/control-unknown"]);
});

test("output_dir that is a file", async () => {
  writeFileSync(join(folder, "out"), "");
  await expect(runRecipe(await makeRecipe(), { ...options, train: trainFrom(0, 1) })).rejects.toMatchObject({
    code: "run/folder-not-writable",
  });
});

test("rows that cannot be written end the run, and run.json says so", async () => {
  const train: NonNullable<RunRecipeOptions["train"]> = async (_, context: TrainingContext) => {
    context.tracker.metrics({ step: 1, loss: 1 });
    // Stands in for a full disk: this row does not become a line.
    context.tracker.metrics({ step: 2n as unknown as number });
    throw new Error("never reached");
  };
  await expect(runRecipe(await makeRecipe(), { ...options, train })).rejects.toThrow(/BigInt/);
  expect(JSON.parse(read("run.json"))).toMatchObject({ status: "failed", error: { code: "internal/bug" } });
  expect(rows("metrics.jsonl")).toHaveLength(1);
  expect(rows("events.jsonl").at(-1)).toMatchObject({ code: "internal/bug", level: "error" });
});

test("stopped before the first step is stopped, not failed; what a killed writer left goes", async () => {
  mkdirSync(join(folder, "out", ".spar-aside-1-0-checkpoint-5"), { recursive: true });
  const train: NonNullable<RunRecipeOptions["train"]> = async () => {
    throw new InterruptedError("tokenising the data was stopped");
  };
  await expect(runRecipe(await makeRecipe("--resume"), { ...options, train })).rejects.toBeInstanceOf(InterruptedError);
  expect(JSON.parse(read("run.json"))).toMatchObject({ status: "stopped", error: null });
  expect(readdirSync(join(folder, "out")).filter((name) => name.startsWith("."))).toEqual([]);
});

test("rows that a tracker's place did not take are sent by --resume, also where the run is finished", async () => {
  const place = join(folder, "trackio");
  writeFileSync(place, "a file in the way");
  const withTrackers = { ...options, trackerSettings: { trackio: { folder: place } } };
  const first = collect();
  const recipe = ["--report_to", "trackio", "--run_name", "first"];
  const trackers = [{ name: "test", tracker: first.tracker }];
  const outcome = await runRecipe(await makeRecipe(...recipe), { ...withTrackers, trackers, train: trainFrom(0, 3) });
  expect(outcome.status).toBe("finished");
  expect(first.events.map(({ code }) => code)).toEqual(["tracking/unreachable", "tracking/unsent"]);
  expect(rows("events.jsonl").map((row) => row["code"])).toEqual(["tracking/unreachable", "tracking/unsent"]);
  rmSync(place);
  const second = collect();
  await runRecipe(await makeRecipe(...recipe, "--resume"), {
    ...withTrackers,
    trackers: [{ name: "test", tracker: second.tracker }],
    train: async () => {
      throw new Error("nothing is trained");
    },
  });
  expect(second.events.map(({ code }) => code)).toEqual(["run/already-finished"]);
  const files = readdirSync(join(place, "inbox"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".jsonl"));
  const lines = files.flatMap((name) =>
    readFileSync(join(place, "inbox", name), "utf8")
      .trim()
      .split("\n"),
  );
  expect(lines.map((line) => (JSON.parse(line) as { step: number }).step)).toEqual([0, 1, 2, 3]);
  expect(readdirSync(join(folder, "out", "trackers"))).toEqual(["trackio.json"]);
});

test("starting over removes what trackers left of the earlier run, and nothing else in their folders", async () => {
  const recipe = ["--report_to", "wandb", "tensorboard"];
  await runRecipe(await makeRecipe(...recipe), { ...options, train: trainFrom(0, 2) });
  writeFileSync(join(folder, "out", "wandb", "notes.txt"), "mine");
  const before = readdirSync(join(folder, "out", "wandb"));
  expect(before).toHaveLength(2);
  await runRecipe(await makeRecipe(...recipe, "--overwrite_output_dir"), { ...options, train: trainFrom(0, 1) });
  const after = readdirSync(join(folder, "out", "wandb"));
  expect(after).toHaveLength(2);
  expect(after).toContain("notes.txt");
  expect(after).not.toEqual(before);
  expect(readdirSync(join(folder, "out", "runs"))).toHaveLength(1);
});
