/** One uPlot: its colours from the page's tokens, its cursor shared with all charts of the room. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { alignCurves, fewPoints, keepPositive, type AlignedColumns, type Curve, type Points } from "./curve-data.ts";
import { formatDuration, formatTick } from "./format.ts";

export interface ChartRange {
  readonly from: number;
  readonly to: number;
}

export interface ChartLine {
  readonly name: string;
  /** 1 … 8, of the tokens --series-N. */
  readonly colour: number;
  /** Told apart from a line of the same colour. */
  readonly dashed: boolean;
  readonly curve: Curve;
  readonly band?: { readonly low: Points; readonly high: Points };
}

export interface ChartInput {
  readonly lines: readonly ChartLine[];
  readonly axis: "step" | "time" | "tokens";
  readonly isLog: boolean;
  readonly range: ChartRange | null;
  /** Of all runs: so that charts side by side have the same x. */
  readonly target: number | undefined;
}

export interface ChartEvents {
  /** A row of `columns`, or null. */
  onHover(row: number | null): void;
  /** Null: all of it. */
  onZoom(range: ChartRange | null): void;
}

export interface DrawnChart {
  /** The same lines with other points, or another range. */
  update(input: ChartInput): void;
  /** Where a line's column stands: the smoothed one where there is one. */
  readonly columns: AlignedColumns;
  readonly shown: readonly { readonly main: number; readonly raw: number }[];
  resize(width: number, height: number): void;
  /** The next point to the left or right that any line has. */
  moveCursor(step: number): void;
  destroy(): void;
}

const syncKey = "spar-runs";

/** Charts with the same structure differ in their points only. */
export function describeStructure({ lines, axis, isLog, target }: ChartInput): string {
  const looks = lines.map(({ colour, dashed, curve, band }) => [
    colour,
    dashed,
    curve.smooth !== undefined,
    band !== undefined,
    curve.raw[0].length <= fewPoints,
  ]);
  return JSON.stringify([looks, axis, isLog, target]);
}

interface Laid {
  readonly columns: AlignedColumns;
  readonly series: uPlot.Series[];
  readonly bands: uPlot.Band[];
  readonly shown: { main: number; raw: number }[];
}

function layOut({ lines, isLog }: ChartInput, colourOf: (token: string) => string): Laid {
  const points: Points[] = [];
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  const shown: { main: number; raw: number }[] = [];
  const add = (values: Points, options: uPlot.Series): number => {
    points.push(isLog ? keepPositive(values) : values);
    series.push({ spanGaps: false, points: { show: false }, ...options });
    return series.length - 1;
  };
  for (const { colour, dashed, curve, band } of lines) {
    const stroke = colourOf(`--series-${colour}`);
    const dash = dashed ? { dash: [6, 4] } : {};
    if (band !== undefined) {
      const high = add(band.high, { stroke: "transparent", width: 0 });
      const low = add(band.low, { stroke: "transparent", width: 0 });
      bands.push({ series: [high, low], fill: withAlpha(stroke, 0.14) });
    }
    const isShort = curve.raw[0].length <= fewPoints;
    const raw = add(curve.raw, {
      stroke: curve.smooth === undefined ? stroke : withAlpha(stroke, 0.28),
      width: curve.smooth === undefined ? 1.75 : 1,
      ...(isShort ? { points: { show: true, size: 5, fill: stroke, stroke } } : {}),
      ...dash,
    });
    const main = curve.smooth === undefined ? raw : add(curve.smooth, { stroke, width: 1.75, ...dash });
    shown.push({ main, raw });
  }
  return { columns: alignCurves(points), series, bands, shown };
}

/** `#rrggbb` with a share of opacity. */
function withAlpha(colour: string, alpha: number): string {
  return `${colour}${Math.round(alpha * 255)
    .toString(16)
    .padStart(2, "0")}`;
}

