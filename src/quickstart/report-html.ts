/** report.html: one file without anything from outside, for light and dark screens, wide and narrow. */
import {
  escapeHtml,
  formatInterval,
  formatShare,
  formatSigned,
  renderCurve,
  renderDistributions,
  renderPage,
  renderShares,
  renderTiles,
  type Tile,
} from "../report/index.ts";
import type { MeasuredSide, Sampled } from "./completions.ts";
import type { Curves } from "./curves.ts";
import { judgeReport, listFigures, type QuickstartReport, type RLHFReport } from "./report.ts";

export type ReportPage = {
  readonly report: RLHFReport;
  readonly sides: { readonly before: MeasuredSide; readonly after: MeasuredSide };
  readonly completions: { readonly before: readonly Sampled[]; readonly after: readonly Sampled[] };
  readonly curves: Curves;
  readonly version: string;
};

export function renderHtml(page: ReportPage): string {
  const { report, version } = page;
  const verdict = judgeReport(report);
  return renderPage({
    title: `spar quickstart, seed ${report.seed}`,
    subject: "quickstart",
    remarks: [`seed ${report.seed}`, `${report.seconds.toFixed(0)} s`],
    headline: verdict.headline,
    reason: verdict.reason,
    body: [
      renderTiles(listTiles(report)),
      renderOutcome(page),
      renderCurves(page.curves),
      renderSamples({ ...page, scorer: "reward" }),
      renderMethod(report, stageTitles, describeMethod(report)),
    ].join("\n"),
    footer: `Made by spar ${version}. The figures are in report.json, all ${page.completions.after.length} completions of either model in samples.jsonl beside this file.`,
  });
}

function listTiles({ before, after, reward_model: rewardModel }: RLHFReport): Tile[] {
  const gain = 100 * (after.outside_positive_share - before.outside_positive_share);
  return [
    {
      label: "positive completions",
      value: `${gain < 0 ? "−" : "+"}${Math.abs(gain).toFixed(0)}`,
      unit: "points",
      note: `${formatShare(before.outside_positive_share)} → ${formatShare(after.outside_positive_share)}, by an outside scorer`,
    },
    {
      label: "perplexity",
      value: `×${(after.perplexity / before.perplexity).toFixed(2)}`,
      note: `${before.perplexity.toFixed(0)} → ${after.perplexity.toFixed(0)} under the untuned model; lower is plainer`,
    },
    { label: "distance moved (KL)", value: after.kl.toFixed(1), unit: "nats", note: "a completion, from the untuned model" },
    {
      label: "reward model, held out",
      value: (100 * rewardModel.heldout_accuracy).toFixed(0),
      unit: "%",
      note: `right on ${rewardModel.heldout_pairs} comparisons it has not seen`,
    },
  ];
}

function renderOutcome({ report, sides }: ReportPage): string {
  const { before, after } = report;
  const shares = renderShares([
    { name: "before", share: before.outside_positive_share, interval: before.outside_interval, kind: "before" },
    { name: "after", share: after.outside_positive_share, interval: after.outside_interval, kind: "after" },
  ]);
  return `<section><h2>Before and after</h2>
<div class="pair">
<figure class="card"><figcaption><b>Positive completions</b> share by VADER, 95 % interval</figcaption>${shares}</figure>
<figure class="card"><figcaption><span class="key"><i class="before"></i>before<i class="after"></i>after</span><b>Reward</b> each completion's, by the reward model</figcaption>${renderDistributions(sides.before.scores, sides.after.scores, "distribution of rewards before and after")}</figure>
</div>
${renderFigures(report, ["before", "after"])}</section>`;
}

function renderCurves(curves: Curves): string {
  if (curves.length === 0) return "";
  const cards = curves.map(
    (curve) =>
      `<figure class="card"><figcaption><b>${curve.title}</b> ${curve.meaning}</figcaption>${renderCurve(curve, "episodes")}</figure>`,
  );
  return `<section><h2>While it learnt</h2><p class="lead">PPO, over the episodes: one episode is one completion, sampled, scored and learnt from. Thin: each update; thick: smoothed.</p><div class="curves">${cards.join("")}</div></section>`;
}

