/** One run, or several over each other: header and tabs. */
import { useEffect, useState } from "preact/hooks";
import type { RunChange, RunDetail } from "../../../../src/server/ui/runs/protocol.ts";
import type { ApiError } from "../../api.ts";
import { Badge } from "../../components/badge.tsx";
import { EmptyState } from "../../components/empty-state.tsx";
import { Icon } from "../../components/icon.tsx";
import { IconButton } from "../../components/button.tsx";
import { Spinner } from "../../components/spinner.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { goTo } from "../../route.ts";
import { ConfigTab } from "./config-tab.tsx";
import { Problem, type ShownRun } from "./curve-section.tsx";
import { range } from "./curve-settings.ts";
import { CurvesTab } from "./curves-tab.tsx";
import { EventsTab } from "./events-tab.tsx";
import { formatAgo, formatDate, formatDuration } from "./format.ts";
import { RunControls } from "./run-controls.tsx";
import { runsPath } from "./run-path.ts";
import { loadRun } from "./runs-api.ts";
import { SamplesTab } from "./samples-tab.tsx";
import { measureDuration } from "./sort-runs.ts";
import { StatusBadge } from "./status-badge.tsx";
import { SystemTab } from "./system-tab.tsx";
import { useResource } from "./use-resource.ts";
import { useRunChanges } from "./use-run-changes.ts";

const tabs = ["curves", "samples", "system", "events", "config"] as const;
type TabName = (typeof tabs)[number];

export function RunView({ ids, tab }: { ids: readonly string[]; tab: string }) {
  const { data: details, error, reload } = useResource((signal) => Promise.all(ids.map((id) => loadRun(id, signal))), [ids.join("\n")]);
  useRunChanges(ids, (id, change) => {
    const known = details?.find((detail) => detail.id === id);
    if (change === undefined || known === undefined || describeState(known) !== describeState(change)) reload();
  });
  useEffect(() => {
    range.value = null;
    return () => {
      range.value = null;
    };
  }, []);

  if (details === undefined) return error === undefined ? <Spinner label="Opening the run" /> : <NotFound error={error} />;
  const shown = tabs.find((name) => name === tab) ?? "curves";
  const runs: ShownRun[] = details.map((detail, i) => ({ detail, colour: (i % 8) + 1 }));
  const version = details.map(describeState).join("\n");
  const [first] = details;
  return (
    <div class="page runs-page">
      {runs.length === 1 ? <OneHead run={first} onControl={reload} /> : <SeveralHead runs={runs} tab={shown} />}
      {error === undefined ? null : <Problem error={error} />}
      <Tabs<TabName>
        label={runs.length === 1 ? `Parts of ${first.name}` : "Parts of these runs"}
        value={shown}
        onChange={(next) => goTo(runsPath(ids, next === "curves" ? "" : next), { replace: true })}
        tabs={tabs.map((name) => ({ value: name, label: labelTab(name, details) }))}
      >
        {shown === "curves" ? <CurvesTab runs={runs} version={version} /> : null}
        {shown === "samples" ? <SamplesTab run={first} version={version} /> : null}
        {shown === "system" ? <SystemTab runs={runs} version={version} /> : null}
        {shown === "events" ? <EventsTab run={first} version={version} /> : null}
        {shown === "config" ? <ConfigTab run={first} against={details[1]?.id} /> : null}
      </Tabs>
    </div>
  );
}

/** Another text when something of the run is not as it was. */
function describeState({ metrics, system, samples, events, generation, status, control }: RunDetail | RunChange): string {
  const rowsOf = (part: number | { readonly rows: number }): number => (typeof part === "number" ? part : part.rows);
  return [...[metrics, system, samples, events].map(rowsOf), generation, status, control].join(" ");
}

function labelTab(name: TabName, [first]: readonly RunDetail[]) {
  const title = `${name[0].toUpperCase()}${name.slice(1)}`;
  if (name === "samples" && first.samples.rows > 0) {
    return (
      <>
        {title} <span class="tab-count">{first.samples.rows.toLocaleString("en")}</span>
      </>
    );
  }
  const alarming = first.events.warnings + first.events.signs;
  if (name !== "events" || alarming === 0) return title;
  return (
    <>
      {title} <Badge kind="warning">{alarming}</Badge>
    </>
  );
}