export function drawChart(holder: HTMLElement, input: ChartInput, events: ChartEvents): DrawnChart {
  const style = getComputedStyle(holder);
  const colourOf = (token: string): string => style.getPropertyValue(token).trim();
  const font = `11px ${style.fontFamily}`;
  const laid = layOut(input, colourOf);
  const { series, bands, shown } = laid;
  let { columns } = laid;
  const { axis, isLog, target } = input;
  let { range } = input;
  const axisLook: uPlot.Axis = {
    font,
    stroke: colourOf("--text-faint"),
    grid: { stroke: colourOf("--line"), width: 1 },
    ticks: { show: false },
    border: { show: false },
  };
  const formatX = axis === "time" ? formatClock : formatTick;
  const findBounds = (): uPlot.Range.MinMax => {
    if (range !== null) return [range.from, range.to];
    const [xs] = columns;
    return xs.length > 1 ? [xs[0], xs.at(-1)!] : xs.length === 1 ? [xs[0] - 1, xs[0] + 1] : [0, 1];
  };
  const plot = new uPlot(
    {
      width: Math.max(80, holder.clientWidth),
      height: Math.max(60, holder.clientHeight),
      padding: [8, 10, 0, 0],
      legend: { show: false },
      scales: {
        x: {
          time: false,
          range: findBounds,
        },
        y: isLog
          ? { distr: 3 }
          : {
              range: (_, low, high) => {
                if (low === null || high === null) return [0, 1];
                const near = target !== undefined && target < high * 3 ? Math.max(high, target) : high;
                // What differs by rounding only is flat.
                const room = near - low > Math.abs(near) * 1e-9 ? (near - low) * 0.06 : Math.abs(near) * 0.1 || 1;
                // Zero stays the ground of what is never below it.
                return [low >= 0 && low < room * 4 ? 0 : low - room, near + room];
              },
            },
      },
      axes: [
        { ...axisLook, size: 26, gap: 4, space: 64, values: (_, ticks) => ticks.map((tick) => formatX(tick)) },
        { ...axisLook, size: 44, gap: 6, space: 28, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : formatTick(tick))) },
      ],
      series,
      bands,
      cursor: {
        y: false,
        points: { size: 6 },
        drag: { x: true, y: false, setScale: false },
        focus: { prox: -1 },
        sync: { key: syncKey, setSeries: false, scales: ["x", null] },
        bind: {
          dblclick: () => () => {
            events.onZoom(null);
            return null;
          },
        },
      },
      hooks: {
        setCursor: [({ cursor }) => events.onHover(cursor.idx ?? null)],
        setSelect: [
          (self) => {
            const { left, width } = self.select;
            // The selection is shared with the other charts: it is the one that was pulled that says so.
            if (width < 4 || self.cursor.event === undefined || self.cursor.event === null) return;
            const zoomed = { from: self.posToVal(left, "x"), to: self.posToVal(left + width, "x") };
            self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            if (zoomed.to > zoomed.from) events.onZoom(zoomed);
          },
        ],
        draw: [
          (self) => {
            if (target === undefined) return;
            const y = self.valToPos(target, "y", true);
            const { left, top, width, height } = self.bbox;
            if (y < top || y > top + height) return;
            const { ctx } = self;
            ctx.save();
            ctx.strokeStyle = colourOf("--warning");
            ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
            ctx.beginPath();
            ctx.moveTo(left, y);
            ctx.lineTo(left + width, y);
            ctx.stroke();
            ctx.restore();
          },
        ],
      },
    },
    columns as uPlot.AlignedData,
    holder,
  );
  return {
    get columns() {
      return columns;
    },
    shown,
    update(next) {
      ({ range } = next);
      ({ columns } = layOut(next, colourOf));
      plot.setData(columns as uPlot.AlignedData);
    },
    resize: (width, height) => plot.setSize({ width, height }),
    moveCursor(step) {
      const [xs] = columns;
      const at = plot.cursor.idx ?? (step > 0 ? -1 : xs.length);
      const row = Math.min(xs.length - 1, Math.max(0, at + step));
      // uPlot's own types leave the last argument out: tell the charts beside this one.
      const setCursor: (place: { left: number; top: number }, fire: boolean, publish: boolean) => void = plot.setCursor;
      if (xs.length > 0) setCursor({ left: plot.valToPos(xs[row], "x"), top: 10 }, true, true);
    },
    destroy: () => plot.destroy(),
  };
}

/** Seconds as a clock has them, short. */
function formatClock(seconds: number): string {
  if (seconds < 120) return `${Number(seconds.toFixed(1))} s`;
  if (seconds < 7200) return `${Number((seconds / 60).toFixed(1))} min`;
  return seconds < 200_000 ? `${Number((seconds / 3600).toFixed(1))} h` : formatDuration(seconds);
}
