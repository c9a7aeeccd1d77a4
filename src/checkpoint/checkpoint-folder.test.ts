import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeAsides, writeFileAtomic, writeFolderAtomic, writeIntoFolder } from "./atomic-write.ts";
import {
  findNewestCheckpoint,
  listBrokenCheckpoints,
  listCheckpoints,
  readCheckpointStep,
  retireLaterCheckpoints,
  rotateCheckpoints,
  writeCheckpoint,
} from "./checkpoint-folder.ts";
import { explainFileError } from "./file-error.ts";
import { loadTrainingState, saveTrainingState } from "./training-state.ts";

let output: string;
beforeEach(async () => {
  output = await mkdtemp(join(tmpdir(), "spar-checkpoint-"));
});
afterEach(() => rm(output, { recursive: true }));

const save = (step: number) =>
  writeCheckpoint(output, step, async (folder) => {
    await mkdir(join(folder, "sub"));
    await writeFile(join(folder, "weights"), `step ${step}`);
    await writeFile(join(folder, "sub", "state"), "x");
  });

test("the newest whole checkpoint is found by number, not by name", async () => {
  expect(await findNewestCheckpoint(output)).toBeUndefined();
  expect(await findNewestCheckpoint(join(output, "nowhere"))).toBeUndefined();
  for (const step of [9, 10, 100]) await save(step);
  expect((await listCheckpoints(output)).map(({ step }) => step)).toEqual([9, 10, 100]);
  await truncate(join(output, "checkpoint-100", "weights"), 2);
  expect(await readCheckpointStep(join(output, "checkpoint-100"))).toBeUndefined();
  await mkdir(join(output, "checkpoint-500"));
  expect(await findNewestCheckpoint(output)).toEqual({ path: join(output, "checkpoint-10"), step: 10 });
  await rm(join(output, "checkpoint-10", "sub", "state"));
  expect((await findNewestCheckpoint(output))?.step).toBe(9);
});

test("a failed save leaves the old checkpoint and nothing half-written", async () => {
  await save(5);
  const failing = writeCheckpoint(output, 5, async (folder) => {
    await writeFile(join(folder, "weights"), "half");
    throw Object.assign(new Error("no space"), { code: "ENOSPC" });
  });
  await expect(failing).rejects.toMatchObject({
    code: "file/disk-full",
    message: expect.stringContaining("ENOSPC"),
    hint: expect.stringContaining("nothing"),
  });
  expect(await readdir(output)).toEqual(["checkpoint-5"]);
  expect(await readFile(join(output, "checkpoint-5", "weights"), "utf8")).toBe("step 5");
  expect(await readCheckpointStep(join(output, "checkpoint-5"))).toBe(5);
});

test.skipIf(!existsSync("/dev/full"))("a disk that is really full", async () => {
  await save(1);
  await expect(writeCheckpoint(output, 2, () => writeFile("/dev/full", "x"))).rejects.toMatchObject({ code: "file/disk-full" });
  expect((await findNewestCheckpoint(output))?.step).toBe(1);
});

test("damaged and renamed folders are told from whole ones", async () => {
  for (const step of [1, 2, 3]) await save(step);
  await truncate(join(output, "checkpoint-2", "weights"), 0);
  await rename(join(output, "checkpoint-3"), join(output, "checkpoint-7"));
  expect(await listBrokenCheckpoints(output)).toEqual([join(output, "checkpoint-2"), join(output, "checkpoint-7")]);
  expect(await readCheckpointStep(join(output, "checkpoint-7"))).toBe(3);
  expect((await findNewestCheckpoint(output))?.step).toBe(1);
});

test("later checkpoints are set aside, not lost", async () => {
  for (const step of [5, 10, 15]) await save(step);
  await retireLaterCheckpoints(output, 5);
  expect((await readdir(output)).sort()).toEqual(["checkpoint-5", "retired-checkpoint-10", "retired-checkpoint-15"]);
  await save(10);
  expect(await retireLaterCheckpoints(output, 9)).toEqual([
    { from: join(output, "checkpoint-10"), to: join(output, "retired-checkpoint-10") },
  ]);
  expect(await readFile(join(output, "retired-checkpoint-10", "weights"), "utf8")).toBe("step 10");
  expect(await retireLaterCheckpoints(output, 5)).toEqual([]);
});

test("saving the same step again replaces it", async () => {
  await save(5);
  await writeCheckpoint(output, 5, (folder) => writeFile(join(folder, "weights"), "again"));
  expect(await readFile(join(output, "checkpoint-5", "weights"), "utf8")).toBe("again");
  expect(await readdir(output)).toEqual(["checkpoint-5"]);
});

