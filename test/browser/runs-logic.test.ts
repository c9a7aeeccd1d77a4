/** What the runs room works out by itself, without a browser. */
import { describe, expect, test } from "vitest";
import type { RunSummary, ShownSample } from "../../src/server/ui/runs/protocol.ts";
import { diffConfigs } from "../../web/src/rooms/runs/config-diff.ts";
import { alignCurves, keepPositive, makeCurve, smoothPoints, valueAt } from "../../web/src/rooms/runs/curve-data.ts";
import { formatDuration, formatNumber, formatTick } from "../../web/src/rooms/runs/format.ts";
import { matchSamples } from "../../web/src/rooms/runs/match-samples.ts";
import { arrangePanels, arrangeSystemPanels, parseFilter } from "../../web/src/rooms/runs/panels.ts";
import { arrangeRuns, measureDuration, type RunOrder } from "../../web/src/rooms/runs/sort-runs.ts";

describe("curves", () => {
  test("smoothing starts where the curve does, and passes gaps over", () => {
    expect(smoothPoints([4, 4, 4], 0.9).map((value) => value!.toFixed(9))).toEqual(["4.000000000", "4.000000000", "4.000000000"]);
    // (0.5·0.5·0 + 0.5·1) / (1 − 0.25) = 2/3.
    const [first, gap, third] = smoothPoints([0, null, 1], 0.5);
    expect([first, gap]).toEqual([0, null]);
    expect(third).toBeCloseTo(2 / 3, 12);
    expect(smoothPoints([1, 5, 2], 0)).toEqual([1, 5, 2]);
  });

  test("short curves are as they are; thinned ones are smoothed by their means", () => {
    const x = Array.from({ length: 20 }, (_, i) => i);
    expect(makeCurve({ count: 3, x: [1, 2, 3], y: [1, 2, 3] }, 0.6).smooth).toBeUndefined();
    expect(makeCurve({ count: 20, x, y: x }, 0).smooth).toBeUndefined();
    expect(makeCurve({ count: 20, x, y: x }, 0.6).smooth![0]).toBe(x);
    const thinned = { count: 1e6, x, y: x.map((_, i) => (i % 2 === 0 ? -9 : 9)), meanX: [1, 2, 3], mean: [0, 0, 0] };
    expect(makeCurve(thinned, 0.6).smooth).toEqual([
      [1, 2, 3],
      [0, 0, 0],
    ]);
    expect(makeCurve(thinned, 0).smooth).toEqual([thinned.meanX, thinned.mean]);
  });

  test("curves with other places share one column of x", () => {
    const columns = alignCurves([
      [
        [1, 3],
        [10, null],
      ],
      [
        [2, 3, 3],
        [5, 6, 7],
      ],
    ]);
    expect(columns).toEqual([
      [1, 2, 3],
      [10, undefined, null],
      [undefined, 5, 7],
    ]);
    expect([0, 1, 2].map((row) => valueAt(columns[1]!, row))).toEqual([10, 10, null]);
    expect(valueAt(columns[2]!, 0)).toBeNull();
    expect(
      keepPositive([
        [1, 2, 3],
        [0, -1, 2],
      ])[1],
    ).toEqual([null, null, 2]);
  });
});

describe("panels", () => {
  const keys = [
    "step",
    "epoch",
    "loss",
    "eval_loss",
    "grad_norm",
    "mean_reward",
    "min_reward",
    "max_reward",
    "val/ratio",
    "eval_new",
    "custom",
  ];

  test("presets first, then the rest by prefix; axes are no curves", () => {
    const sections = arrangePanels(keys, ["time", "step", "cpu_percent", "tokens_per_second"], null);
    expect(sections.map(({ title, panels }) => [title, panels.map((panel) => panel.title)])).toEqual([
      ["Overview", ["Reward", "Loss", "Gradient norm", "Tokens a second"]],
      ["eval", ["eval_new"]],
      ["val", ["val/ratio"]],
      ["other", ["custom"]],
    ]);
    expect(sections[0]!.panels[0]).toMatchObject({ keys: ["mean_reward"], band: ["min_reward", "max_reward"] });
    expect(sections[0]!.panels[1]!.keys).toEqual(["loss", "eval_loss"]);
    expect(arrangeSystemPanels(["cpu_percent", "memory_mb"]).map(({ title }) => title)).toEqual(["Processor", "Memory"]);
  });

  test("a filter looks at names and titles, and does not move a preset's key to the rest", () => {
    const titles = (text: string): string[] =>
      arrangePanels(keys, [], parseFilter(text)!).flatMap(({ panels }) => panels.map(({ title }) => title));
    expect(titles("^eval_")).toEqual(["Loss", "eval_new"]);
    expect(titles("RATIO|gradient")).toEqual(["Gradient norm", "val/ratio"]);
    expect(parseFilter("[")).toBeUndefined();
    expect(parseFilter("  ")).toBeNull();
  });
});

