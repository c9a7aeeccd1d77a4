/** One answer: its text as it is, with its differences to the other, or as Markdown. */
import type { ComponentChildren } from "preact";
import { Markdown } from "../../components/markdown.tsx";
import { answerName } from "./draft.ts";
import { KeyCap } from "./key-cap.tsx";
import { showMarkdown } from "./view-options.ts";
import type { DiffPart } from "./word-diff.ts";

export interface AnswerPaneProps {
  readonly at: number;
  readonly text: string;
  /** Null: not compared. */
  readonly parts: readonly DiffPart[] | null;
  /** The person's better text, in place of the answer's. */
  readonly edited: string | null;
  /** Only after the label: who sees which is longer takes the longer one. */
  readonly showsLength: boolean;
  readonly isChosen: boolean;
  /** Null: it cannot be edited here. */
  readonly onEdit: (() => void) | null;
  /** Marks of rankings and ratings. */
  readonly children?: ComponentChildren;
}

export function AnswerPane({ at, text, parts, edited, showsLength, isChosen, onEdit, children }: AnswerPaneProps) {
  const name = answerName(at);
  const shown = edited ?? text;
  return (
    <section class={`label-answer${isChosen ? " is-chosen" : ""}`} data-answer={at} aria-label={`Answer ${name}`}>
      <header class="label-answer-head">
        <h2 class="label-letter">{name}</h2>
        {edited !== null && <span class="badge">your edit</span>}
        {children}
        {onEdit !== null && (
          <button
            type="button"
            class="button button-small button-quiet label-edit"
            aria-label={`Edit answer ${name}`}
            aria-keyshortcuts={at === 0 ? "e" : undefined}
            onClick={onEdit}
          >
            Edit {at === 0 && <KeyCap keys="E" />}
          </button>
        )}
      </header>
      <div class="label-answer-body" data-scrolls tabIndex={0} role="group" aria-label={`Text of answer ${name}`}>
        <AnswerText text={shown} parts={edited === null ? parts : null} />
      </div>
      {showsLength && <footer class="label-length">{describeLength(shown)}</footer>}
    </section>
  );
}

function AnswerText({ text, parts }: { text: string; parts: readonly DiffPart[] | null }) {
  if (text.trim() === "") return <p class="label-nothing">This answer is empty.</p>;
  if (parts !== null)
    return (
      <div class="label-plain">
        {parts.map((part, at) =>
          part.own ? (
            <mark key={at} class="label-own">
              {part.text}
            </mark>
          ) : (
            part.text
          ),
        )}
      </div>
    );
  return showMarkdown.value ? <Markdown text={text} /> : <div class="label-plain">{text}</div>;
}

export function describeLength(text: string): string {
  const words = text.match(/\S+/g)?.length ?? 0;
  return `${String(words)} ${words === 1 ? "word" : "words"}, ${text.length.toLocaleString("en")} characters`;
}
