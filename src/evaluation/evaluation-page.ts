/** report.html and report.md of `spar eval`. */
import { escapeCell, escapeHtml, renderDistributions, renderPage, renderShares, renderTiles, type Tile } from "../report/index.ts";
import {
  concludeEvaluation,
  describePrompt,
  listEvaluation,
  shortenName,
  type EvaluationReport,
  type EvaluationSample,
} from "./evaluation-report.ts";

const percent = (share: number): string => (100 * share).toFixed(1);

export function renderEvaluationPage(report: EvaluationReport, rewards: readonly (readonly number[])[]): string {
  const { headline, reason } = concludeEvaluation(report);
  return renderPage({
    title: `spar eval: ${shortenName(report.model)}`,
    subject: "eval",
    remarks: [
      report.against === null ? shortenName(report.model) : `${shortenName(report.model)} against ${shortenName(report.against)}`,
      ...(report.prompts === null ? [] : [`${report.prompts.n} prompts`]),
      `${report.seconds.toFixed(0)} s`,
    ],
    headline,
    reason,
    body: [
      renderTiles(listTiles(report)),
      renderFigures(report, rewards),
      renderBench(report),
      renderSamples(report),
      renderMethod(report),
    ].join("\n"),
    footer: `Made by spar ${report.spar}. The figures are in report.json, all answers as JSON lines beside this file.`,
  });
}

function listTiles(report: EvaluationReport): Tile[] {
  const { win_rate: rate, interval, length_controlled: controlled, sides } = report;
  const { model, against } = sides;
  const tiles: Tile[] = [];
  const versus = (value: string | undefined): string => (value === undefined ? "" : `; the other ${value}`);
  if (rate !== null && rate !== undefined && interval)
    tiles.push({ label: "win rate", value: percent(rate), unit: "%", note: `95 %: ${percent(interval[0])} to ${percent(interval[1])}` });
  if (controlled !== null && controlled !== undefined)
    tiles.push({ label: "win rate, length controlled", value: percent(controlled), unit: "%", note: "if both answers were equally long" });
  if (model.gsm8k)
    tiles.push({
      label: "GSM8K",
      value: percent(model.gsm8k.accuracy),
      unit: "%",
      note: `of ${model.gsm8k.n} right${versus(against?.gsm8k && `${percent(against.gsm8k.accuracy)} %`)}`,
    });
  if (typeof model.mt_bench?.mean === "number")
    tiles.push({
      label: "MT-bench",
      value: model.mt_bench.mean.toFixed(2),
      note: `mean grade${versus(against?.mt_bench?.mean?.toFixed(2))}`,
    });
  if (model.mean_reward !== undefined)
    tiles.push({
      label: "mean reward",
      value: model.mean_reward.toFixed(2).replace("-", "−"),
      note: `of ${model.answers} answers${versus(against?.mean_reward?.toFixed(2))}`,
    });
  if (model.grade)
    tiles.push({ label: "mean grade", value: model.grade.mean.toFixed(2), note: `by the judge${versus(against?.grade?.mean.toFixed(2))}` });
  if (model.kl !== null && model.kl !== undefined)
    tiles.push({ label: "distance from the reference (KL)", value: model.kl.toFixed(1), unit: "nats", note: "an answer" });
  if (model.mean_length !== undefined)
    tiles.push({
      label: "length",
      value: model.mean_length.toFixed(0),
      unit: "tokens",
      note: `an answer${versus(against?.mean_length?.toFixed(0))}`,
    });
  if (model.text_perplexity !== undefined)
    tiles.push({ label: "perplexity of the texts", value: model.text_perplexity.toFixed(1), note: `over ${model.text_tokens} tokens` });
  return tiles.slice(0, 4);
}

