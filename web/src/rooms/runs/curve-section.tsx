/** Charts of one group. Their points are asked for when the group comes near the screen, and again when they grow. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Axis, RunDetail, SeriesAnswer } from "../../../../src/server/ui/runs/protocol.ts";
import type { ApiError } from "../../api.ts";
import { Chart } from "./chart.tsx";
import { makeCurve } from "./curve-data.ts";
import { isLog, range, smoothing } from "./curve-settings.ts";
import type { ChartLine } from "./draw-chart.ts";
import type { Panel, Section } from "./panels.ts";
import { loadSeries } from "./runs-api.ts";
import { useResource } from "./use-resource.ts";

/** Twice the columns that a chart has on a wide screen, for lowest and highest. */
const points = 1200;
/** These are settings, not measurements: exact, and never smoothed. */
const isExact = (key: string): boolean => /^(learning_rate|lr|objective\/kl_coef|episode)$/.test(key);
/** More lines in one chart are told apart by nobody. */
const colours = 8;

export interface ShownRun {
  readonly detail: RunDetail;
  /** 1 … 8; stays with the run for as long as it is shown. */
  readonly colour: number;
}

type Answers = ReadonlyMap<string, { readonly metrics: SeriesAnswer | undefined; readonly system: SeriesAnswer | undefined }>;

export function CurveSection({
  section,
  runs,
  axis,
  version,
  isFirst,
  isRaw = false,
}: {
  section: Section;
  runs: readonly ShownRun[];
  axis: Axis;
  /** Another one when the files of a run grew. */
  version: string;
  isFirst: boolean;
  /** Never smoothed. */
  isRaw?: boolean;
}) {
  const frame = useRef<HTMLElement>(null);
  const [isNear, setNear] = useState(isFirst);
  const [isOpen, setOpen] = useState(true);
  const zoom = range.value;
  useEffect(() => {
    if (isNear || frame.current === null) return;
    const watching = new IntersectionObserver(([entry]) => setNear(entry.isIntersecting), { rootMargin: "400px" });
    watching.observe(frame.current);
    return () => watching.disconnect();
  }, [isNear]);

  const keysOf = (source: Panel["source"]): string[] => [
    ...new Set(section.panels.filter((panel) => panel.source === source).flatMap(({ keys, band }) => [...keys, ...(band ?? [])])),
  ];
  const [keys, systemKeys] = [keysOf("metrics"), keysOf("system")];
  const ids = runs.map(({ detail }) => detail.id);
  const { data, error } = useResource<Answers>(
    async (signal) => {
      if (!isNear || !isOpen) return new Map();
      const ask = (id: string, source: Panel["source"], wanted: readonly string[]): Promise<SeriesAnswer> | undefined =>
        wanted.length === 0 ? undefined : loadSeries(id, { keys: wanted, source, x: axis, points, range: zoom }, signal);
      const answers = await Promise.all(
        ids.map(async (id) => {
          const [metrics, system] = await Promise.all([ask(id, "metrics", keys), ask(id, "system", systemKeys)]);
          return [id, { metrics, system }] as const;
        }),
      );
      return new Map(answers);
    },
    [ids.join("\n"), keys.join("\n"), systemKeys.join("\n"), axis, zoom, isNear && isOpen],
    version,
  );

  return (
    <section class="curve-section" ref={frame} aria-label={section.title}>
      <h2 class="curve-title">
        <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {section.title} <span>{section.panels.length}</span>
        </button>
      </h2>
      {error === undefined ? null : <Problem error={error} />}
      {isOpen ? (
        <div class="chart-grid">
          {section.panels.map((panel) => (
            <PanelChart key={panel.id} panel={panel} runs={runs} axis={axis} answers={data} isRaw={isRaw} />
          ))}
        </div>
      ) : null}
    </section>
  );
}

function PanelChart({
  panel,
  runs,
  axis,
  answers,
  isRaw,
}: {
  panel: Panel;
  runs: readonly ShownRun[];
  axis: Axis;
  answers: Answers | undefined;
  isRaw: boolean;
}) {
  const weight = isRaw ? 0 : smoothing.value;
  const lines = useMemo((): ChartLine[] => {
    const isSeveral = runs.length > 1;
    const shortNames = shortenNames(runs);
    return runs.flatMap(({ detail, colour }) => {
      // A metric may be called `constructor`, which every object has.
      const series = new Map(Object.entries(answers?.get(detail.id)?.[panel.source]?.series ?? {}));
      const [low, high] = (panel.band ?? []).map((name) => series.get(name));
      return panel.keys
        .filter((key) => series.has(key))
        .map((key, i): ChartLine => {
          const ofRun = shortNames.get(detail.id)!;
          return {
            name: !isSeveral ? key : i === 0 ? ofRun : `${ofRun} · ${key}`,
            colour: isSeveral ? colour : (panel.keys.indexOf(key) % colours) + 1,
            dashed: isSeveral && i > 0,
            curve: makeCurve(series.get(key)!, isExact(key) ? 0 : weight),
            // Where points were left out, band and line are of other places; one run's band is enough.
            ...(i === 0 && !isSeveral && low !== undefined && high !== undefined
              ? {
                  band: {
                    low: [low.meanX ?? low.x, low.mean ?? low.y] as const,
                    high: [high.meanX ?? high.x, high.mean ?? high.y] as const,
                  },
                }
              : {}),
          };
        });
    });
  }, [
    answers,
    weight,
    panel.id,
    panel.keys.join("\n"),
    runs.map(({ detail, colour }) => `${detail.id} ${detail.name} ${colour}`).join("\n"),
  ]);
  const target = runs.length === 1 ? Object.entries(runs[0].detail.targets).find(([key]) => panel.keys.includes(key))?.[1] : undefined;
  return (
    <Chart
      title={panel.title}
      hint={panel.hint}
      lines={lines}
      axis={axis}
      isLog={isLog.value}
      range={range.value}
      target={target}
      onZoom={setRange}
      isLoading={answers === undefined || answers.size === 0}
    />
  );
}

/** By run, without the folders that all of them have in common. */
function shortenNames(runs: readonly ShownRun[]): ReadonlyMap<string, string> {
  const paths = runs.map(({ detail }) => detail.name.split("/"));
  let common = 0;
  while (paths.every((path) => path.length > common + 1 && path[common] === paths[0][common])) common++;
  return new Map(runs.map(({ detail }, i) => [detail.id, paths[i].slice(common).join("/")]));
}

const setRange = (next: typeof range.value): void => {
  range.value = next;
};

export function Problem({ error }: { error: ApiError }) {
  return (
    <p class="runs-problem" role="alert">
      {error.message}
      {error.hint === undefined ? null : <small>{error.hint}</small>}
    </p>
  );
}
