/** What this person has said, newest first; each label can be looked at again and changed. */
import { describeLabel } from "./draft.ts";
import type { LabelSession } from "./label-session.ts";

export function HistoryPage({ session, onLook }: { session: LabelSession; onLook: (labelId: string) => void }) {
  const history = session.history.value;
  return (
    <div class="label-page">
      <h1>Your labels</h1>
      {history.length === 0 ? (
        <p>None yet. What you label appears here, and can be changed.</p>
      ) : (
        <ul class="label-list">
          {history.map(({ label, task, given }) => (
            <li key={label.id}>
              <button type="button" class="label-list-row" onClick={() => onLook(label.id)}>
                <span class="label-list-main">
                  <strong>{describeLabel(label)}</strong>
                  <span class="label-snippet">{snippetOf(task.prompt)}</span>
                </span>
                <span class="label-note">
                  {(label.reasons ?? []).join(", ")} {formatTime(given)}
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

export function snippetOf(prompt: string | readonly { readonly content: string }[]): string {
  const text = typeof prompt === "string" ? prompt : (prompt.at(-1)?.content ?? "");
  return text.replace(/\s+/g, " ").slice(0, 160);
}

function formatTime(iso: string): string {
  const time = new Date(iso);
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday
    ? time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
    : time.toLocaleDateString([], { day: "numeric", month: "short" });
}
