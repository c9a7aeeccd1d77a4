import { useState } from "preact/hooks";
import type { RunDetail } from "../../../../src/server/ui/runs/protocol.ts";
import { Button } from "../../components/button.tsx";
import { EmptyState } from "../../components/empty-state.tsx";
import { Skeleton } from "../../components/spinner.tsx";
import { Table } from "../../components/table.tsx";
import { showError, showToast } from "../../components/toast.tsx";
import { diffConfigs, formatValue } from "./config-diff.ts";
import { Problem } from "./curve-section.tsx";
import { loadConfig, loadRuns } from "./runs-api.ts";
import { SearchField } from "./search-field.tsx";
import { useResource } from "./use-resource.ts";

/** The resolved recipe, and where it differs from that of another run. */
export function ConfigTab({ run, against }: { run: RunDetail; against: string | undefined }) {
  const { data: config, error } = useResource((signal) => loadConfig(run.id, signal), [run.id]);
  const { data: list } = useResource(loadRuns, []);
  const [other, setOther] = useState(against ?? "");
  const { data: otherConfig, error: otherError } = useResource(
    async (signal) => (other === "" ? undefined : loadConfig(other, signal)),
    [other],
  );
  const [search, setSearch] = useState("");
  if (config === undefined) return error === undefined ? <Skeleton lines={8} /> : <Problem error={error} />;
  if (config.yaml === "") return <EmptyState icon="settings" title="There is no config.yaml" text="The run's folder has none." />;
  const others = (list?.runs ?? []).filter(({ id }) => id !== run.id);
  const otherName = others.find(({ id }) => id === other)?.name ?? other;
  const copy = (): void => {
    navigator.clipboard.writeText(config.yaml).then(() => showToast("config.yaml copied"), showError);
  };
  return (
    <div class="config">
      <div class="curve-controls">
        <SearchField label="Search keys" placeholder="Key or value" value={search} onInput={setSearch} />
        <label class="runs-select">
          <span>Difference to</span>
          <select class="select" value={other} onChange={(event) => setOther(event.currentTarget.value)}>
            <option value="">no other run</option>
            {others.map(({ id, name, method }) => (
              <option key={id} value={id}>
                {name} ({method})
              </option>
            ))}
          </select>
        </label>
        <Button icon="copy" onClick={copy}>
          Copy YAML
        </Button>
      </div>
      {otherError === undefined ? null : <Problem error={otherError} />}
      {other !== "" && otherConfig !== undefined ? (
        <Difference here={config.values} there={otherConfig.values} names={[run.name, otherName]} search={search} />
      ) : (
        <Values values={config.values} search={search} />
      )}
    </div>
  );
}

type ConfigValues = { readonly [key: string]: unknown };

const fits = (search: string, ...texts: readonly (string | undefined)[]): boolean =>
  texts.some((text) => text?.toLowerCase().includes(search.trim().toLowerCase()));

function Values({ values, search }: { values: ConfigValues; search: string }) {
  const rows = Object.entries(values).map(([key, value]) => [key, formatValue(value)] as const);
  const shown = rows.filter(([key, value]) => fits(search, key, value));
  if (shown.length === 0) return <EmptyState icon="search" title="No key matches" />;
  return (
    <Table
      label="Config"
      dense
      head={
        <>
          <th scope="col">Key</th>
          <th scope="col">Value</th>
        </>
      }
    >
      {shown.map(([key, value]) => (
        <tr key={key}>
          <th scope="row" class="config-key">
            {key}
          </th>
          <td class={value === "null" ? "config-value config-none" : "config-value"}>{value}</td>
        </tr>
      ))}
    </Table>
  );
}

function Difference({
  here,
  there,
  names,
  search,
}: {
  here: ConfigValues;
  there: ConfigValues;
  names: readonly [string, string];
  search: string;
}) {
  const { differing, own } = diffConfigs(here, there);
  const rows = [...differing, ...own].filter(({ key, here, there }) => fits(search, key, here, there));
  if (differing.length === 0 && search === "") {
    return <EmptyState icon="check" title="The recipes are the same" text="Only names and folders of the runs differ." />;
  }
  const cell = (value: string | undefined) => (
    <td class={value === undefined ? "config-value config-none" : "config-value"}>{value ?? "not there"}</td>
  );
  return (
    <>
      <p class="run-note" role="status">
        {differing.length} {differing.length === 1 ? "key differs" : "keys differ"}
      </p>
      <Table
        label="Differences"
        dense
        head={
          <>
            <th scope="col">Key</th>
            <th scope="col">{names[0]}</th>
            <th scope="col">{names[1]}</th>
          </>
        }
      >
        {rows.map(({ key, here, there }) => (
          <tr key={key} class={own.some((row) => row.key === key) ? "config-own" : undefined}>
            <th scope="row" class="config-key">
              {key}
            </th>
            {cell(here)}
            {cell(there)}
          </tr>
        ))}
      </Table>
    </>
  );
}
