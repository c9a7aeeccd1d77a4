/** What has just been done, for five seconds, with the way back. The lengths of the answers come here: after the label, not before. */
import { useEffect } from "preact/hooks";
import { describeLength } from "./answer-pane.tsx";
import { answerName, describeLabel } from "./draft.ts";
import { KeyCap } from "./key-cap.tsx";
import type { LabelSession } from "./label-session.ts";
import type { Outbox } from "./outbox.ts";

const visibleFor = 5000;

export function ActionToast({ session, outbox }: { session: LabelSession; outbox: Outbox }) {
  const action = session.lastAction.value;
  useEffect(() => {
    if (action === null) return undefined;
    const timer = setTimeout(() => session.forgetAction(), visibleFor);
    return () => clearTimeout(timer);
  }, [action?.id]);
  if (action === null) return null;
  const isWaiting = outbox.waiting.value.has(action.id);
  const isRefused = outbox.refused.value.some((refusal) => refusal.label.id === action.id);
  const state = isRefused ? "refused" : !isWaiting ? "saved" : outbox.link.value.kind === "online" ? "saving" : "waiting";
  const what = describeLabel(action.label);
  return (
    <div class="label-toast" data-state={state} key={action.id}>
      <div>
        <strong>{action.kind === "undone" ? `Taken back: ${what}` : action.kind === "changed" ? `Changed to: ${what}` : what}</strong>
        <span class="label-toast-state">{state}</span>
        {action.kind !== "undone" && (
          <div class="label-toast-lengths">
            {action.task.answers.map((text, at) => (
              <span key={at}>
                {answerName(at)}: {describeLength(text)}
              </span>
            ))}
          </div>
        )}
      </div>
      {action.kind !== "undone" && !isRefused && (
        <button type="button" class="button button-small" onClick={() => session.undo()}>
          Undo <KeyCap keys="U" />
        </button>
      )}
    </div>
  );
}
