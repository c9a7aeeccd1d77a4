import type { Axis } from "../../../../src/server/ui/runs/protocol.ts";
import { Button } from "../../components/button.tsx";
import { Segmented } from "../../components/segmented.tsx";
import { axis, filter, isLog, keepSettings, range, smoothing } from "./curve-settings.ts";
import { parseFilter } from "./panels.ts";
import { SearchField } from "./search-field.tsx";

/** What all charts below have in common. `axes`: those that every run shown has. */
export function CurveControls({ axes }: { axes: readonly Axis[] }) {
  const isBad = parseFilter(filter.value) === undefined;
  const shown = axes.includes(axis.value) ? axis.value : "step";
  return (
    <div class="curve-controls" role="group" aria-label="How curves are shown">
      <SearchField
        label="Show metrics whose names match this regular expression"
        placeholder="Filter metrics: kl|reward"
        icon="filter"
        value={filter.value}
        isInvalid={isBad}
        onInput={(text) => (filter.value = text)}
      />
      <Segmented<Axis>
        label="Horizontal axis"
        value={shown}
        options={[
          { value: "step", label: "Step" },
          { value: "time", label: "Time", disabled: !axes.includes("time") },
          { value: "tokens", label: "Tokens", disabled: !axes.includes("tokens") },
        ]}
        onChange={(next) => {
          range.value = null;
          axis.value = next;
          keepSettings();
        }}
      />
      <label class="curve-slider">
        <span>Smoothing</span>
        <input
          type="range"
          min={0}
          max={0.99}
          step={0.01}
          value={smoothing.value}
          onInput={(event) => {
            smoothing.value = Number(event.currentTarget.value);
            keepSettings();
          }}
        />
        <output>{smoothing.value.toFixed(2)}</output>
      </label>
      <label class="curve-check">
        <input
          type="checkbox"
          checked={isLog.value}
          onChange={(event) => {
            isLog.value = event.currentTarget.checked;
            keepSettings();
          }}
        />
        <span>Log scale</span>
      </label>
      {range.value === null ? null : (
        <Button size="small" icon="undo" onClick={() => (range.value = null)}>
          Show all
        </Button>
      )}
      {isBad ? <p class="curve-problem">This is no regular expression: nothing is filtered.</p> : null}
    </div>
  );
}
