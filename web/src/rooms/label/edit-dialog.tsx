/** A better text for one of the answers. It becomes the chosen one, and the answer as it was the rejected one. */
import { useState } from "preact/hooks";
import { answerName, type Draft } from "./draft.ts";
import { KeyCap } from "./key-cap.tsx";
import { Modal } from "./modal.tsx";

export interface EditDialogProps {
  readonly answers: readonly string[];
  readonly edit: Draft["edit"];
  /** The answer that is shown at first. */
  readonly first: number;
  /** Pairs: the edit can be the choice at once. */
  readonly canSubmit: boolean;
  /** Null: no edit, the answer as it was. */
  readonly onKeep: (edit: Draft["edit"]) => void;
  readonly onSubmit: (edit: NonNullable<Draft["edit"]>) => void;
  readonly onClose: () => void;
}

export function EditDialog({ answers, edit, first, canSubmit, onKeep, onSubmit, onClose }: EditDialogProps) {
  const [answer, setAnswer] = useState(first);
  const [texts, setTexts] = useState(answers.map((text, at) => (edit?.answer === at ? edit.text : text)));
  const text = texts[answer];
  const isSame = text.trim() === "" || text === answers[answer];
  const others = answers.flatMap((before, at) => (at !== answer && texts[at] !== before ? [answerName(at)] : []));
  const made = isSame ? null : { answer, text };
  const finish = (): void => {
    if (made === null) return;
    if (canSubmit) onSubmit(made);
    else onKeep(made);
  };
  return (
    <Modal
      title="Make an answer better"
      isWide
      onClose={onClose}
      onKeyDown={(event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) return;
        event.preventDefault();
        finish();
      }}
    >
      <div class="label-segments" role="group" aria-label="Which answer">
        {answers.map((_, at) => (
          <button key={at} type="button" aria-pressed={at === answer} onClick={() => setAnswer(at)}>
            Answer {answerName(at)}
          </button>
        ))}
      </div>
      <textarea
        class="textarea label-editor"
        aria-label={`Better text for answer ${answerName(answer)}`}
        value={text}
        rows={14}
        // oxlint-disable-next-line jsx-a11y/no-autofocus -- the dialog was opened to type here
        autoFocus
        onInput={(event) => setTexts(texts.map((old, at) => (at === answer ? event.currentTarget.value : old)))}
      />
      <p class="label-note">
        Your text becomes the chosen answer, and {answerName(answer)} as it was the rejected one.
        <span class="label-edit-others" role="status">
          {others.length > 0 &&
            `Only the answer shown, ${answerName(answer)}, is stored as the improved one; your text of ${others.join(" and ")} is not.`}
        </span>
      </p>
      <div class="label-buttons">
        {canSubmit && (
          <button type="button" class="button button-primary" disabled={isSame} onClick={finish}>
            Submit as the better answer <KeyCap keys="Ctrl Enter" />
          </button>
        )}
        <button type="button" class={`button${canSubmit ? "" : " button-primary"}`} disabled={isSame} onClick={() => onKeep(made)}>
          {canSubmit ? "Keep, and choose myself" : "Keep the edit"}
          {!canSubmit && <KeyCap keys="Ctrl Enter" />}
        </button>
        {edit?.answer === answer && (
          <button type="button" class="button button-small" onClick={() => onKeep(null)}>
            Remove my edit
          </button>
        )}
      </div>
    </Modal>
  );
}
