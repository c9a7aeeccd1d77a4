import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareResults, listComparison } from "./compare-results.ts";
import { renderComparisonMarkdown, renderComparisonPage } from "./comparison-page.ts";
import { intervalOfShare } from "./interval.ts";
import { loadResult } from "./load-result.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "spar-compare-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(name: string, files: { readonly [file: string]: unknown }): string {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  for (const [file, content] of Object.entries(files))
    writeFileSync(
      join(folder, file),
      Array.isArray(content) ? content.map((row) => JSON.stringify(row)).join("\n") : JSON.stringify(content),
    );
  return folder;
}

const prompts = Array.from({ length: 100 }, (_, i) => `opening ${i}`);
const side = (positive: number, changes = {}) => ({
  outside_positive_share: positive / 100,
  outside_interval: intervalOfShare(positive, 100),
  perplexity: 30,
  mean_length: 25,
  distinct_2: 0.9,
  ...changes,
});

/** A quickstart whose first `after` answers of 100 are positive; `seed` decides the prompts. */
function quickstart(name: string, path: string, after: number, { seed = 1, changes = {}, samples = true } = {}): string {
  const own = prompts.map((prompt) => `${prompt} of seed ${seed}`);
  const rows = (step: number, positive: number) =>
    own.map((prompt, i) => ({ step, prompt, completion: "x", scores: { vader: i < positive ? 0.5 : 0 } }));
  return write(name, {
    "report.json": {
      path,
      seed,
      before: side(40),
      after: side(after, { kl: 9, ...changes }),
      ...(path === "self-play"
        ? {
            iterations: ["M1", "M2", "M3"].map((one, i) => ({
              name: one,
              outside_positive_share: 0.4 + i / 10,
              outside_interval: [0.3 + i / 10, 0.5 + i / 10],
            })),
          }
        : {}),
      samples: own.slice(0, 20).map((prompt) => ({ prompt, before: "was", after: `${path} <b>` })),
    },
    ...(samples ? { "samples.jsonl": [...rows(0, 40), ...rows(9, after)] } : {}),
  });
}

const compare = async (...folders: string[]) => compareResults(await Promise.all(folders.map(loadResult)));
const positive = (comparison: Awaited<ReturnType<typeof compare>>) =>
  comparison.differences.find(({ measure }) => measure === "positive completions");