function renderFigures(report: EvaluationReport, rewards: readonly (readonly number[])[]): string {
  const { win = 0, tie = 0, lose = 0, against, model } = report;
  const charts: string[] = [];
  const verdicts = win + tie + lose;
  if (verdicts > 0) {
    const parts = [
      { name: "wins", count: win, tone: "p2" },
      { name: "ties", count: tie, tone: "p0" },
      { name: "losses", count: lose, tone: "p1" },
    ];
    const bar = parts.map(({ name, count, tone }) => `<i class="part ${tone}" style="flex-grow:${count}" title="${name}: ${count}"></i>`);
    const legend = parts.map(({ name, count, tone }) => `<li><i class="${tone}"></i>${name}<b>${count}</b></li>`);
    const rates = [
      { name: "as judged", share: report.win_rate, interval: report.interval },
      { name: "equal length", share: report.length_controlled, interval: report.length_controlled_interval },
    ].flatMap(({ name, share, interval }) =>
      share === null || share === undefined || !interval ? [] : [{ name, share, interval, kind: "after" as const }],
    );
    charts.push(
      `<figure class="card"><figcaption><b>Win rate</b> of ${escapeHtml(shortenName(model))}; ties count half, 95 % intervals</figcaption><div class="time">${bar.join("")}</div><ul class="legend">${legend.join("")}</ul>${renderShares(rates, { text: "win rate, as judged and length controlled", left: 96 })}</figure>`,
    );
  }
  if (rewards.length === 2 && rewards.every((values) => values.length > 1))
    charts.push(
      `<figure class="card"><figcaption><span class="key"><i class="before"></i>the other<i class="after"></i>the model</span><b>Reward</b> of each answer</figcaption>${renderDistributions(rewards[1], rewards[0], "distribution of the rewards of both models")}</figure>`,
    );
  const rows = listEvaluation(report).map(
    ({ name, meaning, model: left, against: right }) =>
      `<tr><th scope="row">${escapeHtml(name)}<small>${escapeHtml(meaning)}</small></th><td>${escapeHtml(left)}</td>${right === undefined ? "" : `<td>${escapeHtml(right)}</td>`}</tr>`,
  );
  const head = `<tr><th scope="col">figure</th><th scope="col">${escapeHtml(shortenName(model))}</th>${against === null ? "" : `<th scope="col">${escapeHtml(shortenName(against))}</th>`}</tr>`;
  return `<section><h2>Figures</h2>
${charts.length === 0 ? "" : `<div class="pair">${charts.join("")}</div>`}
<div tabindex="0" role="region" aria-label="figures" class="card table wide sides"><table><thead>${head}</thead><tbody>${rows.join("")}</tbody></table></div></section>`;
}

function renderBench({ sides, mt_bench_turns: turns }: EvaluationReport): string {
  const { model, against } = sides;
  if (turns !== undefined) {
    const rows = turns.map(
      ({ win, tie, lose }, i) => `<tr><th scope="row">turn ${i + 1}</th><td>${win}</td><td>${tie}</td><td>${lose}</td></tr>`,
    );
    return `<section><h2>MT-bench</h2><div class="card table"><table><thead><tr><th scope="col">answers</th><th scope="col">wins</th><th scope="col">ties</th><th scope="col">losses</th></tr></thead><tbody>${rows.join("")}</tbody></table></div></section>`;
  }
  if (model.mt_bench === undefined) return "";
  const show = (value: number | null | undefined): string => (value === null || value === undefined ? "–" : value.toFixed(2));
  const rows = Object.entries(model.mt_bench.categories).map(
    ([category, value]) =>
      `<tr><th scope="row">${escapeHtml(category)}</th><td>${show(value)}</td>${against === undefined ? "" : `<td>${show(against.mt_bench?.categories[category])}</td>`}</tr>`,
  );
  return `<section><h2>MT-bench by category</h2><div tabindex="0" role="region" aria-label="figures" class="card table wide sides"><table><thead><tr><th scope="col">mean grade</th><th scope="col">${escapeHtml(shortenName(model.model))}</th>${against === undefined ? "" : `<th scope="col">${escapeHtml(shortenName(against.model))}</th>`}</tr></thead><tbody>${rows.join("")}</tbody></table></div></section>`;
}

