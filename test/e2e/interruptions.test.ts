/** Runs that are killed, interrupted, asked to stop, or find their files damaged: what comes out in the end is the same. */
import { cpSync, existsSync, readFileSync, readdirSync, truncateSync, writeFileSync, appendFileSync, mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createWorkplace, findDifferences, readFixtureRows, readTree, tinyModel, type Workplace } from "../invariants/tiny-run.ts";
import { parseRows, runSpar, startSpar } from "./spar.ts";

// Several whole processes a test: seconds on an idle machine, minutes on one that trains beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let place: Workplace;
let recipe: string;
beforeAll(async () => {
  place = createWorkplace();
  place.writeRows("data.jsonl", readFixtureRows("sft", 0, 40));
  recipe = place.path("recipe.yaml");
  writeFileSync(
    recipe,
    `model_name_or_path: ${tinyModel}
dataset_name: ${place.path("data.jsonl")}
max_length: 24
per_device_train_batch_size: 4
max_steps: 20
learning_rate: 1.0e-3
logging_steps: 1
save_steps: 4
save_total_limit: 2
test_split_size: 8
eval_strategy: steps
eval_steps: 10
gradient_checkpointing: false
`,
  );
  const { code, stderr } = await sft("whole");
  expect(code, stderr).toBe(0);
});
afterAll(() => place.remove());

const argumentsFor = (name: string, ...flags: string[]): string[] => [
  "sft",
  "--config",
  recipe,
  "--output_dir",
  place.path(name),
  ...flags,
];
const sft = (name: string, ...flags: string[]): ReturnType<typeof runSpar> => runSpar(argumentsFor(name, ...flags));
/** What must be the same for the same run: not events (time) and run.json (id, pid), nor the folder's own name. */
const outcome = (name: string): Map<string, Buffer> =>
  readTree(place.path(name), { except: /^(events\.jsonl|system\.jsonl|run\.json|config\.yaml|runs\/)/ });
const status = (name: string): unknown => (JSON.parse(readFileSync(place.path(name, "run.json"), "utf8")) as { status: unknown }).status;
const events = (name: string): string[] =>
  parseRows(readFileSync(place.path(name, "events.jsonl"), "utf8")).map((row) => String(row["code"]));
const checkpoints = (name: string): string[] =>
  readdirSync(place.path(name))
    .filter((file) => file.startsWith("checkpoint-"))
    .sort();

/** The uninterrupted run's folder up to its checkpoint-16, as a killed run may have left it. */
function copyUnfinished(name: string): void {
  cpSync(place.path("whole"), place.path(name), { recursive: true });
  const record = JSON.parse(readFileSync(place.path(name, "run.json"), "utf8")) as object;
  writeFileSync(place.path(name, "run.json"), JSON.stringify({ ...record, status: "running", ended: null }));
}

test("a whole run keeps two checkpoints and its log", () => {
  expect(checkpoints("whole")).toEqual(["checkpoint-16", "checkpoint-20"]);
  expect(status("whole")).toBe("finished");
  const rows = parseRows(readFileSync(place.path("whole", "metrics.jsonl"), "utf8"));
  expect(rows.filter((row) => "loss" in row)).toHaveLength(20);
  expect(rows.filter((row) => "eval_loss" in row)).toHaveLength(2);
  expect(readdirSync(place.path("whole")).filter((file) => file.startsWith("."))).toEqual([]);
});

test("killed again and again at random moments, the run ends with the same bytes", async () => {
  // Moments from before the first step to beyond a checkpoint; half of them counted from a log line, half from the start.
  const moments = ["", "step 1 ", "saved", "saved", "going on after"];
  for (const text of moments) {
    const { child, finished, waitFor } = startSpar(argumentsFor("killed", "--resume"));
    await Promise.race([text === "" ? sleep(400 * Math.random()) : waitFor(text).catch(() => {}), finished]);
    await sleep(300 * Math.random());
    child.kill("SIGKILL");
    await finished;
  }
  const { code, stderr } = await sft("killed", "--resume");
  expect(code, stderr).toBe(0);
  expect(findDifferences(outcome("whole"), outcome("killed"))).toEqual([]);
  expect(status("killed")).toBe("finished");
});

test("Ctrl-C saves, says how to go on, and what it says works", async () => {
  const run = startSpar(argumentsFor("interrupted"));
  await run.waitFor("step 1");
  run.child.kill("SIGINT");
  const { code, stderr } = await run.finished;
  expect(code, stderr).toBe(130);
  expect(stderr).toContain("Stopping:");
  expect(status("interrupted")).toBe("stopped");
  const command = /To go on: spar (.*)$/m.exec(stderr)?.[1];
  expect(command).toBeDefined();
  const again = await runSpar((command as string).split(" "));
  expect(again.code, again.stderr).toBe(0);
  expect(again.stderr).toMatch(/going on after step \d+/);
  // The checkpoint made by stopping went with the rotation.
  expect(findDifferences(outcome("whole"), outcome("interrupted"))).toEqual([]);
});

