/** What people get wrong, through the real command line: the exit code, what is said, and that nothing is left behind. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createWorkplace, readFixtureRows, tinyModel, type Workplace } from "../invariants/tiny-run.ts";
import { parseRows, runSpar } from "./spar.ts";

// Several whole processes a test: seconds on an idle machine, minutes on one that trains beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let place: Workplace;
let data: string;
beforeAll(() => {
  place = createWorkplace();
  data = place.writeRows("data.jsonl", readFixtureRows("sft", 0, 8));
});
afterAll(() => place.remove());

const keys = (over: { [key: string]: string } = {}): string[] =>
  Object.entries({
    model_name_or_path: tinyModel,
    dataset_name: data,
    output_dir: place.path("out"),
    max_steps: "1",
    max_length: "24",
    ...over,
  }).flatMap(([key, value]) => [`--${key}`, value]);

test.skipIf(!existsSync("/dev/full"))("standard output on a full disk is a user's error", async () => {
  const { code, stderr } = await runSpar(["sft", "--help"], { wrapper: ["sh", "-c", 'exec "$@" > /dev/full', "sh"] });
  expect(stderr).toMatch(/^error: standard output cannot be written: ENOSPC/);
  expect(code).toBe(1);

  // A training ends in order: its folder says how.
  const full = ["sh", "-c", 'exec "$@" > /dev/full', "sh"];
  const out = place.path("full");
  const rows = await runSpar(["sft", ...keys({ output_dir: out }), "--json"], { wrapper: full });
  expect(rows.stderr).toMatch(/error: standard output cannot be written: ENOSPC/);
  expect(rows.code).toBe(1);
  expect(JSON.parse(readFileSync(`${out}/run.json`, "utf8"))).toMatchObject({ status: "stopped" });
  const words = await runSpar(["sft", ...keys({ output_dir: place.path("words") })], { wrapper: full });
  expect(words.code).toBe(1);
  expect(JSON.parse(readFileSync(place.path("words/run.json"), "utf8"))).toMatchObject({ status: "finished" });
});

test("rows longer than GPT-2's table of positions are told before training, whatever learns from them", async () => {
  const long = "once upon a time ".repeat(60);
  const texts = place.writeRows("long.jsonl", [{ text: long }, { text: "short" }]);
  const pairs = place.writeRows("long-pairs.jsonl", [{ prompt: "a", chosen: long, rejected: "b" }]);
  const over = { model_name_or_path: tinyModel.replace(/stories260K$/, "gpt2"), output_dir: place.path("long"), max_length: "2000" };
  for (const [method, dataset_name, found] of [
    ["sft", texts, "1 of 2 rows are"],
    ["reward", pairs, "1 of 1 rows are"],
    ["dpo", pairs, "1 of 1 rows are"],
  ] as const) {
    const { code, stderr } = await runSpar([method, ...keys({ ...over, dataset_name })]);
    expect(stderr).toMatch(
      new RegExp(`error: preparing data: ${found} longer than the model: up to \\d+ tokens, the model has 128 positions`),
    );
    expect(code).toBe(1);
  }
});

test("every error of a recipe at once, with its line", async () => {
  const recipe = place.path("wrong.yaml");
  writeFileSync(
    recipe,
    `model_name_or_path: ${tinyModel}\nlerning_rate: 1e-5\nper_device_train_batch_size: zero\nmax_steps: 1.5\nuse_peft: true\nbeta: 0.1\n`,
  );
  const { code, stderr, stdout } = await runSpar(["sft", "--config", recipe, "--output_dir", place.path("wrong")]);
  expect(code).toBe(1);
  expect(stdout).toBe("");
  for (const part of [
    "wrong.yaml:2: lerning_rate",
    "did you mean learning_rate",
    "wrong.yaml:3: per_device_train_batch_size",
    "wrong.yaml:4: max_steps",
    "wrong.yaml:5: use_peft",
    "datasets or dataset_name is missing",
  ])
    expect(stderr).toContain(part);
  expect(stderr).not.toContain("    at ");
  expect(existsSync(place.path("wrong"))).toBe(false);
});

describe("data", () => {
  test.each([
    ["columns of another task", [{ question: "a", reply: "b" }], ["question", "prompt", "completion", "text"]],
    ["an empty file", [], ["empty"]],
    ["a file that is not there", undefined, ["missing.jsonl"]],
  ] as const)("%s", async (_, rows, parts) => {
    const path = rows === undefined ? place.path("missing.jsonl") : place.writeRows("bad.jsonl", rows);
    const { code, stderr } = await runSpar([
      "sft",
      ...keys({ dataset_name: path, output_dir: place.path("out-data"), overwrite_output_dir: "true" }),
    ]);
    expect(code, stderr).toBe(1);
    for (const part of parts) expect(stderr).toContain(part);
    expect(stderr).not.toContain("    at ");
  });

  test("bad lines are named by file and line, all at once", async () => {
    writeFileSync(place.path("lines.jsonl"), `{"text": "a"}\n{"text": 3}\n{"text": "b"}\n{"tex": "c"}\n`);
    const { code, stderr } = await runSpar([
      "sft",
      ...keys({ dataset_name: place.path("lines.jsonl"), output_dir: place.path("out-lines") }),
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain("lines.jsonl:2");
    expect(stderr).toContain("lines.jsonl:4");
  });
});

describe("models", () => {
  test("a folder without one, and an id while offline", async () => {
    mkdirSync(place.path("no-model"));
    const empty = await runSpar(["sft", ...keys({ model_name_or_path: place.path("no-model"), output_dir: place.path("out-model") })]);
    expect(empty.code).toBe(1);
    expect(empty.stderr).toContain("no-model");
    const offline = await runSpar(["sft", ...keys({ model_name_or_path: "nobody/nothing", output_dir: place.path("out-hub") })], {
      env: { HF_HUB_OFFLINE: "1", HF_HOME: place.path("hub") },
    });
    expect(offline.code).toBe(1);
    expect(offline.stderr).toContain("nobody/nothing");
    expect(offline.stderr).toMatch(/offline/i);
  });

  test("weights cut short name their file", async () => {
    cpSync(tinyModel, place.path("cut"), { recursive: true });
    const path = place.path("cut", "model.safetensors");
    writeFileSync(path, readFileSync(path).subarray(0, 100_000));
    const { code, stderr } = await runSpar(["sft", ...keys({ model_name_or_path: place.path("cut"), output_dir: place.path("out-cut") })]);
    expect(code).toBe(1);
    expect(stderr).toContain("model.safetensors");
  });
});

describe("exit codes", () => {
  test("2 for a wrong command line, 0 for help", async () => {
    const [unknown, noRecipe, badFlag, help] = await Promise.all([
      runSpar(["sfft"]),
      runSpar(["sft"]),
      runSpar(["generate", "--nonsense"]),
      runSpar(["sft", "--help"]),
    ]);
    expect([unknown.code, noRecipe.code, badFlag.code, help.code]).toEqual([2, 2, 2, 0]);
    expect(unknown.stderr).toContain("Did you mean sft?");
    expect(help.stdout).toContain("learning_rate");
  });

  test("70 for what spar did not expect, and how to see where", async () => {
    const preload = place.path("bug.mjs");
    // Thrown outside of every promise, as soon as the program listens for what nobody catches.
    writeFileSync(
      preload,
      `process.on("newListener", (event) => event === "uncaughtException" && setTimeout(() => { throw new TypeError("forced by the test"); }, 0));\n`,
    );
    const { code, stderr } = await runSpar(["sft", ...keys({ output_dir: place.path("out-bug") })], {
      env: { NODE_OPTIONS: `--import=${preload}` },
    });
    expect(code, stderr).toBe(70);
    expect(stderr).toContain("internal error: forced by the test");
    expect(stderr).toContain("--debug");
  });

  test("--json: rows only on standard output, the error on the other", async () => {
    const good = await runSpar(["sft", ...keys({ output_dir: place.path("out-json"), logging_steps: "1" }), "--json"]);
    expect(good.code, good.stderr).toBe(0);
    const rows = parseRows(good.stdout);
    expect(rows.filter((row) => "loss" in row)).toHaveLength(1);
    expect(rows.every((row) => "step" in row || "code" in row)).toBe(true);
    expect(parseRows(readFileSync(place.path("out-json", "metrics.jsonl"), "utf8"))).toEqual(rows.filter((row) => "loss" in row));
    const bad = await runSpar(["sft", ...keys({ output_dir: place.path("out-json") }), "--json"]);
    expect(bad.code).toBe(1);
    expect(bad.stdout).toBe("");
    const [row = "", ...words] = bad.stderr.split("\n");
    expect(JSON.parse(row)).toMatchObject({ code: "run/folder-not-empty", level: "error" });
    expect(words.join("\n")).toContain("error: ");
  });
});

describe("disks", () => {
  const isRoot = process.getuid?.() === 0;

  test.skipIf(!isRoot || !existsSync("/usr/bin/setpriv"))("a folder that may not be written to", async () => {
    const closed = place.path("closed");
    mkdirSync(closed);
    chmodSync(closed, 0o555);
    chmodSync(place.folder, 0o755);
    const wrapper = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const { code, stderr } = await runSpar(["sft", ...keys({ output_dir: closed })], { wrapper, env: { HOME: place.folder } });
    expect(code, stderr).toBe(1);
    expect(stderr).toContain(closed);
    expect(stderr).toMatch(/permission denied|EACCES/);
    expect(readdirSync(closed)).toEqual([]);
  });

  test("a file where the folder should be", async () => {
    writeFileSync(place.path("file"), "");
    const { code, stderr } = await runSpar(["sft", ...keys({ output_dir: place.path("file", "below") })]);
    expect(code).toBe(1);
    expect(stderr).toContain("a file is in the way");
  });

  /** A disk of 6 MB, where this system lets us make one. */
  function mountSmallDisk(folder: string): boolean {
    mkdirSync(folder);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m", "spar-test", folder], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  }

  test("a full disk ends the run, keeps the whole checkpoints, and the run goes on once there is room", async (context) => {
    const disk = place.path("disk");
    if (!mountSmallDisk(disk)) {
      // Mounting takes root, which people rarely are; where checks run on their own, leaving this out is a failure.
      expect(process.env["CI"], "tmpfs cannot be mounted").toBeUndefined();
      return context.skip("tmpfs cannot be mounted here");
    }
    try {
      // The model has 1 MB, its moments 2 MB: one checkpoint fits, the second one while the first is there does not.
      const run = (...more: string[]): ReturnType<typeof runSpar> =>
        runSpar([
          "sft",
          ...keys({ output_dir: `${disk}/run`, max_steps: "4", save_steps: "2", logging_steps: "1", per_device_train_batch_size: "2" }),
          ...more,
        ]);
      const full = await run();
      expect(full.code, full.stderr).toBe(1);
      expect(full.stderr).toMatch(/the disk is full \(ENOSPC\)/);
      expect(full.stderr).toContain("nothing that was saved before is lost");
      expect(readdirSync(`${disk}/run`).filter((name) => /^checkpoint|^\.spar-aside/.test(name))).toEqual(["checkpoint-2"]);
      expect(statfsSync(disk).bfree).toBeGreaterThan(0);
      execFileSync("mount", ["-o", "remount,size=40m", disk]);
      const again = await run("--resume");
      expect(again.code, again.stderr).toBe(0);
      expect(again.stderr).toContain("going on after step 2");
      const rest = await runSpar([
        "sft",
        ...keys({
          output_dir: place.path("unlimited"),
          max_steps: "4",
          save_steps: "2",
          logging_steps: "1",
          per_device_train_batch_size: "2",
        }),
      ]);
      expect(rest.code, rest.stderr).toBe(0);
      for (const name of ["metrics.jsonl", "model.safetensors"])
        expect(readFileSync(`${disk}/run/${name}`).equals(readFileSync(place.path("unlimited", name))), name).toBe(true);
    } finally {
      execFileSync("umount", [disk]);
      rmSync(disk, { recursive: true, force: true });
    }
  });
});