test("rotation keeps the newest and those asked for", async () => {
  for (const step of [1, 2, 3, 4]) await save(step);
  expect(await rotateCheckpoints(output, undefined)).toEqual([]);
  expect(await rotateCheckpoints(output, 2, [join(output, "checkpoint-1")])).toEqual([
    join(output, "checkpoint-2"),
    join(output, "checkpoint-3"),
  ]);
  expect((await listCheckpoints(output)).map(({ step }) => step)).toEqual([1, 4]);
  await rotateCheckpoints(output, 1);
  expect((await listCheckpoints(output)).map(({ step }) => step)).toEqual([4]);
});

test("files are replaced whole, leftovers can be removed", async () => {
  const path = join(output, "a", "run.json");
  await writeFileAtomic(path, "one");
  await writeFileAtomic(path, "two");
  expect(await readFile(path, "utf8")).toBe("two");
  expect(await readdir(join(output, "a"))).toEqual(["run.json"]);
  await writeFile(join(output, ".spar-aside-1-0-x"), "");
  await removeAsides(output);
  expect(await readdir(output)).toEqual(["a"]);
  await expect(writeFileAtomic(join(path, "below-a-file"), "x")).rejects.toMatchObject({ code: expect.stringMatching(/^file\//) });
  await expect(writeFolderAtomic(join(path, "f"), async () => undefined)).rejects.toMatchObject({ code: "file/not-a-folder" });
});

test("the final model goes into a folder with other files", async () => {
  await writeFile(join(output, "metrics.jsonl"), "m");
  await writeFile(join(output, "config.json"), "old");
  await writeIntoFolder(output, (aside) => writeFile(join(aside, "config.json"), "new"));
  expect((await readdir(output)).sort()).toEqual(["config.json", "metrics.jsonl"]);
  expect(await readFile(join(output, "config.json"), "utf8")).toBe("new");
});

test("operating system errors say what to do; others pass", () => {
  for (const errno of ["ENOSPC", "EACCES", "EROFS", "EDQUOT", "EPERM"]) {
    const explained = explainFileError(Object.assign(new Error("x"), { code: errno }), "writing", "/some/where");
    expect(explained).toMatchObject({ message: expect.stringContaining(`/some/where`), hint: expect.any(String) });
  }
  const other = new Error("other");
  expect(explainFileError(other, "writing", "x")).toBe(other);
});

test("training state comes back bit for bit", async () => {
  const m = Float32Array.of(1e-38, -0, 3.1415927, NaN);
  const state = { step: 7, rng: { seed: 1, counter: 2 ** 40 }, scale: 0.1, best: null, cursor: [1, 2] };
  await saveTrainingState(output, {
    buffers: [
      ["m.w", m],
      ["v.w", Float32Array.of(2)],
    ],
    state,
  });
  const loaded = await loadTrainingState(output);
  expect(loaded.state).toEqual(state);
  expect(loaded.buffers.names()).toEqual(["m.w", "v.w"]);
  const target = new Float32Array(4);
  await loaded.buffers.readInto("m.w", target);
  expect(new Uint32Array(target.buffer)).toEqual(new Uint32Array(m.buffer));
  await loaded.buffers.close();
});

test("state that JSON would change in silence is refused", async () => {
  const refused = (state: Parameters<typeof saveTrainingState>[1]["state"]) =>
    expect(saveTrainingState(output, { buffers: [], state })).rejects;
  await refused({ a: [1, NaN] }).toThrow(/state\.a\[1\] is NaN/);
  await refused({ a: undefined as never }).toThrow(/state\.a is undefined/);
  await expect(loadTrainingState(output)).rejects.toMatchObject({ code: "file/not-found" });
});

test("a checkpoint may hold read-only files", async (context) => {
  const isRoot = process.geteuid?.() === 0;
  if (process.platform === "win32") context.skip();
  // Root may write everywhere: be somebody else for a moment.
  if (isRoot) {
    await chown(output, 65534, 65534);
    process.seteuid!(65534);
  }
  try {
    await writeCheckpoint(output, 1, async (folder) => {
      await writeFile(join(folder, "weights"), "x");
      await chmod(join(folder, "weights"), 0o444);
    });
    expect(await readCheckpointStep(join(output, "checkpoint-1"))).toBe(1);
  } finally {
    if (isRoot) process.seteuid!(0);
  }
});
