/** Blind comparisons: people say in the Label room which text is better, without knowing whose it is; here is who won. */
import { useEffect } from "preact/hooks";
import type { BlindResult } from "../../../../src/server/ui/samples/protocol.ts";
import { Badge } from "../../components/badge.tsx";
import { EmptyState } from "../../components/empty-state.tsx";
import { Spinner } from "../../components/spinner.tsx";
import { subscribe } from "../../live.ts";
import { blindResults, loadBlind } from "./blind-store.ts";

export function BlindPanel() {
  const results = blindResults.value;
  const open = (results ?? []).filter(({ judged, tasks }) => judged < tasks).map(({ project }) => project);
  useEffect(() => void loadBlind(), []);
  useEffect(() => {
    const stops = open.map((project) => subscribe(`label:${project}`, () => void loadBlind(), { onGap: () => void loadBlind() }));
    return () => stops.forEach((stop) => stop());
  }, [open.join(" ")]);
  if (results === undefined) return <Spinner label="Reading results" />;
  if (results.length === 0)
    return (
      <EmptyState
        icon="people"
        title="No blind comparison yet"
        text="Choose two columns in Compare, and press Blind A/B. The Label room then shows their texts without names, in random order; who won stands here."
      />
    );
  return (
    <ul class="samples-studies">
      {results.map((result) => (
        <Study key={result.project} result={result} />
      ))}
    </ul>
  );
}

function Study({ result }: { readonly result: BlindResult }) {
  const { project, made, tasks, judged, models, ties, bothBad } = result;
  return (
    <li class="card samples-study">
      <header>
        <h2>{made === "" ? project : new Date(made).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}</h2>
        <Badge kind={judged === tasks ? "good" : "neutral"}>
          {judged} of {tasks} compared
        </Badge>
        <a class="button button-small" href={`#/label/${project}`}>
          {judged === 0 ? "Label now" : judged === tasks ? "See the labels" : "Go on labeling"}
        </a>
      </header>
      {models === null ? (
        <p class="samples-note">Whose texts they are is told after the first label.</p>
      ) : (
        <>
          <dl class="samples-wins">
            {models.map(({ name, wins, winRate, interval }) => (
              <div key={name}>
                <dt title={name}>{name}</dt>
                <dd>
                  <span class="samples-win-bar" aria-hidden="true">
                    <span class="samples-win-fill" style={{ width: `${100 * (winRate ?? 0)}%` }} />
                    {interval !== null && (
                      <span
                        class="samples-win-interval"
                        style={{ left: `${100 * interval[0]}%`, width: `${100 * (interval[1] - interval[0])}%` }}
                      />
                    )}
                    <span class="samples-win-half" />
                  </span>
                  <strong>{winRate === null ? "–" : `${(100 * winRate).toFixed(0)} %`}</strong>
                  <span class="samples-note">
                    {interval === null ? "" : `${(100 * interval[0]).toFixed(0)} to ${(100 * interval[1]).toFixed(0)} %`}; {wins}{" "}
                    {wins === 1 ? "win" : "wins"}
                  </span>
                </dd>
              </div>
            ))}
          </dl>
          <p class="samples-note">
            {ties} {ties === 1 ? "tie" : "ties"}, {bothBad} both bad; each counts as half a win. {conclude(result)}
          </p>
        </>
      )}
    </li>
  );
}

function conclude({ models }: BlindResult): string {
  const winner = models?.find(({ interval }) => interval !== null && interval[0] > 0.5);
  if (winner !== undefined) return `${winner.name} is preferred: the 95 % interval lies above one half.`;
  return "The 95 % interval holds one half: which is better is not settled.";
}
