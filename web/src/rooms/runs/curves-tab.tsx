import { axis, filter } from "./curve-settings.ts";
import { CurveControls } from "./curve-controls.tsx";
import { CurveSection, type ShownRun } from "./curve-section.tsx";
import { EmptyState } from "../../components/empty-state.tsx";
import { runsPath } from "./run-path.ts";
import { arrangePanels, parseFilter } from "./panels.ts";
import type { Axis } from "../../../../src/server/ui/runs/protocol.ts";

/** Lines have eight colours. */
export const mostCompared = 8;

const allAxes: readonly Axis[] = ["step", "time", "tokens"];

export function CurvesTab({ runs, version }: { runs: readonly ShownRun[]; version: string }) {
  const keys = [...new Set(runs.flatMap(({ detail }) => detail.metrics.keys.map(({ key }) => key)))];
  const systemKeys = [...new Set(runs.flatMap(({ detail }) => detail.system.keys.map(({ key }) => key)))];
  const axes = allAxes.filter((name) => runs.every(({ detail }) => detail.axes.includes(name)));
  const shownAxis = axes.includes(axis.value) ? axis.value : "step";
  const pattern = parseFilter(filter.value);
  const sections = arrangePanels(keys, systemKeys, pattern ?? null);
  const isRunning = runs.some(({ detail }) => detail.status === "running");
  const stages = runs.flatMap(({ detail }) => detail.stages);
  if (keys.length === 0 && stages.length > 0) {
    return (
      <EmptyState
        icon="runs"
        title="The curves are in its stages"
        text={stages.map(({ name }) => name).join(", ")}
        action={
          <a class="button" href={`#/${runsPath(stages.slice(0, mostCompared).map(({ id }) => id))}`}>
            {stages.length === 1 ? "Open it" : "Open them"}
          </a>
        }
      />
    );
  }
  if (keys.length === 0) {
    return (
      <EmptyState
        icon="runs"
        title={isRunning ? "No step has been logged yet" : "This run has logged nothing"}
        text={
          isRunning
            ? "Curves appear by themselves with the first row, after logging_steps steps."
            : "It ended before its first logged step; Events says why."
        }
      />
    );
  }
  return (
    <div class="curves">
      <CurveControls axes={axes} />
      {sections.length === 0 ? (
        <EmptyState icon="filter" title="No metric matches" text={`Nothing is called like ${filter.value}.`} />
      ) : null}
      {sections.map((section, i) => (
        <CurveSection key={section.id} section={section} runs={runs} axis={shownAxis} version={version} isFirst={i === 0} />
      ))}
    </div>
  );
}
