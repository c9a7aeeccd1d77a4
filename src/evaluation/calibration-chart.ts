/** The calibration of a judge as SVG that stands alone: confidence to the right, how often people agreed upwards. */
import type { Calibration } from "./calibration.ts";

const [width, height] = [560, 420];
const margin = { left: 62, right: 22, top: 22, bottom: 56 };

/** Points grow with their bin's size, whiskers are 95 % intervals; on the scale of probabilities the dashed line is perfect. */
export function renderCalibration({ scale, bins }: Calibration): string {
  const confidences = bins.map(({ confidence }) => confidence);
  const [x0, x1] = scale === "probability" ? [0.5, 1] : [0, Math.max(...confidences) * 1.05];
  const xAt = (x: number): number => margin.left + ((x - x0) / (x1 - x0)) * (width - margin.left - margin.right);
  const yAt = (y: number): number => height - margin.bottom - y * (height - margin.top - margin.bottom);
  const most = Math.max(...bins.map(({ count }) => count));
  const [left, right] = [margin.left, width - margin.right];
  const rows = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<line class="grid" x1="${left}" x2="${right}" y1="${fixed(yAt(share))}" y2="${fixed(yAt(share))}"/><text x="${left - 10}" y="${fixed(yAt(share) + 4)}" text-anchor="end">${share * 100} %</text>`,
  );
  const columns = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const x = x0 + share * (x1 - x0);
    const shown = scale === "probability" ? `${Number((100 * x).toFixed(1))} %` : String(Number(x.toPrecision(2)));
    return `<text x="${fixed(xAt(x))}" y="${height - margin.bottom + 20}" text-anchor="middle">${shown}</text>`;
  });
  const guide =
    scale === "probability"
      ? `<line class="guide" x1="${fixed(xAt(0.5))}" y1="${fixed(yAt(0.5))}" x2="${fixed(xAt(1))}" y2="${fixed(yAt(1))}"/>`
      : `<line class="guide" x1="${left}" x2="${right}" y1="${fixed(yAt(0.5))}" y2="${fixed(yAt(0.5))}"/>`;
  const line = bins
    .map(({ confidence, accuracy }, i) => `${i === 0 ? "M" : "L"}${fixed(xAt(confidence))} ${fixed(yAt(accuracy))}`)
    .join("");
  const points = bins.map(({ confidence, accuracy, interval, count }) => {
    const [x, y] = [fixed(xAt(confidence)), fixed(yAt(accuracy))];
    const size = fixed(3 + 5 * Math.sqrt(count / most));
    const told = `${describe(confidence, scale)}: ${percent(accuracy)} of ${count} labels agree (${percent(interval[0])} to ${percent(interval[1])})`;
    return `<line class="whisker" x1="${x}" x2="${x}" y1="${fixed(yAt(interval[0]))}" y2="${fixed(yAt(interval[1]))}"/><circle cx="${x}" cy="${y}" r="${size}"><title>${told}</title></circle>`;
  });
  const xTitle = scale === "probability" ? "the judge's confidence in its preferred answer" : "difference of the two grades";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="calibration: how often people agree, by ${xTitle}">
<style>${style}</style>
${rows.join("")}${columns.join("")}${guide}
<path class="line" d="${line}"/>${points.join("")}
<text class="title" x="${(left + right) / 2}" y="${height - 12}" text-anchor="middle">${xTitle}</text>
<text class="title" transform="translate(14 ${(margin.top + height - margin.bottom) / 2}) rotate(-90)" text-anchor="middle">labels that agree</text>
</svg>
`;
}

const style = `svg{font:12px system-ui,sans-serif;fill:#5d636e;background:#fff}.grid{stroke:#e4e4e0}.guide{stroke:#8b919c;stroke-dasharray:5 5}.line{fill:none;stroke:#0d7a5f;stroke-width:2;stroke-linejoin:round}circle{fill:#0d7a5f;stroke:#fff;stroke-width:1.5}.whisker{stroke:#0d7a5f;opacity:.45;stroke-width:1.5}.title{font-size:13px;fill:#1b1d22}
@media(prefers-color-scheme:dark){svg{fill:#a6adb9;background:#191c22}.grid{stroke:#2a2e37}.line{stroke:#3fc79d}circle{fill:#3fc79d;stroke:#191c22}.whisker{stroke:#3fc79d}.title{fill:#eceef1}}`;

const fixed = (value: number): string => value.toFixed(1);
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const describe = (confidence: number, scale: Calibration["scale"]): string =>
  scale === "probability" ? `confidence ${percent(confidence)}` : `difference ${Number(confidence.toPrecision(3))}`;