test("`stop` and `save` in the control file", async () => {
  const run = startSpar(argumentsFor("controlled", "--save_strategy", "no"));
  await run.waitFor("step 1");
  writeFileSync(place.path("controlled", "control"), "save");
  await run.waitFor("saved");
  writeFileSync(place.path("controlled", "control"), "stop\n");
  const { code, stderr } = await run.finished;
  // On a fast machine the run may be over before it reads the second word.
  expect([0, 130], stderr).toContain(code);
  const again = await sft("controlled", "--save_strategy", "no", "--resume");
  expect(again.code, again.stderr).toBe(0);
  const logs = [outcome("whole"), outcome("controlled")].map((files) => [files.get("metrics.jsonl"), files.get("model.safetensors")]);
  expect(logs[1]).toEqual(logs[0]);
});

test("a finished run is left as it is by --resume", async () => {
  const before = readTree(place.path("whole"));
  const { code, stderr, stdout } = await sft("whole", "--resume");
  expect(code).toBe(0);
  expect(stderr + stdout).toContain("finished");
  expect(findDifferences(before, readTree(place.path("whole")))).toEqual([]);
});

test("without --resume nothing is touched", async () => {
  const before = readTree(place.path("whole"));
  const { code, stderr } = await sft("whole");
  expect(code).toBe(1);
  expect(stderr).toContain("--resume");
  expect(stderr).toContain("--overwrite_output_dir");
  expect(findDifferences(before, readTree(place.path("whole")))).toEqual([]);
});

test("a damaged checkpoint is passed over, leftovers and a torn row go", async () => {
  copyUnfinished("damaged");
  truncateSync(place.path("damaged", "checkpoint-20", "training_state.safetensors"), 1000);
  mkdirSync(place.path("damaged", ".spar-aside-1-0-checkpoint-24"));
  appendFileSync(place.path("damaged", "metrics.jsonl"), '{"step":21,"los');
  const { code, stderr } = await sft("damaged", "--resume");
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("going on after step 16");
  expect(stderr).toMatch(/checkpoint-20 is damaged or incomplete/);
  expect(findDifferences(outcome("whole"), outcome("damaged"))).toEqual([]);
});

test("gone on from a named earlier checkpoint, later ones are set aside", async () => {
  copyUnfinished("named");
  const { code, stderr } = await sft("named", "--resume", place.path("named", "checkpoint-16"), "--max_steps", "18");
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("retired-checkpoint-20");
  expect(events("named")).toContain("run/recipe-changed");
  expect(checkpoints("named")).toEqual(["checkpoint-16", "checkpoint-18"]);
  const rows = parseRows(readFileSync(place.path("named", "metrics.jsonl"), "utf8"));
  expect(rows.at(-1)?.["step"]).toBe(18);
});

test("two processes cannot run in one folder", async () => {
  const first = startSpar(argumentsFor("locked", "--max_steps", "100000"));
  await first.waitFor("step 1");
  const second = await sft("locked", "--resume");
  expect(second.code).toBe(1);
  expect(second.stderr).toMatch(/is in use: process \d+ runs in it/);
  first.child.kill("SIGKILL");
  await first.finished;
  // The dead owner's lock does not hold; its run did not get to a checkpoint's step or did: both resume.
  const third = startSpar(argumentsFor("locked", "--max_steps", "100000", "--resume"));
  await third.waitFor("step ");
  third.child.kill("SIGTERM");
  expect((await third.finished).code).toBe(130);
});

test("a loss that is no number: step, batch, and the state before it is saved", async () => {
  const { code, stderr } = await sft(
    "diverged",
    "--learning_rate",
    "1e30",
    "--max_grad_norm",
    "0",
    "--save_strategy",
    "no",
    "--weight_decay",
    "1",
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /Step \d+: (the loss is (NaN|Infinity|-Infinity)|the gradient of \S+ is not finite) for the batch of .*data\.jsonl:\d+/,
  );
  expect(stderr).toMatch(/The state before this step is in .*checkpoint-\d+/);
  expect(checkpoints("diverged")).toHaveLength(1);
  expect(status("diverged")).toBe("failed");
  expect(events("diverged").at(-1)).toBe("training/non-finite");
});

test("weights that are no numbers are refused with file and tensor", async () => {
  const model = place.path("nan-model");
  cpSync(tinyModel, model, { recursive: true });
  const path = place.path("nan-model", "model.safetensors");
  const bytes = readFileSync(path);
  const header = Number(bytes.readBigUInt64LE(0));
  const tensors = JSON.parse(bytes.toString("utf8", 8, 8 + header)) as { [name: string]: { data_offsets: [number, number] } };
  const name = "model.layers.2.mlp.up_proj.weight";
  bytes.writeFloatLE(Number.NaN, 8 + header + tensors[name].data_offsets[0] + 40);
  writeFileSync(path, bytes);
  const { code, stderr } = await sft("refused", "--model_name_or_path", model);
  expect(code).toBe(1);
  expect(stderr).toContain(name);
  expect(stderr).toContain("model.safetensors");
});

test("save_only_model leaves nothing to resume from, and says so", async () => {
  const keys = ["--save_only_model", "true", "--max_steps", "5", "--eval_strategy", "no"];
  expect((await sft("only-model", ...keys)).code).toBe(0);
  expect(existsSync(place.path("only-model", "checkpoint-5", "training_state.json"))).toBe(false);
  const { code, stderr } = await sft("only-model", ...keys.slice(0, 2), "--max_steps", "8", "--eval_strategy", "no", "--resume");
  expect(code).toBe(1);
  expect(stderr).toContain("save_only_model");
});
