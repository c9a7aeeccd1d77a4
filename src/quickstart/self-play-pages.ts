/** report.md and report.html of the path self-play. */
import {
  escapeCell,
  escapeHtml,
  formatInterval,
  formatShare,
  renderCurve,
  renderDistributions,
  renderPage,
  renderShares,
  renderTiles,
  type Curve,
  type Tile,
} from "../report/index.ts";
import type { MeasuredSide, Sampled } from "./completions.ts";
import { describeOutsideScorer, renderFigures, renderMethod, renderSamples } from "./report-html.ts";
import { judgeReport, listFigures, type SelfPlayReport } from "./report.ts";

export type SelfPlayPage = {
  readonly report: SelfPlayReport;
  /** Of M1, M2 … */
  readonly sides: readonly MeasuredSide[];
  readonly completions: readonly (readonly Sampled[])[];
  readonly version: string;
};

const stageTitles = { model: "Sample the untuned model", self_rewarding: "Self-rewarding", spin: "SPIN", report: "Measure" };
const shownSamples = 8;

export function renderSelfPlayMarkdown(report: SelfPlayReport): string {
  const { judge, iterations, spin, samples, seed, seconds, stages } = report;
  const verdict = judgeReport(report);
  const last = iterations[iterations.length - 1].name;
  return [
    `# spar quickstart, self-play, seed ${seed}`,
    "",
    `**${verdict.headline}** ${verdict.reason}`,
    "",
    "| model | positive, outside scorer | mean length | distinct bigrams |",
    "|---|---|---|---|",
    ...[...iterations, spin].map(
      (row) =>
        `| ${row.name} | ${formatShare(row.outside_positive_share)} (${formatInterval(row.outside_interval)}) | ${row.mean_length.toFixed(1)} | ${formatShare(row.distinct_2)} |`,
    ),
    "",
    `| 256 openings, not trained on | M1 | ${last} | |`,
    "|---|---|---|---|",
    ...listFigures(report).map(({ name, before, after, meaning }) => `| ${name} | ${before} | ${after} | ${meaning} |`),
    "",
    `M1 grades by its own logits. On ${judge.heldout_n} sentences that it has not seen it agrees with the people who labelled them in ${formatShare(judge.heldout_accuracy)}.`,
    "",
    describeSpin(report),
    "",
    "## Samples",
    "",
    "The first openings of the held-out ones, which are in random order; temperature 1, the same random numbers for all models.",
    "",
    `| opening | M1 | ${last} |`,
    "|---|---|---|",
    ...samples
      .slice(0, shownSamples)
      .map((sample) => `| ${escapeCell(sample.prompt)} | ${escapeCell(sample.before)} | ${escapeCell(sample.after)} |`),
    "",
    "## Time",
    "",
    `${seconds.toFixed(0)} seconds: ${stages.map((stage) => `${stage.name} ${stage.seconds.toFixed(0)}`).join(", ")}.`,
    "",
  ].join("\n");
}

