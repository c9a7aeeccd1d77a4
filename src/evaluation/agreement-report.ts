/** A judge's agreement with people in words, as a table, and as a page that stands alone. */
import type { Agreement, measureDecided } from "./agreement.ts";
import { renderCalibration } from "./calibration-chart.ts";
import type { Calibration } from "./calibration.ts";
import type { ComparisonSummary } from "./judge-summary.ts";

export interface AgreementReport {
  readonly judge: string;
  /** The file of labels. */
  readonly labels: string;
  readonly agreement: Agreement;
  readonly decided: ReturnType<typeof measureDecided>;
  readonly summary: ComparisonSummary;
  readonly calibration: Calibration | null;
}

/** Rows [what, value, meaning] for people. */
export function listAgreement({
  agreement,
  decided,
  summary,
  calibration,
}: AgreementReport): [what: string, value: string, meaning: string][] {
  const { n, voids, accuracy, interval, cohen_kappa, fleiss_kappa, position_bias } = agreement;
  const reach = (found: readonly [number, number] | undefined | null, note = ""): string =>
    found === undefined || found === null ? "nothing to compare" : `95 %: ${formatShare(found[0])} to ${formatShare(found[1])}${note}`;
  const error = calibration?.expectedError ?? null;
  return [
    ["accuracy", formatShare(accuracy), reach(interval)],
    ["without ties", formatShare(decided?.share ?? null), reach(decided?.interval, "; where both decide, a coin has 50 %")],
    ["Cohen's kappa", formatNumber(cohen_kappa), "judge against annotators; 0 is chance, 1 always"],
    [
      "Fleiss' kappa",
      formatNumber(fleiss_kappa),
      fleiss_kappa === null ? "needs rows with two labels, and labels that differ" : "annotators among themselves",
    ],
    ["position bias", formatNumber(position_bias), "1: always the answer shown first, −1: always the second"],
    ["self-agreement", formatShare(summary.self_agreement), "both orders say the same"],
    [
      "calibration error",
      formatShare(error),
      error === null ? "this judge says no probabilities" : "mean distance of confidence and accuracy",
    ],
    ["ties", String(summary.ties), `of ${n - voids} verdicts`],
    ["voids", String(voids), `of ${n} rows gave no verdict (${summary.retries} questions asked twice)`],
  ];
}

/** What the figures mean for somebody who wants to use the judge. */
export function concludeAgreement({ agreement: { n, voids, accuracy, position_bias }, decided }: AgreementReport): string {
  if (accuracy === null) return "There is nothing to measure: the judge gave no verdict at all.";
  const notes: string[] = [];
  if (voids > n / 10) notes.push(`it said nothing to ${voids} of ${n} rows`);
  if (position_bias !== null && Math.abs(position_bias) > 0.2) {
    notes.push(`it prefers the answer shown ${position_bias > 0 ? "first" : "second"}, whatever it says`);
  }
  const rest = notes.length === 0 ? "" : ` Beware: ${notes.join("; ")}.`;
  if (decided === null) return `The judge and the labels never both decide for an answer: one of them always says tie.${rest}`;
  if (decided.interval[0] > 0.5) return `Where both decide, the judge agrees with people more often than a coin would.${rest}`;
  if (decided.interval[1] < 0.5) return `Where both decide, the judge agrees with people less often than a coin would.${rest}`;
  return `These labels cannot tell the judge from a coin: it takes more labels, or another judge.${rest}`;
}

/** One HTML file without anything outside it; the chart can be taken out of it as SVG. */
export function renderAgreementReport(report: AgreementReport): string {
  const { judge, labels, calibration } = report;
  const rows = listAgreement(report).map(
    ([what, value, meaning]) =>
      `<tr><th>${escapeHTML(what)}</th><td>${escapeHTML(value)}</td><td class="note">${escapeHTML(meaning)}</td></tr>`,
  );
  const explained =
    calibration?.scale === "probability"
      ? "Each point is a tenth of the labels, by how sure the judge was. On the dashed line it would be right as often as it believes to be; below it is too sure of itself."
      : "Each point is a tenth of the labels, by how far apart the judge's two grades were. A judge that knows something rises to the right; the dashed line is a coin.";
  const chart =
    calibration === null
      ? `<p class="note">No calibration: this judge gives verdicts only, or never leaned to a side.</p>`
      : `<figure>${renderCalibration(calibration)}<figcaption class="note">${explained}</figcaption></figure>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHTML(judge)} against people</title>
<style>${style}</style></head><body><main>
<p class="note">judge ${escapeHTML(judge)} · labels ${escapeHTML(labels)}</p>
<h1>${escapeHTML(concludeAgreement(report))}</h1>
<table>${rows.join("")}</table>
<h2>Calibration</h2>
${chart}
</main></body></html>
`;
}

const style = `:root{color-scheme:light dark;--ink:#1b1d22;--soft:#5d636e;--paper:#f7f7f5;--rule:#e4e4e0}@media(prefers-color-scheme:dark){:root{--ink:#eceef1;--soft:#a6adb9;--paper:#111317;--rule:#2a2e37}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}main{max-width:760px;margin:0 auto;padding:48px 24px}
h1{font-size:28px;line-height:1.2;margin:8px 0 28px}h2{font-size:20px;margin:40px 0 12px}.note{color:var(--soft);font-size:14px}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:9px 16px 9px 0;border-top:1px solid var(--rule);font-weight:500}td:nth-child(2){font-weight:680;white-space:nowrap}
figure{margin:0}svg{width:100%;height:auto;border-radius:12px}`;

function formatShare(share: number | null): string {
  return share === null ? "–" : `${(100 * share).toFixed(1)} %`;
}

function formatNumber(value: number | null): string {
  return value === null ? "–" : value.toFixed(3).replace("-", "−");
}

function escapeHTML(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
