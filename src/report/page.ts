/** The frame of every report: one file without anything from outside, for light and dark screens, wide and narrow. */
import { escapeHtml } from "./format.ts";
import { styleSheet } from "./style.ts";

export interface PageFrame {
  readonly title: string;
  /** What it is a report of; what follows it stands beside it, between dots. */
  readonly subject: string;
  readonly remarks: readonly string[];
  readonly headline: string;
  readonly reason: string;
  /** HTML. */
  readonly body: string;
  readonly footer: string;
}

/** All but `body` is text. */
export function renderPage({ title, subject, remarks, headline, reason, body, footer }: PageFrame): string {
  const beside = remarks.map((remark) => `<span>${escapeHtml(remark)}</span>`).join("");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${styleSheet}</style>
</head>
<body>
<main>
<header>
<p class="eyebrow"><b>spar</b> ${escapeHtml(subject)}${beside}</p>
<h1>${escapeHtml(headline)}</h1>
<p class="lead">${escapeHtml(reason)}</p>
</header>
${body}
<footer>${escapeHtml(footer)}</footer>
</main>
</body>
</html>
`;
}

export interface Tile {
  readonly label: string;
  readonly value: string;
  readonly unit?: string;
  readonly note: string;
}

/** Figures to be seen first, all of them texts. */
export function renderTiles(tiles: readonly Tile[]): string {
  const cells = tiles.map(
    ({ label, value, unit = "", note }) =>
      `<div class="tile"><p class="label">${escapeHtml(label)}</p><p class="value">${escapeHtml(value)}${unit === "" ? "" : `<small>${escapeHtml(unit)}</small>`}</p><p class="note">${escapeHtml(note)}</p></div>`,
  );
  return `<section class="tiles">${cells.join("")}</section>`;
}
