/** comparison.html and .md of `spar eval --compare`. */
import { escapeCell, escapeHtml, renderPage, renderShares, renderTiles, type Tile } from "../report/index.ts";
import { findMainMeasure, formatDifference, formatValue, listComparison, type RunComparison } from "./compare-results.ts";
import { describePrompt, shortenName } from "./evaluation-report.ts";
import type { LoadedResult, Measure } from "./load-result.ts";

/** Prompts whose texts are shown. */
const shownPrompts = 16;

export function renderComparisonPage(comparison: RunComparison, results: readonly LoadedResult[], version: string): string {
  const { headline, reason, differences } = comparison;
  const main = findMainMeasure(results, differences);
  return renderPage({
    title: "spar eval: runs compared",
    subject: "eval",
    remarks: [`${results.length} runs compared`],
    headline,
    reason,
    body: [
      renderTiles(listTiles(results, main)),
      renderFigures(results, main),
      renderDifferences(comparison, results),
      renderTexts(results),
    ].join("\n"),
    footer: `Made by spar ${version}. The figures are in comparison.json beside this file.`,
  });
}

/** Of the measure that says which is better, a run each. */
function listTiles(results: readonly LoadedResult[], main: Measure | undefined): Tile[] {
  return results.slice(0, 4).flatMap(({ name: run, group, kind, before, measures }) => {
    const found = measures.find((one) => one.name === main?.name);
    if (found === undefined) return [];
    const was = before.find((one) => one.name === main?.name);
    const shown = formatValue(found.value, found.format);
    return [
      {
        label: `${kind === "quickstart" ? `${group}: ` : ""}${shortenName(run)}`,
        value: shown.replace(" %", ""),
        ...(found.format === "share" ? { unit: "%" } : {}),
        note: `${found.name}${was === undefined ? "" : `; ${formatValue(was.value, was.format)} before`}`,
      },
    ];
  });
}

const nameOf = ({ kind, group, name }: LoadedResult): string =>
  kind === "quickstart" ? `${group}, ${shortenName(name)}` : shortenName(name);

function renderFigures(results: readonly LoadedResult[], measured: Measure | undefined): string {
  const main = measured?.format === "share" ? measured.name : undefined;
  const shares = results.flatMap((result) =>
    [
      { kind: "before" as const, list: result.before },
      { kind: "after" as const, list: result.measures },
    ].flatMap(({ kind, list }) => {
      const found = list.find((one) => one.name === main);
      if (found?.interval === undefined) return [];
      const isOnly = results.filter(({ group }) => group === result.group).length === 1;
      const label = result.kind === "quickstart" && isOnly ? result.group : (shortenName(result.name).split("/").at(-1) ?? "");
      return [{ name: result.before.length > 0 ? `${label} ${kind}` : label, share: found.value, interval: found.interval, kind }];
    }),
  );
  const charts: string[] = [];
  if (main !== undefined && shares.length > 0)
    charts.push(
      `<figure class="card"><figcaption><b>${escapeHtml(main)}</b> 95 % intervals</figcaption>${renderShares(shares, { text: `${main} of each run`, left: 124 })}</figure>`,
    );
  for (const { iterations, group } of results)
    if (iterations.length > 1)
      charts.push(
        `<figure class="card"><figcaption><b>${escapeHtml(group)}</b> by iteration</figcaption>${renderShares(
          iterations.map((one, i) => ({ ...one, kind: i === 0 ? ("before" as const) : ("after" as const) })),
          { text: `${main ?? "share"} of each iteration` },
        )}</figure>`,
      );
  const head = `<tr><th scope="col">figure</th>${results.map((result) => `<th scope="col">${escapeHtml(nameOf(result))}</th>`).join("")}</tr>`;
  const rows = listComparison(results).map(
    ([name, ...cells]) =>
      `<tr><th scope="row">${escapeHtml(name)}</th>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`,
  );
  return `<section><h2>Figures</h2>
${charts.length === 0 ? "" : `<div class="pair">${charts.join("")}</div>`}
<div tabindex="0" role="region" aria-label="figures" class="card table wide${results.length === 2 ? " even" : " many"}"><table><thead>${head}</thead><tbody>${rows.join("")}</tbody></table></div></section>`;
}

function renderDifferences({ differences, notes }: RunComparison, results: readonly LoadedResult[]): string {
  if (differences.length === 0) return "";
  const formats = new Map(results[0].measures.map(({ name, format }) => [name, format]));
  const rows = differences.map(({ measure, a, b, difference, interval, better }) => {
    const number = (value: number): string => formatDifference(value, formats.get(measure) ?? "number");
    return `<tr><th scope="row">${escapeHtml(measure)}<small>${escapeHtml(`${shortenName(a)} minus ${shortenName(b)}`)}</small></th><td>${number(difference)}</td><td>${interval === undefined ? "–" : `${number(interval[0])} to ${number(interval[1])}`}</td><td>${better === null ? "–" : escapeHtml(shortenName(better))}</td></tr>`;
  });
  const remarks = notes.map((note) => `<p class="lead">${escapeHtml(note)}.</p>`);
  return `<section><h2>Differences</h2>${remarks.join("")}<div tabindex="0" role="region" aria-label="figures" class="card table wide"><table><thead><tr><th scope="col">figure</th><th scope="col">difference</th><th scope="col">95 %</th><th scope="col">better</th></tr></thead><tbody>${rows.join("")}</tbody></table></div></section>`;
}

/** Prompts that all runs answered. */
function renderTexts(results: readonly LoadedResult[]): string {
  const keyOf = (prompt: unknown): string => JSON.stringify(prompt);
  const maps = results.map(({ texts }) => new Map(texts.map(({ prompt, text }) => [keyOf(prompt), text])));
  const shared = results[0].texts.filter(({ prompt }) => maps.every((map) => map.has(keyOf(prompt)))).slice(0, shownPrompts);
  if (shared.length === 0) return "";
  const rows = shared.map(({ prompt }) => {
    const cells = results.map(
      (result, i) =>
        `<div class="text ${i === 0 ? "before" : "after"}"><p>${escapeHtml((maps[i].get(keyOf(prompt)) ?? "").trim())}</p><p class="marks"><span class="side">${escapeHtml(nameOf(result))}</span></p></div>`,
    );
    return `<li class="asked${results.length === 2 ? "" : " single"}"><p class="question">${escapeHtml(describePrompt(prompt))}</p>${cells.join("")}</li>`;
  });
  return `<section><h2>Samples</h2><p class="lead">The first prompts that all runs have, in their order: nobody chose them.</p><ol class="samples">${rows.join("")}</ol></section>`;
}

export function renderComparisonMarkdown({ headline, reason }: RunComparison, results: readonly LoadedResult[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeCell).join(" | ")} |`;
  return [
    "# spar eval: runs compared",
    "",
    `**${headline}** ${reason}`,
    "",
    line(["figure", ...results.map(nameOf)]),
    `|${"---|".repeat(results.length + 1)}`,
    ...listComparison(results).map(line),
    "",
  ].join("\n");
}
