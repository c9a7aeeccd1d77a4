/** Inline SVG without any library: a curve over episodes, two histograms, an interval. Colours are the page's CSS variables. */
import { escapeHtml } from "./format.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Curve {
  readonly title: string;
  readonly meaning: string;
  readonly points: readonly Point[];
}

/** About `count` round numbers that cover [low, high]. */
export function chooseTicks(low: number, high: number, count: number): number[] {
  const span = high - low || Math.abs(high) || 1;
  const raw = span / count;
  const magnitude = 10 ** Math.floor(Math.log10(raw));
  const step = magnitude * ([1, 2, 2.5, 5, 10].find((factor) => factor * magnitude >= raw) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const ticks: number[] = [];
  for (let i = first; i * step <= high + step * 1e-9; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

export function formatTick(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1000) return `${Number((value / 1000).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

/** Mean over a window that grows with the curve: what the eye should follow. */
export function smooth(points: readonly Point[]): Point[] {
  const reach = Math.max(1, Math.round(points.length / 16));
  return points.map(({ x }, i) => {
    const window = points.slice(Math.max(0, i - reach), i + reach + 1);
    return { x, y: window.reduce((sum, point) => sum + point.y, 0) / window.length };
  });
}

const width = 360;
const height = 190;
const margin = { left: 40, right: 14, top: 12, bottom: 26 };

const fixed = (value: number): string => value.toFixed(1);

export function renderCurve({ title, points }: Curve, xLabel: string): string {
  const xs = points.map(({ x }) => x);
  const ys = points.map(({ y }) => y);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const padding = (Math.max(...ys) - Math.min(...ys) || Math.abs(ys[0]) || 1) * 0.08;
  const [y0, y1] = [Math.min(...ys) - padding, Math.max(...ys) + padding];
  const xAt = (x: number): number => margin.left + ((x - x0) / (x1 - x0 || 1)) * (width - margin.left - margin.right);
  const yAt = (y: number): number => height - margin.bottom - ((y - y0) / (y1 - y0)) * (height - margin.top - margin.bottom);
  const path = (line: readonly Point[]): string =>
    line.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${fixed(xAt(x))} ${fixed(yAt(y))}`).join("");
  const smoothed = smooth(points);
  const last = smoothed[smoothed.length - 1];
  const floor = height - margin.bottom;
  const grid = chooseTicks(y0, y1, 4).map(
    (tick) =>
      `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${fixed(yAt(tick))}" y2="${fixed(yAt(tick))}"/><text class="tick" x="${margin.left - 8}" y="${fixed(yAt(tick) + 3.5)}" text-anchor="end">${formatTick(tick)}</text>`,
  );
  const below = chooseTicks(x0, x1, 4).map(
    (tick) => `<text class="tick" x="${fixed(xAt(tick))}" y="${height - 8}" text-anchor="middle">${formatTick(tick)}</text>`,
  );
  const area = `${path(smoothed)}L${fixed(xAt(last.x))} ${floor}L${fixed(xAt(smoothed[0].x))} ${floor}Z`;
  const dots = points.map(
    ({ x, y }) =>
      `<circle class="hit" cx="${fixed(xAt(x))}" cy="${fixed(yAt(y))}" r="7"><title>${formatTick(x)} ${xLabel}: ${formatTick(y)}</title></circle>`,
  );
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}: from ${formatTick(smoothed[0].y)} to ${formatTick(last.y)}">
${grid.join("")}${below.join("")}
<path class="area" d="${area}"/><path class="raw" d="${path(points)}"/><path class="line" d="${path(smoothed)}"/>
<circle class="end" cx="${fixed(xAt(last.x))}" cy="${fixed(yAt(last.y))}" r="3.5"/>${dots.join("")}</svg>`;
}

const bins = 32;

/** Two distributions over one axis, as smooth hills: `before` behind, `after` in front. */
export function renderDistributions(before: readonly number[], after: readonly number[], label: string): string {
  const all = [...before, ...after].sort((a, b) => a - b);
  const [low, high] = [all[0], all[all.length - 1]];
  const bandwidth = ((high - low) / bins) * 1.4 || 1;
  const [x0, x1] = [low - 2 * bandwidth, high + 2 * bandwidth];
  const grid = Array.from({ length: 121 }, (_, i) => x0 + ((x1 - x0) * i) / 120);
  const density = (values: readonly number[]): number[] =>
    grid.map((x) => values.reduce((sum, value) => sum + Math.exp(-(((x - value) / bandwidth) ** 2) / 2), 0) / values.length);
  const hills = [density(before), density(after)];
  const peak = Math.max(...hills.flat());
  const [w, h, floor, top] = [420, 176, 148, 10];
  const xAt = (x: number): number => 14 + ((x - x0) / (x1 - x0)) * (w - 28);
  const yAt = (y: number): number => floor - (y / peak) * (floor - top);
  const hill = (values: readonly number[], name: string): string => {
    const line = values.map((y, i) => `${i === 0 ? "M" : "L"}${fixed(xAt(grid[i]))} ${fixed(yAt(y))}`).join("");
    return `<path class="hill ${name}" d="${line}L${fixed(xAt(x1))} ${floor}L${fixed(xAt(x0))} ${floor}Z"/><path class="ridge ${name}" d="${line}"/>`;
  };
  const ticks = chooseTicks(x0, x1, 6).map(
    (tick) => `<text class="tick" x="${fixed(xAt(tick))}" y="${floor + 18}" text-anchor="middle">${formatTick(tick)}</text>`,
  );
  return `<svg viewBox="0 0 ${w} ${h}" role="img" aria-label="${label}"><line class="axis" x1="14" x2="${w - 14}" y1="${floor}" y2="${floor}"/>${hill(hills[0], "before")}${hill(hills[1], "after")}${ticks.join("")}</svg>`;
}

/** Shares with their intervals on one axis from 0 to 1. `left`: room for the names; `text` is told to who cannot see it. */
export function renderShares(
  rows: readonly { name: string; share: number; interval: readonly [number, number]; kind: "before" | "after" }[],
  { text = "share of positive completions before and after", left = 54 }: { readonly text?: string; readonly left?: number } = {},
): string {
  const [w, rowHeight, right] = [420, 62, 30];
  const h = rows.length * rowHeight + 26;
  const xAt = (share: number): number => left + share * (w - left - right);
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<line class="grid" x1="${fixed(xAt(share))}" x2="${fixed(xAt(share))}" y1="4" y2="${h - 24}"/><text class="tick" x="${fixed(xAt(share))}" y="${h - 8}" text-anchor="middle">${100 * share} %</text>`,
  );
  const bars = rows.map(({ name, share, interval, kind }, i) => {
    const y = 4 + i * rowHeight + rowHeight / 2;
    return `<text class="label" x="${left - 14}" y="${y + 4.5}" text-anchor="end">${escapeHtml(name)}</text>
<rect class="bar ${kind}" x="${left}" y="${y - 11}" width="${fixed(xAt(share) - left)}" height="22" rx="4"/>
<line class="whisker" x1="${fixed(xAt(interval[0]))}" x2="${fixed(xAt(interval[1]))}" y1="${y}" y2="${y}"/>${interval.map((end) => `<line class="whisker" x1="${fixed(xAt(end))}" x2="${fixed(xAt(end))}" y1="${y - 5}" y2="${y + 5}"/>`).join("")}
<text class="value" x="${fixed(xAt(interval[1]) + 10)}" y="${y + 5}">${(100 * share).toFixed(0)} %</text>`;
  });
  return `<svg viewBox="0 0 ${w} ${h}" role="img" aria-label="${escapeHtml(text)}">${grid.join("")}${bars.join("")}</svg>`;
}
