import { useState } from "preact/hooks";
import type { RunDetail, ShownEvent, Sign } from "../../../../src/server/ui/runs/protocol.ts";
import { Badge } from "../../components/badge.tsx";
import { EmptyState } from "../../components/empty-state.tsx";
import { Segmented } from "../../components/segmented.tsx";
import { Skeleton } from "../../components/spinner.tsx";
import { Problem } from "./curve-section.tsx";
import { formatDate } from "./format.ts";
import { loadEvents } from "./runs-api.ts";
import { useResource } from "./use-resource.ts";

/** What the run said, with what it means; and what its curves say. */
export function EventsTab({ run, version }: { run: RunDetail; version: string }) {
  const { data, error } = useResource((signal) => loadEvents(run.id, signal), [run.id], version);
  const [shown, setShown] = useState<"all" | "warnings">("all");
  if (data === undefined) return error === undefined ? <Skeleton lines={5} /> : <Problem error={error} />;
  const { events, signs } = data;
  if (events.length === 0 && signs.length === 0) {
    return <EmptyState icon="info" title="Nothing happened yet" text="Warnings, checkpoints and stages of the run are listed here." />;
  }
  const rows = [...events].reverse().filter(({ level }) => shown === "all" || level !== "info");
  return (
    <div class="events">
      {signs.length === 0 ? null : (
        <section aria-label="Signs in the curves">
          <h2>In the curves</h2>
          <ul class="event-list">
            {signs.map((sign) => (
              <SignItem key={sign.code} sign={sign} />
            ))}
          </ul>
        </section>
      )}
      <section aria-label="Events">
        <div class="events-head">
          <h2>Events</h2>
          <Segmented<"all" | "warnings">
            label="Which events"
            value={shown}
            options={[
              { value: "all", label: "All" },
              { value: "warnings", label: "Warnings" },
            ]}
            onChange={setShown}
          />
        </div>
        {rows.length === 0 ? <p class="run-note">No warnings.</p> : null}
        <ul class="event-list">
          {rows.map((event, i) => (
            <EventItem key={`${event.time} ${i}`} event={event} />
          ))}
        </ul>
      </section>
    </div>
  );
}

function SignItem({ sign }: { sign: Sign }) {
  return (
    <li class="event">
      <div class="event-line">
        <Badge kind="warning">sign</Badge>
        <strong>{sign.title}</strong>
        <span class="event-meta">
          since step {sign.step.toLocaleString("en")} · {sign.key}
        </span>
      </div>
      <p>{sign.meaning}</p>
      <p class="event-advice">{sign.advice}</p>
    </li>
  );
}

const kinds = { info: "neutral", warning: "warning", error: "bad" } as const;

function EventItem({ event: { time, code, level, message, step, explanation } }: { event: ShownEvent }) {
  return (
    <li class="event">
      <div class="event-line">
        {level === "info" ? null : <Badge kind={kinds[level]}>{level}</Badge>}
        <code>{code}</code>
        <span class="event-meta">
          {step === null ? "" : `step ${step.toLocaleString("en")} · `}
          {time === null ? "" : <time dateTime={time}>{formatDate(time)}</time>}
        </span>
      </div>
      <p>{message}</p>
      {explanation === null ? null : (
        <div class="event-why">
          <p>{explanation.meaning}</p>
          <p class="event-advice">{explanation.advice}</p>
        </div>
      )}
    </li>
  );
}