export function renderSelfPlayHtml({ report, sides, completions, version }: SelfPlayPage): string {
  const verdict = judgeReport(report);
  const { before, after, iterations, spin } = report;
  const last = iterations[iterations.length - 1].name;
  const shares = renderShares(
    [...iterations, spin].map(({ name, outside_positive_share, outside_interval }) => ({
      name,
      share: outside_positive_share,
      interval: outside_interval,
      kind: name === "M1" || name === spin.name ? ("before" as const) : ("after" as const),
    })),
    { text: "share of positive completions of each model" },
  );
  const ends = { before: sides[0], after: sides[sides.length - 1] };
  return renderPage({
    title: `spar quickstart, self-play, seed ${report.seed}`,
    subject: "quickstart",
    remarks: ["self-play", `seed ${report.seed}`, `${report.seconds.toFixed(0)} s`],
    headline: verdict.headline,
    reason: verdict.reason,
    body: [
      renderTiles(listTiles(report)),
      `<section><h2>From M1 to ${last}</h2>
<div class="pair">
<figure class="card"><figcaption><b>Positive completions</b> share by VADER, 95 % interval; SPIN beside it</figcaption>${shares}</figure>
<figure class="card"><figcaption><span class="key"><i class="before"></i>M1<i class="after"></i>${last}</span><b>Grades</b> each completion's, by M1</figcaption>${renderDistributions(ends.before.scores, ends.after.scores, `distribution of M1's grades of M1 and ${last}`)}</figure>
</div>
${renderFigures(report, ["M1", last])}</section>`,
      renderIterations(report),
      renderSamples({
        report,
        sides: ends,
        completions: { before: completions[0], after: completions[completions.length - 1] },
        scorer: "grade",
      }),
      renderMethod(report, stageTitles, [
        `<b>The judge.</b> Sentences that people labelled positive or negative (Kotzias et al. 2015) taught M1 to write “good” or “bad” after a text. The grade is the probability of “good”, out of the model's own logits. On ${report.judge.heldout_n} other sentences it agrees with people in ${formatShare(report.judge.heldout_accuracy)}.`,
        `<b>The loop.</b> In each iteration the model answers training openings several times, grades its answers itself, and learns by DPO to prefer the best to the worst (Yuan et al. 2024). ${escapeHtml(describeSpin(report))}`,
        describeOutsideScorer(before.outside_interval, after.outside_interval),
      ]),
    ].join("\n"),
    footer: `Made by spar ${version}. The figures are in report.json, all completions of every model in samples.jsonl beside this file.`,
  });
}

function listTiles({ before, after, iterations, judge }: SelfPlayReport): Tile[] {
  const gain = 100 * (after.outside_positive_share - before.outside_positive_share);
  return [
    {
      label: "positive completions",
      value: `${gain < 0 ? "−" : "+"}${Math.abs(gain).toFixed(0)}`,
      unit: "points",
      note: `${iterations.map((row) => formatShare(row.outside_positive_share)).join(" → ")}, by an outside scorer`,
    },
    {
      label: "perplexity",
      value: `×${(after.perplexity / before.perplexity).toFixed(2)}`,
      note: `${before.perplexity.toFixed(0)} → ${after.perplexity.toFixed(0)} under the untuned model; lower is plainer`,
    },
    {
      label: "judge, held out",
      value: (100 * judge.heldout_accuracy).toFixed(0),
      unit: "%",
      note: `agrees with people on ${judge.heldout_n} sentences it has not seen`,
    },
    {
      label: "length",
      value: `×${(after.mean_length / before.mean_length).toFixed(2)}`,
      note: `${before.mean_length.toFixed(0)} → ${after.mean_length.toFixed(0)} tokens a completion`,
    },
  ];
}

function renderIterations({ iterations }: SelfPlayReport): string {
  const curve = (title: string, meaning: string, value: (row: SelfPlayReport["iterations"][number]) => number): Curve => ({
    title,
    meaning,
    points: iterations.map((row, i) => ({ x: i + 1, y: value(row) })),
  });
  const curves = [
    curve("Positive", "share by the outside scorer", (row) => row.outside_positive_share),
    curve("Length", "tokens a completion: judges like length", (row) => row.mean_length),
    curve("Diversity", "different bigrams ÷ all", (row) => row.distinct_2),
  ];
  const cards = curves.map(
    (one) => `<figure class="card"><figcaption><b>${one.title}</b> ${one.meaning}</figcaption>${renderCurve(one, "th model")}</figure>`,
  );
  return `<section><h2>Iteration by iteration</h2><p class="lead">M1, M2 and so on from left to right. A loop that fools itself shows here: grades rise, and with them length, while diversity falls.</p><div class="curves">${cards.join("")}</div></section>`;
}

function describeSpin({ spin, before }: SelfPlayReport): string {
  const gains = spin.gains.map(({ gain, accuracy }, i) => `iteration ${i}: ${gain.toFixed(3)} nats, ${formatShare(accuracy)} told apart`);
  return `SPIN, on people's sentences instead of grades, from the untuned model: gain over its opponent in ${gains.join("; ")}. It imitates people, who praise and blame, and ends at ${formatShare(spin.outside_positive_share)} positive (perplexity ${spin.perplexity.toFixed(0)}; M1 ${before.perplexity.toFixed(0)}).`;
}
