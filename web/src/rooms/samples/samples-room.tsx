/** The Samples room: what models write, side by side. */
import { useEffect, useState } from "preact/hooks";
import type { BlindAnswer, GridSort, Source } from "../../../../src/server/ui/samples/protocol.ts";
import { api, ApiError } from "../../api.ts";
import { Button, IconButton } from "../../components/button.tsx";
import { EmptyState } from "../../components/empty-state.tsx";
import { Segmented } from "../../components/segmented.tsx";
import { Spinner } from "../../components/spinner.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { showError, showToast } from "../../components/toast.tsx";
import { goTo } from "../../route.ts";
import "../chat/chat.css";
import { ModelPicker } from "../chat/model-picker.tsx";
import { useNarrow } from "../chat/use-narrow.ts";
import { BlindPanel } from "./blind-panel.tsx";
import { loadBlind } from "./blind-store.ts";
import { ColumnDialog } from "./column-dialog.tsx";
import { GenerateDialog } from "./generate-dialog.tsx";
import { currentScale, GridView } from "./grid-view.tsx";
import { chooseMeasure, chooseRewardModel, heats, isScoring, loadHeats, measure, rewardModel } from "./heat-store.ts";
import { HeatLegend } from "./heat-text.tsx";
import { LiveView } from "./live-view.tsx";
import "./samples.css";
import {
  chooseColumns,
  chooseView,
  columns,
  grid,
  isLoading,
  live,
  loadGrid,
  loadSources,
  models,
  offset,
  only,
  pageSize,
  search,
  sort,
  sources,
  view,
} from "./samples-store.ts";

type Tab = "compare" | "blind";

export default function SamplesRoom({ route }: { readonly route: string }) {
  const tab: Tab = route.startsWith("blind") ? "blind" : "compare";
  const [problem, setProblem] = useState<ApiError>();
  const [dialog, setDialog] = useState<"columns" | "generate">();
  const load = (): void => {
    setProblem(undefined);
    loadSources().catch((error: unknown) => {
      if (error instanceof ApiError) setProblem(error);
      else showError(error);
    });
  };
  useEffect(load, []);
  if (problem !== undefined)
    return (
      <EmptyState
        icon="warning"
        title="The samples could not be read"
        text={problem.message}
        hint={problem.hint}
        action={<Button onClick={load}>Try again</Button>}
      />
    );
  if (sources.value === undefined) return <Spinner label="Looking for samples" />;
  return (
    <div class="page samples">
      <header class="page-head">
        <h1>Samples</h1>
        <IconButton icon="refresh" label="Look for new samples" tip="bottom" onClick={load} />
        <Button icon="play" onClick={() => setDialog("generate")} disabled={live.value !== undefined}>
          Generate now
        </Button>
      </header>
      <Tabs
        label="Samples"
        tabs={[
          { value: "compare", label: "Compare" },
          { value: "blind", label: "Blind A/B" },
        ]}
        value={tab}
        onChange={(next) => goTo(next === "blind" ? "samples/blind" : "samples")}
      >
        {tab === "blind" ? <BlindPanel /> : <Compare onColumns={() => setDialog("columns")} onGenerate={() => setDialog("generate")} />}
      </Tabs>
      <ColumnDialog open={dialog === "columns"} onClose={() => setDialog(undefined)} />
      <GenerateDialog open={dialog === "generate"} onClose={() => setDialog(undefined)} />
    </div>
  );
}

