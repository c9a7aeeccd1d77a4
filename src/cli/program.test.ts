import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { InterruptedError, SparError, UsageError } from "../internal/errors.ts";
import { commands, plannedCommands } from "./commands.ts";
import { createCommandIO, exitCodeOf, formatError, formatTable, wantsColor } from "./output.ts";
import { runProgram, splitGlobalFlags } from "./program.ts";

async function spar(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const code = await runProgram(words, {
    version: "1.2.3",
    stdout: { write: (text) => void (out += text) },
    stderr: { write: (text) => void (err += text) },
    env: {},
  });
  return { code, out, err };
}

test("--help lists what is there and nothing else", async () => {
  const { code, out, err } = await spar("--help");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  for (const name of Object.keys(commands)) expect(out).toMatch(new RegExp(`^  ${name} +\\S`, "m"));
  for (const name of plannedCommands) expect(out).not.toMatch(new RegExp(`^  ${name} `, "m"));
  expect(await spar("--version")).toMatchObject({ code: 0, out: "1.2.3\n" });
  expect((await spar()).code).toBe(2);
  expect((await spar("help", "sft")).out).toContain("usage: spar sft");
});

test("every command has help with examples, on standard output", async () => {
  for (const name of Object.keys(commands)) {
    const { code, out, err } = await spar(name, "--help");
    expect({ code, err }, name).toEqual({ code: 0, err: "" });
    expect(out, name).toMatch(new RegExp(`usage: spar ${name}\\b`, "i"));
    expect(out, name).toMatch(new RegExp(`examples:\\n  .*spar ${name}`));
  }
  expect((await spar("ppo", "--help")).out).toMatch(/^ {2}kl_coef \(0\.05\) +\S/m);
});

test("planned and unknown commands are usage errors", async () => {
  const planned = await spar("grpo", "--config", "x.yaml");
  expect(planned).toMatchObject({ code: 2, out: "" });
  expect(planned.err).toContain("grpo: not part of this version");
  const unknown = await spar("rewrd");
  expect(unknown.code).toBe(2);
  expect(unknown.err).toContain("Did you mean reward?");
  expect((await spar("--config", "x")).err).toContain("expected a command first");
});

test("wrong options say what was expected", async () => {
  expect(await spar("generate", "--model", "m")).toMatchObject({
    code: 2,
    err: expect.stringContaining("expected --prompt or --prompts, found neither"),
  });
  expect(await spar("generate", "--prompt", "a")).toMatchObject({ code: 2, err: expect.stringContaining("--model") });
  expect((await spar("generate", "--model", "m", "--prompt", "a", "--top_p", "2")).err).toContain(
    '--top-p: expected a number (above 0, at most 1), found "2"',
  );
  expect(await spar("chat", "--model", "m", "--modle", "x")).toMatchObject({ code: 2 });
  expect(await spar("logprobs", "--model", "m")).toMatchObject({ code: 2 });
  expect(await spar("doctor", "recipe.yaml")).toMatchObject({
    code: 2,
    err: expect.stringContaining("recipe.yaml: expected --config FILE"),
  });
  expect(await spar("doctor", "--method", "sfft")).toMatchObject({ code: 2, err: expect.stringContaining("found sfft") });
  expect(await spar("quickstart", "--seed", "x")).toMatchObject({ code: 2 });
});