function OneHead({ run, onControl }: { run: RunDetail; onControl: () => void }) {
  const [now, setNow] = useState(Date.now());
  const isGoing = run.status === "running" || run.status === "paused";
  useEffect(() => {
    if (!isGoing) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isGoing]);
  const share = run.steps === null || run.step === null ? null : Math.min(1, run.step / run.steps);
  return (
    <header class="run-head">
      <a class="run-back" href="#/runs">
        <Icon name="chevronLeft" size={14} /> Runs
      </a>
      <div class="run-title">
        <h1>{run.name}</h1>
        <StatusBadge status={run.status} />
        <RunControls run={run} onDone={onControl} />
      </div>
      <dl class="run-facts">
        <div>
          <dt>Method</dt>
          <dd>{run.method}</dd>
        </div>
        <div>
          <dt>Step</dt>
          <dd>
            {run.step === null ? "–" : run.step.toLocaleString("en")}
            {run.steps === null ? null : <span class="run-of"> of {run.steps.toLocaleString("en")}</span>}
          </dd>
        </div>
        <div>
          <dt>Duration</dt>
          <dd>{formatDuration(measureDuration(run, now))}</dd>
        </div>
        <div>
          <dt>Started</dt>
          <dd title={formatDate(run.started)}>{formatAgo(run.started, now)}</dd>
        </div>
        {run.parent === null || run.parentName === null ? null : (
          <div>
            <dt>Stage of</dt>
            <dd>
              <a href={`#/${runsPath([run.parent])}`}>{run.parentName}</a>
            </dd>
          </div>
        )}
        {run.stages.length === 0 ? null : (
          <div>
            <dt>Stages</dt>
            <dd class="run-stages">
              {run.stages.map(({ id, name, status }) => (
                <span key={id}>
                  <a href={`#/${runsPath([id])}`}>{name.startsWith(`${run.name}/`) ? name.slice(run.name.length + 1) : name}</a>{" "}
                  {status === "finished" ? null : <StatusBadge status={status} />}
                </span>
              ))}
            </dd>
          </div>
        )}
      </dl>
      {share === null || !isGoing ? null : <progress class="run-progress" max={1} value={share} aria-label="Share of the steps done" />}
      {run.error === null ? null : (
        <p class="runs-problem" role="alert">
          {run.error.message}
          <small>{run.error.code}</small>
        </p>
      )}
    </header>
  );
}

function SeveralHead({ runs, tab }: { runs: readonly ShownRun[]; tab: TabName }) {
  const ids = runs.map(({ detail }) => detail.id);
  const path = tab === "curves" ? "" : tab;
  return (
    <header class="run-head">
      <a class="run-back" href="#/runs">
        <Icon name="chevronLeft" size={14} /> Runs
      </a>
      <h1>{runs.length} runs</h1>
      <ul class="run-chips" aria-label="Runs that are compared">
        {runs.map(({ detail, colour }) => (
          <li key={detail.id}>
            <span class={`swatch swatch-${colour}`} aria-hidden="true" />
            <a href={`#/${runsPath([detail.id], path)}`}>{detail.name}</a>
            <StatusBadge status={detail.status} />
            <IconButton
              icon="close"
              size="small"
              label={`Leave ${detail.name} out`}
              onClick={() =>
                goTo(
                  runsPath(
                    ids.filter((id) => id !== detail.id),
                    path,
                  ),
                )
              }
            />
          </li>
        ))}
      </ul>
      {tab === "curves" || tab === "system" || tab === "config" ? null : (
        <p class="run-note">
          {tab === "samples" ? "Samples" : "Events"} of {runs[0].detail.name}.
        </p>
      )}
    </header>
  );
}

function NotFound({ error }: { error: ApiError }) {
  return (
    <EmptyState
      icon="runs"
      title={error.status === 404 ? "This run is not here" : "The run could not be opened"}
      text={error.message}
      hint={error.hint}
      action={
        <a class="button" href="#/runs">
          All runs
        </a>
      }
    />
  );
}
