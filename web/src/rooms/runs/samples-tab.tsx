/** What the model wrote, step by step, and beside it what it wrote at another step or in another run. */
import { useEffect, useState } from "preact/hooks";
import type { RunDetail, ShownSample } from "../../../../src/server/ui/runs/protocol.ts";
import { Button } from "../../components/button.tsx";
import { EmptyState } from "../../components/empty-state.tsx";
import { Skeleton } from "../../components/spinner.tsx";
import { Problem } from "./curve-section.tsx";
import { loadRun, loadRuns, loadSamples } from "./runs-api.ts";
import { SamplesTable } from "./samples-table.tsx";
import { matchSamples } from "./match-samples.ts";
import { SearchField } from "./search-field.tsx";
import { useResource } from "./use-resource.ts";

const pageSize = 50;
/** Looked through for equal prompts. */
const mostMatched = 500;

type Sort = "file" | "score" | "-score";

export function SamplesTab({ run, version }: { run: RunDetail; version: string }) {
  const { steps } = run.samples;
  /** Null: all steps; undefined: the newest, also when there are newer ones. */
  const [chosenStep, setStep] = useState<number | null | undefined>(undefined);
  const step = chosenStep === undefined ? (steps.at(-1) ?? null) : chosenStep;
  const [typed, setTyped] = useState("");
  const [text, setText] = useState("");
  const [sort, setSort] = useState<Sort>("file");
  const [count, setCount] = useState(pageSize);
  const [against, setAgainst] = useState<Against | undefined>(undefined);
  useEffect(() => {
    const timer = setTimeout(() => setText(typed), 200);
    return () => clearTimeout(timer);
  }, [typed]);
  useEffect(() => setCount(pageSize), [step, text, sort]);

  const { data, error } = useResource(
    (signal) => loadSamples(run.id, { step, text, sort, offset: 0, limit: Math.min(500, count) }, signal),
    [run.id, step, text, sort, count],
    version,
  );
  const { data: others, error: otherError } = useResource(
    async (signal): Promise<readonly ShownSample[] | undefined> => {
      if (against === undefined) return undefined;
      return (await loadSamples(against.run, { step: against.step, text: "", sort: "file", offset: 0, limit: mostMatched }, signal)).rows;
    },
    [against?.run, against?.step],
  );

  if (run.samples.rows === 0) {
    return (
      <EmptyState
        icon="samples"
        title="No samples"
        text={
          run.method === "ppo"
            ? "PPO writes some of its completions while it trains; num_sample_generations says how often."
            : "This method writes none while it trains. The samples room writes answers of any model, beside each other."
        }
        action={
          <a class="button" href="#/samples">
            Go to Samples
          </a>
        }
      />
    );
  }
  const problem = error ?? otherError;
  return (
    <div class="samples">
      <div class="curve-controls">
        <label class="runs-select">
          <span>Step</span>
          <select
            class="select"
            value={step === null ? "all" : String(step)}
            onChange={(event) => setStep(event.currentTarget.value === "all" ? null : Number(event.currentTarget.value))}
          >
            <option value="all">all</option>
            {steps.map((number) => (
              <option key={number} value={String(number)}>
                {number}
              </option>
            ))}
          </select>
        </label>
        {steps.length < 2 ? null : (
          <input
            type="range"
            class="samples-slider"
            aria-label="Step"
            aria-valuetext={step === null ? "all steps" : `step ${step}`}
            min={0}
            max={steps.length - 1}
            value={step === null ? steps.length - 1 : Math.max(0, steps.indexOf(step))}
            onInput={(event) => setStep(steps[Number(event.currentTarget.value)])}
          />
        )}
        <label class="runs-select">
          <span>Order</span>
          <select class="select" value={sort} onChange={(event) => setSort(event.currentTarget.value as Sort)}>
            <option value="file">as written</option>
            <option value="-score">best first</option>
            <option value="score">worst first</option>
          </select>
        </label>
        <SearchField label="Search prompts and completions" placeholder="Text of prompt or completion" value={typed} onInput={setTyped} />
        <AgainstSelect run={run} step={step} value={against} onChange={setAgainst} />
      </div>
      {problem === undefined ? null : <Problem error={problem} />}
      {data === undefined ? (
        <Skeleton lines={6} />
      ) : data.rows.length === 0 ? (
        <EmptyState icon="search" title="No sample matches" text={step === null ? undefined : `At step ${step}.`} />
      ) : (
        <>
          <SamplesTable
            rows={data.rows}
            isStepShown={step === null}
            others={against === undefined || others === undefined ? undefined : matchSamples(data.rows, others)}
            otherName={against?.name}
          />
          <p class="samples-more">
            {data.rows.length} of {data.total.toLocaleString("en")}
            {data.rows.length < data.total && count < 500 ? (
              <Button size="small" onClick={() => setCount(Math.min(500, count + 150))}>
                More
              </Button>
            ) : null}
          </p>
        </>
      )}
    </div>
  );
}

interface Against {
  readonly run: string;
  readonly step: number | null;
  /** How its column is called. */
  readonly name: string;
}

/** Another step of the same run, or a step of another one. */
function AgainstSelect({
  run,
  step,
  value,
  onChange,
}: {
  run: RunDetail;
  step: number | null;
  value: Against | undefined;
  onChange: (against: Against | undefined) => void;
}) {
  const { data: list } = useResource(loadRuns, []);
  const other = value?.run ?? run.id;
  const { data: detail } = useResource(async (signal) => (other === run.id ? undefined : loadRun(other, signal)), [other]);
  const steps = other === run.id ? run.samples.steps.filter((number) => number !== step) : (detail?.samples.steps ?? []);
  const nameOf = (id: string): string => list?.runs.find((candidate) => candidate.id === id)?.name ?? id;
  const choose = (id: string, at: number | null): void =>
    onChange({ run: id, step: at, name: `${id === run.id ? "" : `${nameOf(id)} · `}${at === null ? "all steps" : `step ${at}`}` });
  return (
    <fieldset class="samples-against">
      <legend class="visually-hidden">Difference to</legend>
      <label class="runs-select">
        <span>Difference to</span>
        <select
          class="select"
          value={value === undefined ? "" : other}
          onChange={(event) => {
            const id = event.currentTarget.value;
            if (id === "") onChange(undefined);
            else choose(id, id === run.id ? (run.samples.steps.find((number) => number !== step) ?? null) : null);
          }}
        >
          <option value="">nothing</option>
          <option value={run.id}>this run</option>
          {(list?.runs ?? [])
            .filter(({ id }) => id !== run.id)
            .map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
        </select>
      </label>
      {value === undefined ? null : (
        <label class="runs-select">
          <span>at step</span>
          <select
            class="select"
            value={value.step === null ? "all" : String(value.step)}
            onChange={(event) => choose(other, event.currentTarget.value === "all" ? null : Number(event.currentTarget.value))}
          >
            <option value="all">all</option>
            {steps.map((number) => (
              <option key={number} value={String(number)}>
                {number}
              </option>
            ))}
          </select>
        </label>
      )}
    </fieldset>
  );
}