function renderSamples({ samples, against, model }: EvaluationReport): string {
  if (samples.length === 0) return "";
  const names = { model: shortenName(model), against: shortenName(against ?? "") };
  const cell = (sample: EvaluationSample, side: "model" | "against"): string => {
    const text = sample[side] ?? "";
    const reward = sample.rewards?.[side === "model" ? 0 : 1];
    const outcome =
      side === "model" ? sample.verdict : sample.verdict === "win" ? "lose" : sample.verdict === "lose" ? "win" : sample.verdict;
    const tone = outcome === "win" ? "up" : outcome === "lose" ? "down" : "even";
    const marks = [
      outcome === undefined
        ? ""
        : `<span class="mark ${tone}">${{ win: "preferred", lose: "not preferred", tie: "tie" }[outcome ?? "tie"]}${outcome === null ? " (no verdict)" : ""}</span>`,
      reward === undefined || reward === null ? "" : `<span class="mark">reward ${reward.toFixed(2).replace("-", "−")}</span>`,
    ];
    return `<div class="text ${side === "model" ? "before" : "after"}"><p>${escapeHtml(text.trim())}</p><p class="marks"><span class="side">${escapeHtml(names[side])}</span>${marks.join("")}</p></div>`;
  };
  const rows = samples.map(
    (sample) =>
      `<li class="asked${against === null ? " single" : ""}"><p class="question">${escapeHtml(describePrompt(sample.prompt))}</p>${cell(sample, "model")}${against === null ? "" : cell(sample, "against")}</li>`,
  );
  return `<section><h2>Samples</h2><p class="lead">The first prompts of the file, in its order: nobody chose them.</p><ol class="samples">${rows.join("")}</ol></section>`;
}

function renderMethod(report: EvaluationReport): string {
  const { settings, judge, reference, prompts, against } = report;
  const same = against === null ? "" : "; the same random numbers for both models";
  const compares = report.n !== undefined || report.mt_bench_turns !== undefined;
  const paragraphs = [
    prompts === null
      ? ""
      : `<p><b>The answers.</b> Temperature ${settings.temperature}, top-p ${settings.top_p}, at most ${settings.max_new_tokens} new tokens, seed ${settings.seed}${same}. Prompts: ${escapeHtml(prompts.file)}.</p>`,
    report.gsm8k_file === undefined
      ? ""
      : `<p><b>GSM8K.</b> Greedy unless flags said otherwise. The number after the last #### counts, or else the last number. Questions: ${escapeHtml(report.gsm8k_file)}.</p>`,
    report.mt_bench_file === undefined
      ? ""
      : `<p><b>MT-bench.</b> Temperatures by category unless flags said otherwise, seed ${settings.seed}${same}. Points are this judge's, not the published ones. Questions: ${escapeHtml(report.mt_bench_file)}.</p>`,
    judge === null
      ? ""
      : `<p><b>The judge.</b> ${escapeHtml(judge)}. ${compares ? "Every pair is judged in both orders, and what changes with the order is a tie. " : ""}How far the judge can be believed, <code>spar judge --agree</code> measures.</p>`,
    report.length_controlled === undefined
      ? ""
      : `<p><b>Length.</b> Judges prefer long answers. The length-controlled rate is that of AlpacaEval 2 (Dubois et al. 2024): a logistic regression of the verdicts on tanh of the standardised difference of length, read where the difference is zero.</p>`,
    reference === null
      ? ""
      : `<p><b>The reference.</b> ${escapeHtml(reference)}. KL is the mean of log p(model) − log p(reference) over the model's own answers; perplexity says how strange the answers are to the reference.</p>`,
  ];
  return `<section><h2>How it was measured</h2><div class="prose">${paragraphs.join("")}</div></section>`;
}

export function renderEvaluationMarkdown(report: EvaluationReport): string {
  const { headline, reason } = concludeEvaluation(report);
  const { against, model, samples } = report;
  const columns = against === null ? ["figure", shortenName(model)] : ["figure", shortenName(model), shortenName(against)];
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeCell).join(" | ")} |`;
  return [
    `# spar eval: ${shortenName(model)}${against === null ? "" : ` against ${shortenName(against)}`}`,
    "",
    `**${headline}** ${reason}`,
    "",
    line([...columns, ""]),
    `|${"---|".repeat(columns.length + 1)}`,
    ...listEvaluation(report).map(({ name, meaning, model: left, against: right }) =>
      line([name, left, ...(right === undefined ? [] : [right]), meaning]),
    ),
    "",
    ...(samples.length === 0
      ? []
      : [
          "## Samples",
          "",
          line(["prompt", ...columns.slice(1), ...(report.judge === null || against === null ? [] : ["verdict"])]),
          `|${"---|".repeat(columns.length + (report.judge === null || against === null ? 0 : 1))}`,
          ...samples
            .slice(0, 12)
            .map((sample) =>
              line([
                describePrompt(sample.prompt),
                sample.model,
                ...(sample.against === undefined ? [] : [sample.against]),
                ...(report.judge === null || against === null ? [] : [sample.verdict ?? "none"]),
              ]),
            ),
          "",
        ]),
  ].join("\n");
}
