import { CurveSection, type ShownRun } from "./curve-section.tsx";
import { EmptyState } from "../../components/empty-state.tsx";
import { arrangeSystemPanels } from "./panels.ts";
import { Segmented } from "../../components/segmented.tsx";
import { axis, keepSettings, range } from "./curve-settings.ts";

/** What the run costs the machine. */
export function SystemTab({ runs, version }: { runs: readonly ShownRun[]; version: string }) {
  const keys = [...new Set(runs.flatMap(({ detail }) => detail.system.keys.map(({ key }) => key)))];
  const panels = arrangeSystemPanels(keys);
  if (panels.length === 0) {
    return (
      <EmptyState
        icon="system"
        title="Nothing was measured"
        text="Runs write system.jsonl every few seconds: processor, memory, tokens a second. This one is of an earlier version, or ended at once."
      />
    );
  }
  const shown = axis.value === "step" ? "step" : "time";
  return (
    <div class="curves">
      <div class="curve-controls">
        <Segmented<"time" | "step">
          label="Horizontal axis"
          value={shown}
          options={[
            { value: "time", label: "Time" },
            { value: "step", label: "Step" },
          ]}
          onChange={(next) => {
            range.value = null;
            axis.value = next;
            keepSettings();
          }}
        />
      </div>
      <CurveSection section={{ id: "system", title: "System", panels }} runs={runs} axis={shown} version={version} isFirst isRaw />
    </div>
  );
}