describe("comparing both paths' quickstarts", () => {
  test("prompt by prompt where the answers are there", async () => {
    const comparison = await compare(quickstart("a", "rlhf", 80), quickstart("b", "self-play", 60));
    const difference = positive(comparison);
    expect(difference).toMatchObject({ a: "rlhf", b: "self-play", paired: true, better: "rlhf" });
    expect(difference?.difference).toBeCloseTo(0.2, 12);
    // 20 of 100 pairs differ, all to one side: ±2·√(.2·.8/100).
    expect(difference?.interval?.[0]).toBeCloseTo(0.12, 1);
    expect(difference?.interval?.[1]).toBeCloseTo(0.28, 1);
    expect(comparison.headline).toBe("rlhf does better: positive completions 80.0 % against 60.0 % of self-play.");
    expect(comparison.runs[1]).toMatchObject({ group: "self-play", kind: "quickstart", before: { "positive completions": 0.4 } });
    expect(comparison.notes).toEqual([]);
  });

  test("the winner may come second, and a small difference proves nothing", async () => {
    expect((await compare(quickstart("c", "rlhf", 50), quickstart("d", "self-play", 75))).headline).toMatch(
      /^self-play does better: .* 75\.0 % against 50\.0 % of rlhf/,
    );
    const close = await compare(quickstart("e", "rlhf", 61, { samples: false }), quickstart("f", "self-play", 60, { samples: false }));
    expect(positive(close)).toMatchObject({ paired: false, better: null });
    expect(close.headline).toMatch(/^Not proven/);
  });

  test("several seeds of each path are paired seed by seed", async () => {
    const folders = [1, 2, 3].flatMap((seed) => [
      quickstart(`r${seed}`, "rlhf", 70 + seed, { seed }),
      quickstart(`s${seed}`, "self-play", 60 + seed, { seed }),
    ]);
    const comparison = await compare(...folders);
    expect(positive(comparison)).toMatchObject({ a: "rlhf", b: "self-play", paired: true, better: "rlhf" });
    expect(positive(comparison)?.difference).toBeCloseTo(0.1, 12);
    expect(comparison.reason).toMatch(/means over 6 runs/);
    expect(comparison.notes.join()).not.toMatch(/positive completions/);
  });

  test("two seeds of one path: other draws of the same openings, so not in pairs", async () => {
    const comparison = await compare(quickstart("g", "rlhf", 90, { seed: 1 }), quickstart("h", "rlhf", 60, { seed: 2 }));
    expect(positive(comparison)).toMatchObject({ paired: false, better: join(root, "g") });
    // Newcombe's interval of 90 − 60 of 100.
    expect(positive(comparison)?.interval?.[0]).toBeCloseTo(0.185, 2);
    expect(positive(comparison)?.interval?.[1]).toBeCloseTo(0.406, 2);
    expect(comparison.reason).toMatch(/2 different draws/);
    expect(comparison.reason).not.toMatch(/Not compared/);
    expect(comparison.notes).toHaveLength(1);
    expect(comparison.notes[0]).toMatch(/^Compared on 2 different draws of prompts, not prompt by prompt: .*positive completions/);
  });

  test("texts that suffered are told, and samples.jsonl that does not fit the report is not used", async () => {
    const comparison = await compare(
      quickstart("i", "rlhf", 95, { changes: { perplexity: 90, distinct_2: 0.1 } }),
      quickstart("j", "self-play", 60),
    );
    expect(comparison.reason).toMatch(/Beware: the texts of .*i suffered \(perplexity ×3\.00, different bigrams ×0\.11\)/);
    const edited = quickstart("k", "rlhf", 80);
    writeFileSync(join(edited, "samples.jsonl"), `${JSON.stringify({ step: 0, prompt: "a", scores: { vader: 1 } })}\n{"step":9`);
    expect((await loadResult(edited)).measures[0].perPrompt).toBeUndefined();
  });

  test("the page and the table show both, as text", async () => {
    const results = await Promise.all([quickstart("l", "rlhf", 80), quickstart("m", "self-play", 60)].map(loadResult));
    const page = renderComparisonPage(compareResults(results), results, "1");
    expect(page).toContain("rlhf does better");
    expect(page).toContain("M3");
    expect(page).toContain("self-play &lt;b&gt;");
    expect(page).not.toContain("<b>\n");
    expect(listComparison(results)[0]).toEqual([
      "positive completions",
      "40.0 % → 80.0 % (71.1 % to 86.7 %)",
      "40.0 % → 60.0 % (50.2 % to 69.1 %)",
    ]);
    expect(renderComparisonMarkdown(compareResults(results), results)).toMatch(/\| positive completions \| 40\.0 % → 80\.0 %/);
  });
});

