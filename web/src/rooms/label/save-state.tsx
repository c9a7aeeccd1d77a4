/** Whether everything is on the server's disk. It says "saved" only after the server has. */
import { useState } from "preact/hooks";
import { describeLabel } from "./draft.ts";
import { Modal } from "./modal.tsx";
import type { Outbox } from "./outbox.ts";

export function SaveState({ outbox, announce }: { outbox: Outbox; announce: string }) {
  const [isOpen, setOpen] = useState(false);
  const waiting = outbox.waiting.value.size;
  const refused = outbox.refused.value.length;
  const link = outbox.link.value;
  const state = waiting === 0 ? "saved" : link.kind === "online" ? "saving" : link.kind;
  const text =
    waiting === 0
      ? "Saved"
      : link.kind === "online"
        ? `Saving ${String(waiting)}`
        : `${String(waiting)} waiting${link.kind === "offline" ? ", offline" : ""}`;
  const spoken = waiting === 0 ? "saved" : link.kind === "online" ? "" : `${text}; kept in this browser until the server answers`;
  return (
    <>
      <span class="label-save" data-state={state} title={link.kind === "trouble" && waiting > 0 ? link.message : undefined}>
        <span class="label-dot" aria-hidden="true" />
        {text}
      </span>
      {refused > 0 && (
        <button type="button" class="button button-small label-warning" onClick={() => setOpen(true)}>
          {refused} refused
        </button>
      )}
      <span class="visually-hidden" role="status">
        {spoken === "" ? "" : `${announce}${announce === "" ? "" : ": "}${spoken}`}
      </span>
      {isOpen && <RefusedDialog outbox={outbox} onClose={() => setOpen(false)} />}
    </>
  );
}

/** Above the tasks: only while something needs attention. */
export function LinkNotice({ outbox }: { outbox: Outbox }) {
  const link = outbox.link.value;
  const waiting = outbox.waiting.value.size;
  if (waiting === 0) return null;
  if (!outbox.isDurable.value)
    return (
      <p class="label-notice" role="alert">
        This browser keeps nothing on disk, so labels that wait are lost when this tab closes. Leave it open until it says that they are
        saved.
      </p>
    );
  if (link.kind === "online") return null;
  return (
    <p class="label-notice" role="alert">
      {link.kind === "offline"
        ? "Go on labeling: your labels wait in this browser, and follow by themselves when the server is back."
        : link.message}
      {link.kind === "trouble" && link.hint !== undefined && ` ${link.hint}`}
    </p>
  );
}

function RefusedDialog({ outbox, onClose }: { outbox: Outbox; onClose: () => void }) {
  return (
    <Modal title="Labels that the server did not take" isWide onClose={onClose}>
      <p class="label-note">They are kept in this browser until you put them away. Nothing of them is in the project.</p>
      <ul class="label-list">
        {outbox.refused.value.map(({ label, message, project }) => (
          <li key={label.id} class="label-list-row">
            <div>
              <strong>{describeLabel(label)}</strong> by {label.annotator}, task {label.task} of {project}
              <div class="label-note">{message}</div>
            </div>
            <button type="button" class="button button-small" onClick={() => outbox.dismiss(label.id)}>
              Put away
            </button>
          </li>
        ))}
      </ul>
      {outbox.refused.value.length === 0 && <p>None is left.</p>}
    </Modal>
  );
}