describe("the table of runs", () => {
  const base = { method: "sft", status: "finished", parent: null, spar: "", error: null, rewardKey: null, reward: null, step: 1 } as const;
  const run = (id: string, day: number, more: Partial<RunSummary> = {}): RunSummary => ({
    ...base,
    id,
    name: `runs/${id}`,
    started: `2026-01-0${String(day)}T00:00:00Z`,
    ended: `2026-01-0${String(day)}T00:01:00Z`,
    loss: null,
    ...more,
  });
  const runs = [
    run("a", 1, { loss: 3 }),
    run("whole", 2, { method: "quickstart" }),
    run("stage2", 4, { parent: "whole", loss: 1 }),
    run("stage1", 3, { parent: "whole" }),
    run("b", 5, { loss: 2, status: "killed", ended: null }),
  ];
  const order = (key: RunOrder["key"], isDescending: boolean, search = ""): string[] =>
    arrangeRuns(runs, search, { key, isDescending }, Date.parse("2026-02-01")).map(({ run: { id }, depth }) => `${"-".repeat(depth)}${id}`);

  test("stages stand below their run, in the order in which they were done", () => {
    expect(order("started", true)).toEqual(["b", "whole", "-stage1", "-stage2", "a"]);
    expect(order("started", false)).toEqual(["a", "whole", "-stage1", "-stage2", "b"]);
  });

  test("by a figure all are alike, and those without it come last both ways", () => {
    expect(order("loss", false)).toEqual(["stage2", "b", "a", "whole", "stage1"]);
    expect(order("loss", true)).toEqual(["a", "b", "stage2", "whole", "stage1"]);
    expect(order("duration", true).at(-1)).toBe("b");
  });

  test("a stage that is found without its run stands by itself", () => {
    expect(order("started", true, "STAGE1")).toEqual(["stage1"]);
    expect(order("started", true, "killed sft")).toEqual(["b"]);
    expect(order("started", true, "nothing")).toEqual([]);
  });

  test("a run that was killed has no duration, one that runs has it until now", () => {
    expect(measureDuration(runs[4]!, 0)).toBeNaN();
    expect(measureDuration({ ...runs[4]!, status: "running" }, Date.parse("2026-01-05T00:00:30Z"))).toBe(30);
  });
});

test("configs differ by values; names and folders of the runs are set apart", () => {
  const { differing, own } = diffConfigs({ a: 1, b: [1, 2], c: "x", output_dir: "p" }, { a: 1, b: [1, 3], d: null, output_dir: "q" });
  expect(differing).toEqual([
    { key: "b", here: "[1,2]", there: "[1,3]" },
    { key: "c", here: "x", there: undefined },
    { key: "d", here: undefined, there: "null" },
  ]);
  expect(own.map(({ key }) => key)).toEqual(["output_dir"]);
});

test("samples are matched by prompt, the first with the first", () => {
  const sample = (prompt: string, row: number): ShownSample => ({ row, step: 1, prompt, completion: "", scores: {}, columns: {} });
  const rows = [sample("a", 0), sample("a", 1), sample("b", 2), sample("a", 3)];
  const others = [sample("a", 10), sample("c", 11), sample("a", 12)];
  expect(matchSamples(rows, others).map((other) => other?.row)).toEqual([10, 12, undefined, undefined]);
});

test("numbers, ticks and durations", () => {
  expect([0, 1, -0.03467, 1234, 12_345.678, 0.000012, 1e9, 3.14159, 123.456, NaN, null].map(formatNumber)).toEqual([
    "0",
    "1",
    "-0.03467",
    "1,234",
    "12,346",
    "1.20e-5",
    "1.00e9",
    "3.1416",
    "123.46",
    "–",
    "–",
  ]);
  expect([0, 0.5, 15_000, 2_500_000, 0.0005].map(formatTick)).toEqual(["0", "0.5", "15k", "2.5M", "5e-4"]);
  expect([0.4, 59.4, 90, 3700, 90_000, NaN].map(formatDuration)).toEqual(["0.4 s", "59 s", "1 min 30 s", "1 h 1 min", "1 d 1 h", "–"]);
});
