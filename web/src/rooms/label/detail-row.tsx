/** What can be said beyond the choice: how much better, why, and a comment. All of it is optional, and goes with the next choice. */
import type { RefObject } from "preact";
import type { LabelMode } from "../../../../src/server/ui/label/protocol.ts";
import { strengthNames, type Draft } from "./draft.ts";
import { KeyCap } from "./key-cap.tsx";

export interface DetailRowProps {
  readonly mode: LabelMode;
  readonly draft: Draft;
  readonly tags: readonly string[];
  readonly commentField: RefObject<HTMLInputElement | null>;
  readonly onChange: (change: Partial<Draft>) => void;
  /** Escape or Enter in the comment. */
  readonly onLeave: () => void;
}

export function DetailRow({ mode, draft, tags, commentField, onChange, onLeave }: DetailRowProps) {
  return (
    <div class="label-details">
      {mode === "pair" && (
        <div class="label-segments" role="group" aria-label="How much better">
          {([1, 2, 3] as const).map((strength) => (
            <button
              key={strength}
              type="button"
              aria-pressed={draft.strength === strength}
              onClick={() => onChange({ strength: draft.strength === strength ? null : strength })}
            >
              {strengthNames[strength]}
            </button>
          ))}
        </div>
      )}
      {tags.length > 0 && (
        <div class="label-tags" role="group" aria-label="Reasons">
          {tags.map((tag) => {
            const isOn = draft.reasons.includes(tag);
            return (
              <button
                key={tag}
                type="button"
                class="label-tag"
                aria-pressed={isOn}
                onClick={() => onChange({ reasons: isOn ? draft.reasons.filter((other) => other !== tag) : [...draft.reasons, tag] })}
              >
                {tag}
              </button>
            );
          })}
        </div>
      )}
      <label class="label-comment">
        <span class="visually-hidden">Comment</span>
        <input
          ref={commentField}
          class="input"
          type="text"
          placeholder="Comment"
          maxLength={4000}
          aria-keyshortcuts="c"
          value={draft.comment}
          onInput={(event) => onChange({ comment: event.currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key !== "Escape" && event.key !== "Enter") return;
            event.preventDefault();
            event.stopPropagation();
            onLeave();
          }}
        />
        <KeyCap keys="C" />
      </label>
    </div>
  );
}