function Compare({ onColumns, onGenerate }: { readonly onColumns: () => void; readonly onGenerate: () => void }) {
  const chosen = columns.value;
  const key = JSON.stringify([chosen, search.value, only.value, sort.value, offset.value]);
  useEffect(() => {
    // A word is typed letter by letter.
    const timer = setTimeout(() => void loadGrid(), 120);
    return () => clearTimeout(timer);
  }, [key, sources.value]);
  const shown = grid.value;
  const isNarrow = useNarrow("(max-width: 760px)");
  const [opensFilters, setOpensFilters] = useState(false);
  const showsFilters = !isNarrow || opensFilters;
  const scorers = models.value.filter(({ kind }) => kind === "score");
  const reward = scorers.some(({ id }) => id === rewardModel.value) ? rewardModel.value : (scorers[0]?.id ?? "");
  useEffect(() => {
    if (view.value !== "heat" || shown === undefined) return;
    if (reward !== rewardModel.value) chooseRewardModel(reward);
    const items = shown.rows.flatMap(({ prompt, cells }) => cells.flatMap((cell) => (cell === null ? [] : { prompt, text: cell.text })));
    void loadHeats(reward, items);
  }, [view.value, shown, reward]);

  if (live.value !== undefined) return <LiveView live={live.value} />;
  if ((sources.value ?? []).length === 0)
    return (
      <EmptyState
        icon="samples"
        title="Nothing has been written yet"
        text="What models write during runs appears here, before and after. This makes some:"
        commands={["spar quickstart", "spar eval --model runs/sft --prompts prompts.jsonl --output-dir runs/eval"]}
        action={
          <Button kind="primary" icon="play" onClick={onGenerate}>
            Generate now
          </Button>
        }
      />
    );
  return (
    <>
      <ColumnChips onColumns={onColumns} />
      <div class="samples-tools">
        <input
          class="input samples-search"
          type="search"
          aria-label="Find in prompts and texts"
          placeholder="Find in prompts and texts…"
          value={search.value}
          onInput={(event) => {
            search.value = event.currentTarget.value;
            offset.value = 0;
          }}
        />
        {isNarrow && (
          <IconButton
            icon="filter"
            label="Filter and order"
            tip="left"
            kind="normal"
            aria-expanded={opensFilters}
            onClick={() => setOpensFilters(!opensFilters)}
          />
        )}
        {showsFilters && (
          <>
            <Segmented
              label="Which rows"
              options={[
                { value: "all", label: "All" },
                { value: "every", label: "In every column" },
                { value: "differ", label: "Texts differ" },
              ]}
              value={only.value}
              onChange={(next) => {
                only.value = next;
                offset.value = 0;
              }}
            />
            <SortPicker />
          </>
        )}
        <Segmented
          label="How texts are shown"
          options={[
            { value: "text", label: "Text" },
            { value: "diff", label: "Diff", disabled: chosen.length < 2 },
            { value: "heat", label: "Reward" },
          ]}
          value={view.value}
          onChange={chooseView}
        />
      </div>
      {view.value === "heat" &&
        (scorers.length === 0 ? (
          <p class="samples-hint">
            There is no reward model among the runs here. <code>spar reward</code> trains one, and <code>spar quickstart</code> does so on
            its way.
          </p>
        ) : (
          <div class="samples-heat-tools">
            <ModelPicker label="Reward model" hidesLabel models={scorers} value={reward} onChoose={chooseRewardModel} />
            <Segmented
              label="What is coloured"
              options={[
                { value: "change", label: "Change by token" },
                { value: "score", label: "Score so far" },
              ]}
              value={measure.value}
              onChange={chooseMeasure}
            />
            {isScoring.value ? (
              <span class="samples-note" role="status">
                Scoring…
              </span>
            ) : (
              heats.value.size > 0 && <HeatLegend by={measure.value} scale={currentScale()} />
            )}
          </div>
        ))}
      {chosen.length === 0 ? (
        <EmptyState
          title="Choose what to compare"
          text="Steps of a run, before and after, models of an evaluation, files of completions."
          action={
            <Button kind="primary" onClick={onColumns}>
              Choose columns
            </Button>
          }
        />
      ) : shown === undefined ? (
        <Spinner label="Reading texts" />
      ) : shown.rows.length === 0 ? (
        <EmptyState
          title="No row fits"
          text={
            only.value === "all"
              ? "No prompt or text holds what you look for."
              : "The columns may be of different prompts: each step of a run draws its own."
          }
          action={
            <Button
              onClick={() => {
                search.value = "";
                only.value = "all";
              }}
            >
              Show all rows
            </Button>
          }
        />
      ) : (
        <>
          <GridView grid={shown} view={view.value} />
          <Pages total={shown.total} />
        </>
      )}
    </>
  );
}