/** Samples side by side, marked by the outside scorer and by what was maximised (`scorer`). */
export function renderSamples({
  report,
  sides,
  completions,
  scorer,
}: Pick<ReportPage, "sides" | "completions"> & { readonly report: QuickstartReport; readonly scorer: string }): string {
  const byPrompt = new Map(completions.before.map(({ prompt }, i) => [prompt, i]));
  const cell = (kind: "before" | "after", prompt: string, text: string): string => {
    const index = byPrompt.get(prompt) as number;
    const [score, outside] = [sides[kind].scores[index], sides[kind].outside[index]];
    const tone = outside >= 0.05 ? "up" : outside <= -0.05 ? "down" : "even";
    return `<div class="text ${kind}"><p><span class="prompt">${escapeHtml(prompt)}</span>${escapeHtml(text)}</p><p class="marks"><span class="side">${kind}</span><span class="mark ${tone}" title="VADER's compound score, −1 to 1">${tone === "up" ? "positive" : tone === "down" ? "negative" : "neutral"} ${formatSigned(outside)}</span><span class="mark" title="what was maximised">${scorer} ${formatSigned(score)}</span></p></div>`;
  };
  const rows = report.samples.map(
    (sample) => `<li>${cell("before", sample.prompt, sample.before)}${cell("after", sample.prompt, sample.after)}</li>`,
  );
  return `<section><h2>Samples</h2><p class="lead">The first held-out openings, which are in random order: nobody chose them. Temperature 1, the same random numbers on both sides.</p><ol class="samples">${rows.join("")}</ol></section>`;
}

/** Table of before and after. */
export function renderFigures(report: QuickstartReport, names: readonly [before: string, after: string]): string {
  const rows = listFigures(report).map(
    ({ name, before: left, after: right, meaning }) =>
      `<tr><th scope="row">${name}<small>${meaning}</small></th><td>${left}</td><td>${right}</td></tr>`,
  );
  return `<div class="card table"><table><thead><tr><th scope="col">256 openings, not trained on</th><th scope="col">${names[0]}</th><th scope="col">${names[1]}</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

/** How it was made: a bar of the stages' times, and paragraphs (HTML). */
export function renderMethod(
  { stages, seconds }: QuickstartReport,
  titles: { readonly [stage: string]: string },
  prose: readonly string[],
): string {
  const bar = stages.map(
    ({ name, seconds: part }, i) =>
      `<i class="part p${i}" style="flex-grow:${Math.max(part, seconds / 100).toFixed(2)}" title="${titles[name] ?? name}: ${part.toFixed(1)} s"></i>`,
  );
  const legend = stages.map(
    ({ name, seconds: part }, i) => `<li><i class="p${i}"></i>${titles[name] ?? name}<b>${part.toFixed(0)} s</b></li>`,
  );
  return `<section><h2>How it was made</h2>
<div class="card"><div class="time">${bar.join("")}</div><ul class="legend">${legend.join("")}</ul></div>
<div class="prose">
${prose.map((paragraph) => `<p>${paragraph}</p>`).join("\n")}
</div></section>`;
}

function describeMethod({ reward_model: rewardModel, before, after }: RLHFReport): string[] {
  return [
    `<b>The judgements.</b> ${rewardModel.train_pairs.toLocaleString("en")} comparisons of a sentence that people labelled positive with one that they labelled negative (Kotzias et al. 2015) taught the reward model. ${rewardModel.heldout_pairs} comparisons of other sentences tested it.`,
    "<b>The tuning.</b> PPO raised that reward on openings of reviews, with a penalty for leaving the untuned model.",
    describeOutsideScorer(before.outside_interval, after.outside_interval),
  ];
}

export function describeOutsideScorer(before: readonly [number, number], after: readonly [number, number]): string {
  return `<b>The outside scorer.</b> VADER is a lexicon with rules (Hutto &amp; Gilbert 2014). No model was trained on it, so it tells learning from gaming: ${formatInterval(before)} of completions were positive, ${formatInterval(after)} are. What it cannot see is sense; for that read the samples, the perplexity and the share of different bigrams.`;
}

const stageTitles = { model: "Load the model, sample", reward_model: "Reward model", ppo: "PPO", report: "Measure" };
