/** Tasks on which people differ: who said what, side by side, and a decision under one's own name. */
import { useState } from "preact/hooks";
import type { Disagreement } from "../../../../src/server/ui/label/protocol.ts";
import { Button } from "../../components/button.tsx";
import { AnswerPane } from "./answer-pane.tsx";
import { describeLabel } from "./draft.ts";
import { snippetOf } from "./history-page.tsx";
import { labelApi } from "./label-api.ts";
import type { LabelSession } from "./label-session.ts";
import { PromptCard } from "./prompt-card.tsx";
import { useFresh } from "./use-fresh.ts";

export function DisagreementsPage({ session }: { session: LabelSession }) {
  const [openTask, setOpenTask] = useState<string | null>(null);
  const rows = useFresh(() => labelApi.disagreements(session.project.id), session.changes.value);
  if (rows === null) return <p class="label-note label-page">Looking…</p>;
  return (
    <div class="label-page">
      <h1>Disagreements</h1>
      {rows.length === 0 ? (
        <p>Nobody disagrees so far. Tasks appear here when two people have labelled the same one differently.</p>
      ) : (
        <ul class="label-list">
          {rows.map((row) => {
            const isOpen = row.task.id === openTask;
            return (
              <li key={row.task.id} class={isOpen ? "is-open" : ""}>
                <button
                  type="button"
                  class="label-list-row"
                  aria-expanded={isOpen}
                  onClick={() => setOpenTask(isOpen ? null : row.task.id)}
                >
                  <span class="label-list-main">
                    <strong>{snippetOf(row.task.prompt)}</strong>
                    <span class="label-snippet">
                      {row.labels.map((label) => `${label.annotator}: ${describeLabel(label)}`).join(" · ")}
                    </span>
                  </span>
                  <span class="label-note" title="0: all agree, 1: as divided as can be">
                    {row.entropy.toFixed(2)}
                  </span>
                </button>
                {isOpen && <Review row={row} session={session} />}
              </li>
            );
          })}
        </ul>
      )}
    </div>
  );
}

function Review({ row: { task, labels }, session }: { row: Disagreement; session: LabelSession }) {
  const [opened] = useState(() => performance.now());
  const mine = labels.find((label) => label.annotator === session.annotator);
  return (
    <div class="label-review">
      <PromptCard prompt={task.prompt} />
      <div class="label-answers">
        {task.answers.map((text, at) => (
          <AnswerPane key={at} at={at} text={text} parts={null} edited={null} showsLength isChosen={false} onEdit={null} />
        ))}
      </div>
      <dl class="label-said">
        {labels.map((label) => (
          <div key={label.annotator}>
            <dt>{label.annotator}</dt>
            <dd>
              <strong>{describeLabel(label)}</strong>
              {label.reasons.length > 0 && ` ${label.reasons.join(", ")}`}
              {label.comment !== "" && <q>{label.comment}</q>}
            </dd>
          </div>
        ))}
      </dl>
      {session.project.mode === "pair" && (
        <div class="label-decide" role="group" aria-label="Your decision">
          <span class="label-note">
            {mine === undefined
              ? `Adds a label by ${session.annotator}:`
              : `Changes the label by ${session.annotator}; the others stay as they are:`}
          </span>
          {(["left", "tie", "both_bad", "right"] as const).map((choice) => (
            <Button key={choice} size="small" onClick={() => session.decide(task, choice, Math.round(performance.now() - opened))}>
              {describeLabel({ choice })}
            </Button>
          ))}
        </div>
      )}
    </div>
  );
}