function ColumnChips({ onColumns }: { readonly onColumns: () => void }) {
  const chosen = columns.value;
  const known = new Map(
    (sources.value ?? []).flatMap((source) => source.columns.map((column) => [column.id, { source, column }] as const)),
  );
  const [isMaking, setMaking] = useState(false);
  const compareBlind = async (): Promise<void> => {
    setMaking(true);
    try {
      const made = await api.post<BlindAnswer>("/samples/blind", { columns: chosen });
      void loadBlind();
      const same = made.same === 0 ? "" : ` ${made.same} prompts with the same text twice are left out.`;
      showToast(`${made.tasks} pairs wait in the Label room, without names.${same}`, {
        kind: "success",
        lasts: 12_000,
        action: { label: "Label now", run: () => goTo(`label/${made.project}`) },
      });
    } catch (error) {
      showError(error);
    } finally {
      setMaking(false);
    }
  };
  return (
    <div class="samples-chips">
      <ul aria-label="Columns">
        {chosen.map((id, i) => {
          const found = known.get(id);
          const name = found === undefined ? id : found.column.name;
          return (
            <li key={id} class="samples-chip">
              <span title={found?.source.name}>
                {found !== undefined && found.source.name !== name && <small>{shortenSource(found.source)}</small>} {name}
              </span>
              {i > 0 && (
                <IconButton
                  icon="chevronLeft"
                  size="small"
                  label={`Move ${name} to the left`}
                  onClick={() => chooseColumns([...chosen.slice(0, i - 1), id, chosen[i - 1], ...chosen.slice(i + 1)])}
                />
              )}
              <IconButton
                icon="close"
                size="small"
                label={`Remove ${name}`}
                onClick={() => chooseColumns(chosen.filter((one) => one !== id))}
              />
            </li>
          );
        })}
      </ul>
      <Button size="small" icon="plus" onClick={onColumns}>
        Columns
      </Button>
      <Button
        size="small"
        icon="people"
        busy={isMaking}
        disabled={chosen.length !== 2}
        title={
          chosen.length === 2 ? "People say which text is better, without knowing whose it is" : "Choose two columns for a blind comparison"
        }
        onClick={() => void compareBlind()}
      >
        Blind A/B
      </Button>
    </div>
  );
}

/** Of what was generated here, the time is enough. */
function shortenSource({ name, kind, modified }: Source): string {
  if (kind !== "generated") return name;
  return `generated ${new Date(modified).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })}`;
}

function SortPicker() {
  const shown = grid.value;
  const scores = [...new Set((shown?.columns ?? []).flatMap((column) => column.scores))];
  const options: { readonly name: string; readonly sort: GridSort }[] = [
    { name: "as they stand", sort: { by: "file" } },
    { name: "by prompt", sort: { by: "prompt" } },
    ...["length", ...scores].flatMap((by) => [
      ...(shown?.columns ?? []).flatMap(({ id, name, scores: own }) =>
        by === "length" || own.includes(by)
          ? [
              { name: `${name}: ${by}, highest first`, sort: { by, column: id, descending: true } },
              { name: `${name}: ${by}, lowest first`, sort: { by, column: id } },
            ]
          : [],
      ),
      ...((shown?.columns.length ?? 0) > 1
        ? [
            { name: `gain of ${by}, highest first`, sort: { by, column: "difference", descending: true } },
            { name: `gain of ${by}, lowest first`, sort: { by, column: "difference" } },
          ]
        : []),
    ]),
  ];
  const now = JSON.stringify(sort.value);
  return (
    <select
      class="select samples-sort"
      aria-label="Order of rows"
      value={now}
      onChange={(event) => {
        sort.value = JSON.parse(event.currentTarget.value) as GridSort;
        offset.value = 0;
      }}
    >
      {options.map((option) => (
        <option key={JSON.stringify(option.sort)} value={JSON.stringify(option.sort)}>
          {option.name}
        </option>
      ))}
    </select>
  );
}

function Pages({ total }: { readonly total: number }) {
  const start = offset.value;
  const end = Math.min(total, start + pageSize);
  const turn = (to: number): void => {
    offset.value = Math.max(0, to);
    document.getElementById("main")?.scrollTo({ top: 0 });
  };
  return (
    <nav class="samples-pages" aria-label="Pages of rows" aria-busy={isLoading.value}>
      <span class="samples-note" role="status">
        Rows {start + 1} to {end} of {total}
      </span>
      <Button size="small" icon="chevronLeft" disabled={start === 0} onClick={() => turn(start - pageSize)}>
        Back
      </Button>
      <Button size="small" disabled={end >= total} onClick={() => turn(start + pageSize)}>
        Next
      </Button>
    </nav>
  );
}
