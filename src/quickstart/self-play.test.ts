/** The path self-play with next to no training: what is made, not how good it is. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
// @ts-expect-error a script without types
import { checkReport } from "../../scripts/check-quickstart.mjs";
import { InterruptedError } from "../internal/errors.ts";
import { runSelfPlayQuickstart, splitTexts, type SelfPlayResult } from "./self-play.ts";
import { withQuickstart } from "./stages.ts";

const flags = {
  "self-rewarding":
    "--eft_first_epochs 0.02 --sft_num_train_epochs 0.02 --prompts_per_iteration 16 --num_candidates 2 --per_device_train_batch_size 8 --max_new_tokens 8 --num_eval_prompts 8".split(
      " ",
    ),
  spin: [
    "--prompts_per_iteration",
    "16",
    "--num_eval_prompts",
    "8",
    "--max_new_tokens",
    "8",
    "--per_device_train_batch_size",
    "2",
    "--learning_rate",
    "1e-3",
  ],
};

let folder: string;
let result: SelfPlayResult;
const stages: string[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "spar-quickstart-"));
  result = await runSelfPlayQuickstart({
    seed: 1,
    outputDir: join(folder, "run"),
    version: "0.0.0",
    signal: new AbortController().signal,
    flags,
    closeStage: (stage) => stages.push(stage),
  });
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe("runSelfPlayQuickstart", () => {
  it("goes through its stages, and leaves both runs and the reports", () => {
    expect(stages).toEqual(["model", "self_rewarding", "spin", "report"]);
    const names = readdirSync(join(folder, "run"));
    expect(names).toEqual(
      expect.arrayContaining(["data", "report.html", "report.json", "report.md", "run.json", "self-rewarding", "spin"]),
    );
    const parent = (JSON.parse(readFileSync(join(folder, "run", "run.json"), "utf8")) as { id: string }).id;
    const loop = JSON.parse(readFileSync(join(folder, "run", "self-rewarding", "run.json"), "utf8")) as { parent: string; id: string };
    expect(loop.parent).toBe(parent);
    const inner = JSON.parse(readFileSync(join(folder, "run", "self-rewarding", "M2", "model", "run.json"), "utf8")) as { parent: string };
    expect(inner.parent).toBe(loop.id);
  });

  it("reports the keys of the interface: before is M1, after M3", () => {
    const { report, files } = result;
    expect(JSON.parse(readFileSync(files.json, "utf8"))).toEqual(report);
    expect(report.path).toBe("self-play");
    expect(report).not.toHaveProperty("reward_model");
    expect(report.iterations.map(({ name }) => name)).toEqual(["M1", "M2", "M3"]);
    for (const row of report.iterations)
      expect(Object.keys(row)).toEqual(["name", "outside_positive_share", "outside_interval", "mean_length", "distinct_2"]);
    expect(report.iterations[0].outside_positive_share).toBe(report.before.outside_positive_share);
    expect(report.iterations[2].outside_positive_share).toBe(report.after.outside_positive_share);
    expect(report.judge.heldout_n).toBeGreaterThan(400);
    expect(report.spin.gains[0].accuracy).toBeGreaterThan(0);
    // What so little training cannot meet are the figures; the form is whole.
    const missed = (checkReport(report, { seed: 1, path: "self-play" }) as [string, boolean][])
      .filter(([, holds]) => !holds)
      .map(([what]) => what);
    expect(
      missed.filter((what) => !/outside positive share|interval of the gain|judge agrees|perplexity|samples|kl is/.test(what)),
    ).toEqual([]);
  });

  it("learns from no opening that it is measured on, and judges no sentence that it has seen", () => {
    const read = (...path: string[]): { [column: string]: string }[] =>
      readFileSync(join(folder, "run", ...path), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { [column: string]: string });
    const measured = new Set(read("data", "openings-held-out.jsonl").map(({ prompt }) => prompt));
    expect(measured.size).toBe(256);
    for (const iteration of ["M2", "M3"])
      for (const { prompt } of read("self-rewarding", iteration, "prompts.jsonl")) expect(measured.has(prompt)).toBe(false);
    expect(read("samples.jsonl").map(({ step }) => step)).toEqual([1, 2, 3].flatMap((step) => new Array<number>(256).fill(step)));
    expect(read("data", "judging.jsonl").length + result.report.judge.heldout_n).toBeGreaterThan(2900);
  });

  it("shows them on pages that stand alone", () => {
    const html = readFileSync(result.files.html, "utf8");
    expect(html).not.toMatch(/<script|src=|href=|@import|url\(|NaN|undefined/);
    expect(html).toContain("From M1 to M3");
    const markdown = readFileSync(result.files.markdown, "utf8");
    expect(markdown).toContain("| M2 |");
    expect(markdown).not.toMatch(/NaN|undefined/);
  });
});

it("stopped within a run: it says that it starts over, since it has no --resume", async () => {
  const outputDir = join(folder, "stopped");
  const options = { seed: 1, outputDir, version: "0.0.0", signal: AbortSignal.abort() };
  const stopped = withQuickstart(options, "self-play", ({ runStage }) =>
    runStage("spin", () => {
      throw new InterruptedError("Stopped in a run.", { hint: "The same command with --resume goes on." });
    }),
  );
  await expect(stopped).rejects.toMatchObject({
    code: "run/interrupted",
    message: `Stopped in stage spin; what was done so far is in ${outputDir}.`,
    hint: "The quickstart starts over when it is run again.",
  });
});

it("people's sentences are cut after two to four words, and short ones left out", () => {
  const rows = splitTexts(
    [
      { text: "a b c d e f g h", positive: true },
      { text: "too short", positive: false },
    ],
    1,
  );
  expect(rows).toHaveLength(1);
  expect(rows[0].prompt + rows[0].completion).toBe("a b c d e f g h");
  expect(rows[0].prompt.split(" ").length).toBeGreaterThanOrEqual(2);
  expect(rows[0].prompt.split(" ").length).toBeLessThanOrEqual(4);
});
