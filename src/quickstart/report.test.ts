import { describe, expect, it } from "vitest";
import { chooseTicks, formatTick, renderCurve, renderDistributions, smooth } from "../report/charts.ts";
import { parseCurves } from "./curves.ts";
import { renderHtml, type ReportPage } from "./report-html.ts";
import { renderMarkdown } from "./report-markdown.ts";
import { judgeReport, listFigures, type RLHFReport, type SideReport } from "./report.ts";

const before: SideReport = {
  mean_score: -0.2,
  outside_positive_share: 0.45,
  outside_interval: [0.39, 0.51],
  perplexity: 40,
  mean_length: 25,
  distinct_2: 0.8,
};
const after: SideReport & { kl: number } = {
  ...before,
  mean_score: 2.1,
  outside_positive_share: 0.8,
  outside_interval: [0.75, 0.84],
  perplexity: 38,
  distinct_2: 0.6,
  kl: 8.3,
};

function makeReport(change: Partial<typeof after> = {}): RLHFReport {
  return {
    path: "rlhf",
    seed: 7,
    seconds: 101.5,
    stages: [
      { name: "model", seconds: 1.5 },
      { name: "ppo", seconds: 100 },
    ],
    reward_model: { train_pairs: 1278, heldout_pairs: 222, heldout_accuracy: 0.9 },
    before,
    after: { ...after, ...change },
    samples: [{ prompt: "a <b>film</b>", before: " is | bad", after: " is & good" }],
  };
}

describe("judgeReport", () => {
  it("says that it worked where both hold", () => {
    expect(judgeReport(makeReport())).toMatchObject({ worked: true, better: true, readable: true });
  });
  it.each([
    ["perplexity above 1.5 times", { perplexity: 61 }],
    ["half of the bigrams gone", { distinct_2: 0.39 }],
  ])("says that the reward was gamed: %s", (_, change) => {
    expect(judgeReport(makeReport(change))).toMatchObject({
      worked: false,
      better: true,
      readable: false,
      headline: expect.stringContaining("gamed") as string,
    });
  });
  it("asks for the interval of the gain, not for intervals apart", () => {
    expect(judgeReport(makeReport({ outside_positive_share: 0.55, outside_interval: [0.49, 0.61] }))).toMatchObject({ better: true });
  });
  it("does not take what chance could do for a proof", () => {
    expect(judgeReport(makeReport({ outside_positive_share: 0.5, outside_interval: [0.44, 0.56] })).headline).toContain("Not proven");
  });
  it("says how many points were lost", () => {
    expect(judgeReport(makeReport({ outside_positive_share: 0.4, outside_interval: [0.34, 0.46] })).headline).toBe(
      "It did not work: 5 points fewer positive completions.",
    );
  });
  it("does not call an unchanged share a loss", () => {
    expect(judgeReport(makeReport({ outside_positive_share: 0.45, outside_interval: [0.39, 0.51] })).headline).toBe(
      "It did not work: as many positive completions as before.",
    );
  });
});

describe("curves", () => {
  const rows = [
    { step: 1, episode: 64, "objective/scores": 0.1, "objective/kl": 0 },
    { step: 2, episode: 128, "objective/scores": 0.4, "objective/kl": 1.5 },
  ];
  const jsonl = `${rows.map((row) => JSON.stringify(row)).join("\n")}\n`;

  it("come over episodes; what the run did not log is left out", () => {
    const curves = parseCurves(jsonl);
    expect(curves.map(({ title }) => title)).toEqual(["Reward", "KL"]);
    expect(curves[1].points).toEqual([
      { x: 64, y: 0 },
      { x: 128, y: 1.5 },
    ]);
  });
  it("need two points", () => {
    expect(parseCurves(JSON.stringify(rows[0]))).toEqual([]);
    expect(parseCurves("")).toEqual([]);
  });
  it("are drawn without NaN, also where they are flat", () => {
    const flat = { title: "Flat", meaning: "", points: [1, 2, 3].map((x) => ({ x, y: 0 })) };
    expect(renderCurve(flat, "episodes")).not.toContain("NaN");
    expect(renderDistributions([1, 1], [1, 1], "same")).not.toContain("NaN");
  });
});

describe("axes", () => {
  it("have round ticks inside", () => {
    expect(chooseTicks(0, 10, 4)).toEqual([0, 2.5, 5, 7.5, 10]);
    expect(chooseTicks(-0.31, 0.62, 4)).toEqual([-0.25, 0, 0.25, 0.5]);
    expect(chooseTicks(3, 3, 4).every(Number.isFinite)).toBe(true);
  });
  it("shorten thousands and use a true minus", () => {
    expect([0, 2500, -0.25, 12].map(formatTick)).toEqual(["0", "2.5k", "−0.25", "12"]);
  });
  it("follow the mean of the neighbours", () => {
    expect(smooth([0, 3, 6].map((y, x) => ({ x, y }))).map(({ y }) => y)).toEqual([1.5, 3, 4.5]);
  });
});

describe("the pages", () => {
  const sampled = (text: string): ReportPage["completions"]["before"] => [
    { prompt: "a <b>film</b>", promptIds: [1], text, ids: [2, 3], logprob: -4 },
  ];
  const page: ReportPage = {
    report: makeReport(),
    sides: {
      before: { summary: before, kl: 0, scores: [-1], outside: [-0.4] },
      after: { summary: after, kl: 8.3, scores: [2], outside: [0.7] },
    },
    completions: { before: sampled(" is | bad"), after: sampled(" is & good") },
    curves: parseCurves('{"step":1,"objective/kl":0}\n{"step":2,"objective/kl":2}'),
    version: "1.2.3",
  };

  it("HTML stands alone: nothing is loaded, nothing runs, text of models is text", () => {
    const html = renderHtml(page);
    expect(html).not.toMatch(/<script|src=|href=|@import|url\(/);
    expect(html).toContain("a &lt;b&gt;film&lt;/b&gt;</span> is &amp; good");
    expect(html).toContain("prefers-color-scheme:dark");
    expect(html.match(/<svg /g)?.length).toBe(3);
    expect(html).not.toMatch(/NaN|undefined/);
  });
  it("Markdown keeps its table whole", () => {
    const text = renderMarkdown(page.report);
    expect(text).toContain("| a &lt;b>film&lt;/b> | is \\| bad | is & good |");
    expect(text).not.toMatch(/NaN|undefined/);
  });
  it("show every figure of report.json on both sides", () => {
    expect(listFigures(page.report).length).toBe(Object.keys(before).length);
  });
});
