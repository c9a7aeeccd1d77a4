import { useEffect, useState } from "preact/hooks";
import type { RunList as List, RunSummary } from "../../../../src/server/ui/runs/protocol.ts";
import { Button } from "../../components/button.tsx";
import { EmptyState } from "../../components/empty-state.tsx";
import { Spinner } from "../../components/spinner.tsx";
import { SortHead, Table } from "../../components/table.tsx";
import { subscribe } from "../../live.ts";
import { goTo } from "../../route.ts";
import { Problem } from "./curve-section.tsx";
import { mostCompared } from "./curves-tab.tsx";
import { formatAgo, formatDate, formatDuration, formatNumber } from "./format.ts";
import { runsPath } from "./run-path.ts";
import { loadRuns } from "./runs-api.ts";
import { SearchField } from "./search-field.tsx";
import { arrangeRuns, measureDuration, type RunOrder, type SortKey } from "./sort-runs.ts";
import { StatusBadge } from "./status-badge.tsx";
import { useResource } from "./use-resource.ts";

const columns: readonly { readonly key: SortKey; readonly name: string; readonly numeric?: true }[] = [
  { key: "name", name: "Run" },
  { key: "status", name: "Status" },
  { key: "method", name: "Method" },
  { key: "step", name: "Step", numeric: true },
  { key: "loss", name: "Loss", numeric: true },
  { key: "reward", name: "Score", numeric: true },
  { key: "duration", name: "Duration", numeric: true },
  { key: "started", name: "Started", numeric: true },
];

export function RunList() {
  const { data: first, error, reload } = useResource(loadRuns, []);
  const [live, setLive] = useState<List>();
  const [search, setSearch] = useState("");
  const [order, setOrder] = useState<RunOrder>({ key: "started", isDescending: true });
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [now, setNow] = useState(Date.now());
  useEffect(() => subscribe<List>("run:all", setLive, { onGap: reload }), []);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);

  const list = live ?? first;
  if (list === undefined) return error === undefined ? <Spinner label="Looking for runs" /> : <Problem error={error} />;
  if (list.runs.length === 0) {
    return (
      <div class="page">
        <h1 class="visually-hidden">Runs</h1>
        <EmptyState
          icon="runs"
          title="No runs yet"
          text={`A run shows up here as soon as it starts: every folder with a run.json below ${list.folders.join(", ")}. The first of these takes some minutes; the second, where spar's recipes are, a few seconds.`}
          commands={["spar quickstart", "spar sft --config recipes/tiny/sft.yaml"]}
        />
      </div>
    );
  }
  const rows = arrangeRuns(list.runs, search, order, now);
  const there = chosen.filter((id) => list.runs.some((run) => run.id === id));
  const choose = (id: string, isChosen: boolean): void => setChosen(isChosen ? [...there, id] : there.filter((other) => other !== id));
  const sort = (key: SortKey) => () =>
    setOrder({ key, isDescending: order.key === key ? !order.isDescending : key !== "name" && key !== "method" });
  const orderOf = (key: SortKey) => (order.key === key ? (order.isDescending ? "descending" : "ascending") : undefined);
  const running = list.runs.filter(({ status }) => status === "running").length;

  return (
    <div class="page runs-page">
      <header class="page-head">
        <h1>
          Runs <span class="runs-count">{running === 0 ? list.runs.length : `${list.runs.length}, ${running} running`}</span>
        </h1>
        {there.length === 0 ? null : (
          <Button kind="quiet" onClick={() => setChosen([])}>
            Clear
          </Button>
        )}
        <Button
          kind={there.length > 1 ? "primary" : "normal"}
          icon="runs"
          disabled={there.length < 2}
          onClick={() => goTo(runsPath(there))}
          title={there.length < 2 ? "Tick two or more runs to draw their curves over each other" : undefined}
        >
          {there.length < 2 ? "Compare" : `Compare ${there.length}`}
        </Button>
        <SearchField label="Search runs" placeholder="Name, method, status" value={search} onInput={setSearch} />
      </header>
      {rows.length === 0 ? (
        <EmptyState icon="search" title="No run matches" action={<Button onClick={() => setSearch("")}>Show all runs</Button>} />
      ) : (
        <Table
          label="Runs"
          head={
            <>
              <th scope="col" class="run-tick">
                <span class="visually-hidden">Compare</span>
              </th>
              {columns.map(({ key, name, numeric }) => (
                <SortHead key={key} order={orderOf(key)} onSort={sort(key)} numeric={numeric === true}>
                  {name}
                </SortHead>
              ))}
            </>
          }
        >
          {rows.map(({ run, depth }) => (
            <Row
              key={run.id}
              run={run}
              depth={depth}
              now={now}
              isChosen={there.includes(run.id)}
              isFull={there.length >= mostCompared}
              onChoose={choose}
            />
          ))}
        </Table>
      )}
    </div>
  );
}

function Row({
  run,
  depth,
  now,
  isChosen,
  isFull,
  onChoose,
}: {
  run: RunSummary;
  depth: number;
  now: number;
  isChosen: boolean;
  isFull: boolean;
  onChoose: (id: string, isChosen: boolean) => void;
}) {
  return (
    <tr
      class={isChosen ? "run-row run-chosen" : "run-row"}
      onClick={(event) => {
        // The whole row leads to the run; what is in it keeps its own meaning, and so does marked text.
        if (event.target instanceof Element && event.target.closest("a, button, input, label") !== null) return;
        if (getSelection()?.isCollapsed === false) return;
        goTo(runsPath([run.id]));
      }}
    >
      <td class="run-tick">
        <input
          type="checkbox"
          aria-label={`Compare ${run.name}`}
          checked={isChosen}
          disabled={isFull && !isChosen}
          onChange={(event) => onChoose(run.id, event.currentTarget.checked)}
        />
      </td>
      <th scope="row" class="run-name">
        <a href={`#/${runsPath([run.id])}`} style={{ paddingInlineStart: `${depth * 18}px` }}>
          {depth === 0 ? null : (
            <span class="run-branch" aria-hidden="true">
              └
            </span>
          )}
          <span>{run.name}</span>
        </a>
        {run.error === null ? null : <small title={run.error.message}>{run.error.message}</small>}
      </th>
      <td>
        <StatusBadge status={run.status} />
      </td>
      <td class="run-method">{run.method}</td>
      <td class="numeric" data-label="step">
        {formatNumber(run.step)}
      </td>
      <td class={run.loss === null ? "numeric run-none" : "numeric"} data-label="loss">
        {formatNumber(run.loss)}
      </td>
      <td class={run.reward === null ? "numeric run-none" : "numeric"} data-label="score" title={run.rewardKey ?? undefined}>
        {run.rewardKey === null ? null : <span class="run-score">{run.rewardKey.replace(/^.*\/|^mean_/, "").replaceAll("_", " ")}</span>}
        {formatNumber(run.reward)}
      </td>
      <td class="numeric" data-label="took">
        {formatDuration(measureDuration(run, now))}
      </td>
      <td class="numeric run-started" title={formatDate(run.started)}>
        {formatAgo(run.started, now)}
      </td>
    </tr>
  );
}
