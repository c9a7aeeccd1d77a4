/** A chart with its title, its values where the cursor is, and its numbers as a table for those who cannot see it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { IconButton } from "../../components/button.tsx";
import { Table } from "../../components/table.tsx";
import { isDark } from "../../theme.ts";
import { valueAt } from "./curve-data.ts";
import { describeStructure, drawChart, type ChartInput, type ChartRange, type DrawnChart } from "./draw-chart.ts";
import { formatAxis, formatNumber, formatPlace } from "./format.ts";

const maxTableRows = 200;

export interface ChartProps extends ChartInput {
  readonly title: string;
  readonly hint?: string | undefined;
  readonly onZoom: (range: ChartRange | null) => void;
  readonly isLoading: boolean;
}

export function Chart({ title, hint, onZoom, isLoading, ...input }: ChartProps) {
  const holder = useRef<HTMLDivElement>(null);
  const drawn = useRef<DrawnChart | undefined>(undefined);
  const [hovered, setHovered] = useState<number | null>(null);
  const [isTable, setTable] = useState(false);
  const dark = isDark.value;
  const { lines, axis, range } = input;
  const isEmpty = lines.every(({ curve }) => curve.raw[0].length === 0);

  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const chart = drawChart(element, input, { onHover: setHovered, onZoom });
    drawn.current = chart;
    const watching = new ResizeObserver(() => {
      if (element.clientWidth > 0) chart.resize(element.clientWidth, element.clientHeight);
    });
    watching.observe(element);
    return () => {
      watching.disconnect();
      drawn.current = undefined;
      setHovered(null);
      chart.destroy();
    };
  }, [describeStructure(input), dark, isTable, isEmpty]);

  useEffect(() => {
    // Rows that came, another range: the same chart goes on, and the cursor stays where it is.
    drawn.current?.update(input);
  }, [lines, range]);

  const chart = drawn.current;
  const row = hovered !== null && chart !== undefined && hovered < chart.columns[0].length ? hovered : null;
  const values = lines.map(({ curve }, i) => {
    if (row !== null && chart !== undefined) {
      const { main, raw } = chart.shown[i];
      return { main: valueAt(chart.columns[main]!, row), raw: valueAt(chart.columns[raw]!, row) };
    }
    return { main: curve.smooth?.[1].at(-1) ?? curve.raw[1].at(-1) ?? null, raw: curve.raw[1].at(-1) ?? null };
  });

  const onKeyDown = (event: KeyboardEvent): void => {
    const chart = drawn.current;
    if (chart === undefined || event.target !== event.currentTarget) return;
    const [xs] = chart.columns;
    const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -xs.length, End: xs.length }[event.key];
    if (step !== undefined) chart.moveCursor(step);
    else if (event.key === "+" || event.key === "-") zoomByKey(xs, event.key === "+" ? 0.5 : 2);
    else if (event.key === "Escape" || event.key === "0") onZoom(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const zoomByKey = (xs: readonly number[], factor: number): void => {
    if (xs.length < 2) return;
    const [low, high] = range === null ? [xs[0], xs.at(-1)!] : [range.from, range.to];
    const middle = row === null ? (low + high) / 2 : xs[row];
    const half = ((high - low) / 2) * factor;
    if (half > 0) onZoom({ from: middle - half, to: middle + half });
  };

  return (
    <section class="chart card" aria-label={title}>
      <header class="chart-head">
        <h3 title={hint}>{title}</h3>
        {isLoading ? <span class="chart-loading" role="status" aria-label="Loading" /> : null}
        <span class="chart-place">
          {row === null || chart === undefined ? "" : `${formatAxis[axis]} ${formatPlace(axis, chart.columns[0][row])}`}
        </span>
        <IconButton
          icon={isTable ? "runs" : "samples"}
          size="small"
          tip="left"
          label={isTable ? "Show the chart" : "Show the numbers"}
          onClick={() => setTable(!isTable)}
        />
      </header>
      <ul class="chart-legend">
        {lines.map(({ name, colour, dashed }, i) => (
          <li key={name}>
            <span class={`swatch swatch-${colour}${dashed ? " swatch-dashed" : ""}`} aria-hidden="true" />
            <span class="chart-name" title={name}>
              {name}
            </span>
            <span class="chart-value">{formatNumber(values[i].raw)}</span>
            {lines[i].curve.smooth === undefined ? null : (
              <span class="chart-smooth" title="Smoothed">
                {formatNumber(values[i].main)}
              </span>
            )}
          </li>
        ))}
      </ul>
      {isEmpty ? (
        <p class="chart-empty">{isLoading ? "" : range === null ? "Nothing has been logged yet." : "Nothing in this range."}</p>
      ) : isTable ? (
        <NumbersTable title={title} {...input} />
      ) : (
        <div
          class="chart-plot"
          ref={holder}
          tabIndex={0}
          role="group"
          aria-roledescription="chart"
          aria-label={`${title}: ${lines.map(({ name }, i) => `${name} ${formatNumber(values[i].raw)}`).join(", ")}. Arrow keys move along the curve, plus and minus zoom, 0 shows all.`}
          onKeyDown={onKeyDown}
        />
      )}
    </section>
  );
}

/** As logged, not smoothed; of a long curve the lowest and highest points of each part. */
function NumbersTable({ title, lines, axis }: ChartInput & { title: string }) {
  const rows = new Map<number, (number | null | undefined)[]>();
  for (const [i, { curve }] of lines.entries()) {
    const [xs, ys] = curve.raw;
    const every = Math.max(1, Math.ceil(xs.length / maxTableRows));
    for (let at = 0; at < xs.length; at += every) {
      const row = rows.get(xs[at]) ?? Array<number | null | undefined>(lines.length).fill(undefined);
      rows.set(xs[at], row);
      row[i] = ys[at];
    }
  }
  return (
    <div class="chart-numbers">
      <Table
        label={`Numbers of ${title}`}
        dense
        head={
          <>
            <th scope="col" class="numeric">
              {formatAxis[axis]}
            </th>
            {lines.map(({ name }) => (
              <th scope="col" class="numeric" key={name}>
                {name}
              </th>
            ))}
          </>
        }
      >
        {[...rows]
          .sort(([a], [b]) => a - b)
          .map(([at, values]) => (
            <tr key={at}>
              <th scope="row" class="numeric">
                {formatPlace(axis, at)}
              </th>
              {values.map((value, i) => (
                <td class="numeric" key={lines[i].name}>
                  {value === undefined ? "" : value === null ? "NaN" : formatNumber(value)}
                </td>
              ))}
            </tr>
          ))}
      </Table>
    </div>
  );
}
