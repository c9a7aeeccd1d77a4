import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunEvent } from "../tracking/index.ts";
import { createStageRunner, findStaleFile, type Stage, type StageContext } from "./stage.ts";

let root: string;
let events: RunEvent[];
let ran: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "spar-stage-"));
  events = [];
  ran = [];
});
afterEach(() => rmSync(root, { recursive: true }));

const context = (more: Partial<StageContext> = {}): StageContext => ({
  signal: new AbortController().signal,
  tracker: { metrics() {}, samples() {}, event: (event) => void events.push(event), progress() {}, async close() {} },
  ...more,
});
const read = (name: string): string => readFileSync(join(root, "M2", name), "utf8");
const put = (name: string, text: string): void => {
  mkdirSync(join(root, "M2"), { recursive: true });
  writeFileSync(join(root, "M2", name), text);
};

/** Writes `from`'s text, with the setting behind it, to `to`. */
function copyStage(from: string, to: string, setting = 1, more: Partial<Stage> = {}): Stage {
  const folder = join(root, "M2");
  return {
    name: to,
    folder,
    settings: { setting },
    reads: [join(folder, from)],
    writes: [to],
    async run({ resume }) {
      ran.push(`${to}${resume ? " resumed" : ""}`);
      writeFileSync(join(folder, to), `${readFileSync(join(folder, from), "utf8")}${setting}`);
    },
    ...more,
  };
}

async function runAll(stages: readonly Stage[], more: Partial<StageContext> = {}): Promise<string[]> {
  ran = [];
  events = [];
  const runner = createStageRunner({ root, context: context(more) });
  for (const stage of stages) await runner.run(stage);
  return ran;
}

const chain = (setting = 1): Stage[] => [copyStage("a", "b"), copyStage("b", "c", setting), copyStage("c", "d")];

describe("a stage", () => {
  test("is done once; its time is kept", async () => {
    put("a", "x");
    expect(await runAll(chain())).toEqual(["b", "c", "d"]);
    expect(read("d")).toBe("x111");
    expect(await runAll(chain())).toEqual([]);
    expect(events.map(({ code }) => code)).toEqual(["stage/kept", "stage/kept", "stage/kept"]);
  });

  test("is done again where a setting changed, and what follows with it", async () => {
    put("a", "x");
    await runAll(chain());
    expect(await runAll(chain(2))).toEqual(["c", "d"]);
    expect(read("d")).toBe("x121");
  });

  test("that gives the same as before changes nothing after it", async () => {
    put("a", "x");
    await runAll(chain());
    const same = copyStage("a", "b", 1, { settings: { setting: 1, remark: "new" } });
    expect(await runAll([same, ...chain().slice(1)])).toEqual(["b"]);
  });

  test("takes up what was edited by hand, and what follows is done again", async () => {
    put("a", "x");
    await runAll(chain());
    put("b", "mine");
    expect(await runAll(chain())).toEqual(["c", "d"]);
    expect(events[0]).toMatchObject({ code: "stage/edited", files: ["b"] });
    expect(read("d")).toBe("mine11");
    // The edited file goes on to count.
    expect(await runAll(chain())).toEqual([]);
    expect(read("b")).toBe("mine");
  });

  test("does not throw away an edited file when its own inputs changed", async () => {
    put("a", "x");
    await runAll(chain());
    put("c", "mine");
    expect(await runAll(chain(2))).toEqual(["c", "d"]);
    expect(read("c.edited")).toBe("mine");
    expect(read("c")).toBe("x12");
    expect(events.some(({ code, level }) => code === "stage/edited-set-aside" && level === "warning")).toBe(true);
  });

  test("is made again where somebody deleted its file", async () => {
    put("a", "x");
    await runAll(chain());
    rmSync(join(root, "M2", "c"));
    expect(await runAll(chain())).toEqual(["c"]);
  });

  test("leaves alone what was put there before it ever ran", async () => {
    put("a", "x");
    put("b", "given");
    expect(await runAll(chain())).toEqual(["c", "d"]);
    expect(read("b")).toBe("given");
  });

  test("that failed is told that it may go on, unless its inputs changed meanwhile", async () => {
    put("a", "x");
    const failing = copyStage("a", "b", 1, {
      async run() {
        put("b.part", "half");
        throw new Error("no more disk");
      },
    });
    await expect(runAll([failing])).rejects.toThrow("no more disk");
    expect(await runAll([copyStage("a", "b")])).toEqual(["b resumed"]);
    await expect(runAll([{ ...failing, settings: { setting: 3 } }])).rejects.toThrow();
    put("a", "other");
    expect(await runAll([copyStage("a", "b", 3)])).toEqual(["b"]);
    expect(existsSync(join(root, "M2", "b.part"))).toBe(false);
  });

  test("that was done when it was stopped is not done again", async () => {
    put("a", "x");
    const controller = new AbortController();
    const late = copyStage("a", "b");
    const stopping = { ...late, run: (options: { resume: boolean }) => late.run(options).then(() => controller.abort()) };
    await expect(runAll([stopping, copyStage("b", "c")], { signal: controller.signal })).rejects.toMatchObject({ code: "run/interrupted" });
    expect(ran).toEqual(["b"]);
    expect(events.map(({ code }) => code)).toEqual(["stage/started", "stage/finished"]);
    expect(await runAll([copyStage("a", "b"), copyStage("b", "c")])).toEqual(["c"]);
  });

  test("ends before the next where the run is stopped, by signal or by control file", async () => {
    put("a", "x");
    const controller = new AbortController();
    const stopping = copyStage("a", "b", 1, { run: async () => controller.abort() });
    await expect(runAll([stopping], { signal: controller.signal })).rejects.toMatchObject({ code: "run/interrupted" });
    await expect(runAll(chain(), { readControl: () => "stop" })).rejects.toMatchObject({ code: "run/interrupted" });
    expect(ran).toEqual([]);
  });
});

describe("findStaleFile", () => {
  test("finds what was changed or removed since, also a stage that never ended", async () => {
    put("a", "x");
    await runAll(chain());
    expect(await findStaleFile(root)).toBeUndefined();
    put("c", "mine");
    expect(await findStaleFile(root)).toBe(join(root, "M2", "c"));
    await runAll(chain(3));
    expect(await findStaleFile(root)).toBeUndefined();
    rmSync(join(root, "M2", "d"));
    expect(await findStaleFile(root)).toBe(join(root, "M2", "d"));
  });

  test("an edited file that was taken up is what the stage made; it is still nobody's to throw away", async () => {
    put("a", "x");
    await runAll(chain());
    put("c", "mine");
    expect(await runAll(chain())).toEqual(["d"]);
    expect(await findStaleFile(root)).toBeUndefined();
    expect(await runAll(chain())).toEqual([]);
    expect(events.map(({ code }) => code)).toEqual(["stage/kept", "stage/kept", "stage/kept"]);
    // Another edit is one again.
    put("c", "mine too");
    expect(await findStaleFile(root)).toBe(join(root, "M2", "c"));
    expect(await runAll(chain())).toEqual(["d"]);
    expect(await findStaleFile(root)).toBeUndefined();
    expect(await runAll(chain(2))).toEqual(["c", "d"]);
    expect(read("c.edited")).toBe("mine too");
    // Made anew, it is the stage's own.
    rmSync(join(root, "M2", "c.edited"));
    expect(await runAll(chain(3))).toEqual(["c", "d"]);
    expect(existsSync(join(root, "M2", "c.edited"))).toBe(false);
  });
});