describe("comparing evaluations", () => {
  const evaluation = (name: string, changes: { readonly [key: string]: unknown }, verdicts: readonly string[]) =>
    write(name, {
      "report.json": {
        kind: "eval",
        model: name,
        against: "base",
        judge: "rule:length",
        reference: null,
        reward_funcs: [],
        settings: { temperature: 1 },
        prompts: { file: "p", n: verdicts.length, sha256: "same" },
        win_rate: verdicts.filter((verdict) => verdict === "win").length / verdicts.length,
        interval: [0, 1],
        sides: { model: { model: name, mean_length: 5 } },
        samples: [],
        ...changes,
      },
      "samples.jsonl": verdicts.map((verdict, i) => ({ prompt: `p${i}`, verdict })),
    });
  const wins = (count: number): string[] => Array.from({ length: 60 }, (_, i) => (i < count ? "win" : "lose"));

  test("win rates by the same judge against the same model on the same prompts", async () => {
    const comparison = await compare(evaluation("one", {}, wins(50)), evaluation("two", {}, wins(20)));
    expect(comparison.differences.find(({ measure }) => measure === "win rate")).toMatchObject({
      difference: 0.5,
      paired: true,
      better: "one, temperature 1",
    });
  });

  test("other judges and other prompts are not set against each other, and it is said why", async () => {
    const judged = await compare(evaluation("three", {}, wins(50)), evaluation("four", { judge: "rule:distinct" }, wins(20)));
    expect(judged.differences.map(({ measure }) => measure)).toEqual(["length"]);
    expect(judged.notes[0]).toMatch(
      /^Not compared: win rate: measured by different scorers \(rule:length, against base; rule:distinct, against base\)/,
    );
    const asked = await compare(
      evaluation("five", {}, wins(50)),
      evaluation("six", { prompts: { file: "q", n: 60, sha256: "other" } }, wins(20)),
    );
    expect(asked.differences).toEqual([]);
    expect(asked.headline).toMatch(/cannot be set against each other/);
    expect(asked.reason).toMatch(/win rate, length: measured on different prompts\./);
  });

  test("the page's large figures are those that may be compared; differences of shares are points", async () => {
    const sides = (name: string, grade: number, distinct: number) => ({
      sides: { model: { model: name, distinct_2: distinct, kl: 2e-7, grade: { mean: grade, interval: [grade - 0.01, grade + 0.01] } } },
    });
    const folders = [
      evaluation("seven", { against: "eight", ...sides("seven", 0.4, 0.9) }, wins(50)),
      evaluation("eight", { against: "seven", ...sides("eight", 0.1, 0.6) }, wins(20)),
    ];
    const results = await Promise.all(folders.map(loadResult));
    const page = renderComparisonPage(compareResults(results), results, "1");
    expect(page).toContain("seven, temperature 1 does better: grade 0.4 against 0.1");
    const [tiles] = page.split("<h2>Figures</h2>");
    expect(tiles).toContain("0.4");
    expect(tiles).not.toContain("83.3");
    expect(page).not.toContain("win rate of each run");
    expect(page).toContain("<td>+30.0 points</td>");
    expect(page).toContain("2e−7");
    // Nothing may be compared: no figure is put forward.
    const other = await Promise.all([folders[0], evaluation("nine", { prompts: { sha256: "other" } }, wins(3))].map(loadResult));
    expect(renderComparisonPage(compareResults(other), other, "1").split("<h2>Figures</h2>")[0]).not.toContain("83.3");
  });

  test("training runs are shown beside each other, and nothing is concluded", async () => {
    const run = (name: string, loss: number) =>
      write(name, {
        "metrics.jsonl": [
          { step: 1, loss: 9 },
          { step: 2, loss },
          { step: 2, eval_loss: loss / 2 },
        ],
      });
    const comparison = await compare(run("t1", 3), run("t2", 2));
    expect(comparison.runs[0].measures).toMatchObject({ loss: { value: 3 }, eval_loss: { value: 1.5 } });
    expect(comparison.differences).toEqual([]);
  });

  test("self-play runs show what was watched from model to model", async () => {
    const last = { "outside/win_rate": 0.7, "outside/mean_score": 1.5, "answers/mean_length": 9, "answers/distinct_2": 0.4, ties: 0.1 };
    const rewarding = (name: string) =>
      write(name, {
        "metrics.jsonl": [
          { step: 1, "outside/mean_score": 0.5, "answers/mean_length": 6, "answers/distinct_2": 0.5 },
          { step: 2, pairs: 4, "answers/length_growth": 1.5, ...last },
        ],
      });
    const { runs } = await compare(rewarding("sr1"), rewarding("sr2"));
    const valuesOf = ({ measures }: (typeof runs)[number]) =>
      Object.fromEntries(Object.entries(measures).map(([key, { value }]) => [key, value]));
    expect(runs.map(valuesOf)).toEqual([
      { ...last, "answers/length_growth": 1.5 },
      { ...last, "answers/length_growth": 1.5 },
    ]);
    const gains = { "gain/gain": 0.1, "gain/loss": 0.59, "gain/margin": 0.3, "gain/accuracy": 0.8 };
    const spin = await loadResult(write("spin", { "metrics.jsonl": [{ step: 1, iteration: 0, ...gains }] }));
    expect(Object.fromEntries(spin.measures.map(({ name, value }) => [name, value]))).toEqual(gains);
  });

  test("what is no result", async () => {
    await expect(loadResult(join(root, "nowhere"))).rejects.toMatchObject({
      code: "evaluation/no-result",
      message: expect.stringContaining("no such folder") as string,
    });
    await expect(loadResult(write("odd", { "report.json": { a: 1 } }))).rejects.toMatchObject({ code: "evaluation/no-result" });
    const one = await loadResult(quickstart("n", "rlhf", 80));
    expect(() => compareResults([one])).toThrow(/at least two runs, got 1/);
    expect(() => compareResults([one, one])).toThrow(/expected each run once, got .*n twice/);
  });
});
