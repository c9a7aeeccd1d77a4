/** Who labels: asked once, kept in this browser. */
import { useState } from "preact/hooks";
import { maxNameLength } from "./identity.ts";

export interface NameFormProps {
  readonly current: string;
  /** Names that have labelled here before. */
  readonly known: readonly string[];
  readonly onName: (name: string) => void;
}

export function NameForm({ current, known, onName }: NameFormProps) {
  const [name, setName] = useState(current);
  const clean = name.trim().replace(/\s+/g, " ");
  return (
    <form
      class="label-name"
      onSubmit={(event) => {
        event.preventDefault();
        if (clean !== "") onName(clean);
      }}
    >
      <label for="label-name-field">Your name</label>
      <p class="label-note" id="label-name-note">
        It goes with every label, so that two people can be compared. It stays in this browser until you change it.
      </p>
      <div class="label-buttons">
        <input
          id="label-name-field"
          class="input"
          type="text"
          autocomplete="nickname"
          maxLength={maxNameLength}
          aria-describedby="label-name-note"
          value={name}
          // oxlint-disable-next-line jsx-a11y/no-autofocus -- the only field there is
          autoFocus
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <button type="submit" class="button button-primary" disabled={clean === ""}>
          Start labeling
        </button>
      </div>
      {known.length > 0 && (
        <div class="label-tags" role="group" aria-label="Names that have labelled here">
          {known.slice(0, 12).map((other) => (
            <button key={other} type="button" class="label-tag" onClick={() => onName(other)}>
              {other}
            </button>
          ))}
        </div>
      )}
    </form>
  );
}