test("doctor: a recipe out of flags alone; its method from the data; a file that is not there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spar-cli-"));
  try {
    const data = join(folder, "data.jsonl");
    writeFileSync(data, `${JSON.stringify({ text: "" })}\n`);
    const flags = ["--dataset_name", data, "--output_dir", join(folder, "out"), "--model_name_or_path", join(folder, "none/at/all")];
    for (const method of [[], ["--method", "sft"]]) {
      const checked = await spar("doctor", ...method, ...flags, "--no-trial", "--json");
      expect(checked).toMatchObject({ code: 1, err: expect.stringContaining("the recipe (sft): 1 error") });
      expect(JSON.parse(checked.out.split("\n")[0])).toMatchObject({ kind: "finding", method: "sft", level: "error" });
    }
    const none = await spar("doctor", "--config", join(folder, "nonono.yaml"));
    expect(none).toMatchObject({ code: 1, err: expect.stringContaining("nonono.yaml: no such file") });
    expect((await spar("doctor", "--method", "sft")).err).toContain("model_name_or_path is missing");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("training commands: recipe errors are the user's, a missing recipe is usage", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spar-cli-"));
  try {
    const path = join(folder, "r.yaml");
    writeFileSync(path, "model_name_or_path: m\nsedd: 1\n");
    const bad = await spar("sft", "--config", path);
    expect(bad).toMatchObject({ code: 1, out: "" });
    expect(bad.err).toContain(`${path}:2: sedd: unknown key; did you mean seed?`);
    expect(bad.err).toContain("datasets or dataset_name is missing");
    expect(bad.err).not.toContain("    at ");
    expect((await spar("sft", "--config", path, "--debug")).err).toContain("    at ");
    expect(await spar("sft", "--config", join(folder, "none.yaml"))).toMatchObject({
      code: 1,
      err: expect.stringContaining("no such file"),
    });
    expect(await spar("sft")).toMatchObject({ code: 2 });
    expect(await spar("sft", "--config")).toMatchObject({ code: 2 });
    expect(await spar("sft", "r.yaml")).toMatchObject({ code: 2, err: expect.stringContaining("--config r.yaml") });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("global flags are taken from anywhere before --", () => {
  expect(splitGlobalFlags(["a", "--json", "b", "--debug"])).toEqual({ rest: ["a", "b"], json: true, debug: true });
  expect(splitGlobalFlags(["a", "--", "--json"])).toEqual({ rest: ["a", "--", "--json"], json: false, debug: false });
});

test("exit codes and error texts", () => {
  const plain = { debug: false, paint: (_: number, text: string) => text };
  expect([new UsageError("u"), new InterruptedError("i"), new SparError("a/b", "c"), new TypeError("t"), "odd"].map(exitCodeOf)).toEqual([
    2, 130, 1, 70, 70,
  ]);
  expect(formatError(new SparError("a/b", "cannot", { hint: "do this" }), plain)).toBe("error: cannot\ndo this");
  expect(formatError(new TypeError("t"), plain)).toBe(
    "internal error: t\nThis is a bug in spar; the same command with --debug shows where.",
  );
  const cause = new Error("deep");
  const full = formatError(new SparError("a/b", "cannot", { cause }), { ...plain, debug: true });
  expect(full).toContain("code: a/b");
  expect(full).toContain("caused by: Error: deep");
});

test("with --json only rows reach standard output", () => {
  let out = "";
  let err = "";
  const make = (json: boolean) =>
    createCommandIO({
      json,
      debug: false,
      env: {},
      stdout: { write: (text) => void (out += text) },
      stderr: { write: (text) => void (err += text) },
    });
  const io = make(true);
  io.row({ a: 1 });
  io.say("words");
  io.note("remark");
  expect({ out, err }).toEqual({ out: '{"a":1}\n', err: "words\nremark\n" });
  make(false).say("words");
  expect(out).toBe('{"a":1}\nwords\n');
});

test("the first interrupt aborts, the second is told so, the third ends the process, and not as if it were saved", () => {
  let time = 0;
  let interrupt = (): void => {};
  const exits: number[] = [];
  let err = "";
  const io = createCommandIO({
    json: false,
    debug: false,
    env: {},
    stdout: { write() {} },
    stderr: { write: (text) => void (err += text) },
    onInterrupt: (listener) => {
      interrupt = listener;
    },
    exit: (code) => void exits.push(code),
    now: () => time,
  });
  io.handleInterrupts("saving");
  io.handleInterrupts("saving");
  interrupt();
  expect({ aborted: io.signal.aborted, exits, err }).toEqual({ aborted: true, exits: [], err: "\nsaving\n" });
  // npm passes the same Ctrl-C on.
  time = 20;
  interrupt();
  expect({ exits, err }).toEqual({ exits: [], err: expect.stringContaining("\nStill stopping; a third Ctrl-C ends at once") });
  for (const later of [1000, 1020, 1040]) {
    time = later;
    interrupt();
  }
  expect(exits).toEqual([]);
  time = 2000;
  interrupt();
  expect(exits).toEqual([1]);
});

test("a broken pipe aborts or is ignored, as the command says", () => {
  let breakPipe = (): void => {};
  const make = () =>
    createCommandIO({
      json: true,
      debug: false,
      env: {},
      stdout: { write() {}, columns: 0 },
      stderr: { write() {} },
      onBrokenPipe: (listener) => {
        breakPipe = listener;
      },
    });
  const one = make();
  one.handleBrokenPipe("go-on");
  breakPipe();
  expect(one.signal.aborted).toBe(false);
  const two = make();
  two.handleBrokenPipe("abort");
  breakPipe();
  expect(two.signal.aborted).toBe(true);
  expect(two.width()).toBe(80);
});

test("colours follow the terminal, NO_COLOR and FORCE_COLOR", () => {
  const terminal = { write() {}, isTTY: true };
  const pipe = { write() {} };
  expect(wantsColor(terminal, {})).toBe(true);
  expect(wantsColor(terminal, { NO_COLOR: "1" })).toBe(false);
  expect(wantsColor(terminal, { NO_COLOR: "" })).toBe(true);
  expect(wantsColor(terminal, { TERM: "dumb" })).toBe(false);
  expect(wantsColor(pipe, {})).toBe(false);
  expect(wantsColor(pipe, { FORCE_COLOR: "1" })).toBe(true);
  expect(wantsColor(pipe, { FORCE_COLOR: "1", NO_COLOR: "1" })).toBe(false);
});

test("tables align, numbers to the right", () => {
  expect(
    formatTable(
      ["name", "n"],
      [
        ["é", 5],
        ["long name", 12],
      ],
    ),
  ).toBe("name        n\n---------  --\né           5\nlong name  12");
  expect(formatTable(["a"], [])).toBe("a\n-");
});
