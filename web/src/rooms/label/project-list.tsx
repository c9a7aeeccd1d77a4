/** The projects that this server has; or what to run where there is none. */
import type { ProjectSummary } from "../../../../src/server/ui/label/protocol.ts";
import { EmptyState } from "../../components/empty-state.tsx";

export function ProjectList({ projects }: { projects: readonly ProjectSummary[] }) {
  if (projects.length === 0)
    return (
      <EmptyState
        icon="label"
        title="Nothing to label yet"
        text="A labeling project is a file of prompts with two or more answers each. Let a model write them, then open the file; any file with rows of prompt, answer1 and answer2 will do."
        commands={["spar generate --model MODEL --prompts prompts.jsonl --candidates 2 > tasks.jsonl", "spar label --data tasks.jsonl"]}
      />
    );
  return (
    <div class="label-page">
      <h1>What to label</h1>
      <ul class="label-list">
        {projects.map(({ id, name, mode, progress }) => (
          <li key={id}>
            <a class="label-list-row" href={`#/label/${encodeURIComponent(id)}`}>
              <span>
                <strong>{name}</strong>
                <span class="label-note">{{ pair: "pairs", ranking: "ranking", rating: "rating" }[mode]}</span>
              </span>
              <span class="label-figures">
                <progress value={progress.given} max={Math.max(1, progress.wanted)} aria-label={`${name}: labels given`} />
                <span>
                  {progress.given} of {progress.wanted}
                </span>
              </span>
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}
