/** A question and its answers, with what can be said of them. */
import { useState } from "preact/hooks";
import { Button, IconButton } from "../../components/button.tsx";
import { AnswerCard, type AnswerView } from "./answer-card.tsx";
import { isBusy, isRunning, keepAnswer, lastPreference, prefer, regenerate } from "./chat-store.ts";
import type { Exchange, PreferenceChoice } from "./conversation.ts";
import { memo } from "./memo.ts";
import { TextEditor } from "./text-editor.tsx";

export interface ExchangeViewProps {
  readonly exchange: Exchange;
  readonly view: AnswerView;
  readonly isLast: boolean;
  /** The models continue text, and do not answer. */
  readonly continues: boolean;
}

export const ExchangeView = memo(({ exchange, view, isLast, continues }: ExchangeViewProps) => {
  const [edits, setEdits] = useState(false);
  const { id, user, answers, kept } = exchange;
  const isTwo = answers.length === 2;
  const later = isLast ? "" : " The turns after it are dropped.";
  return (
    <section class="chat-exchange" aria-label={continues ? "Text and its continuation" : "Question and answer"}>
      <div class="chat-user">
        {edits ? (
          <TextEditor
            label={continues ? "Your text" : "Your message"}
            text={user}
            action="Send again"
            note={`The answer is generated anew.${later}`}
            onCancel={() => setEdits(false)}
            onSave={(text) => {
              setEdits(false);
              regenerate(id, text);
            }}
          />
        ) : (
          <>
            <div class="chat-user-text">{user}</div>
            <span class="chat-user-actions">
              <IconButton icon="edit" label="Edit and send again" size="small" tip="left" onClick={() => setEdits(true)} />
              <IconButton icon="refresh" label="Generate anew" size="small" tip="left" onClick={() => regenerate(id)} />
            </span>
          </>
        )}
      </div>
      <div class={isTwo ? "chat-answers two" : "chat-answers"}>
        {answers.map((answer, side) => (
          <AnswerCard key={`${side} ${answer.model}`} exchange={exchange} side={side} view={view} isLeft={isTwo && kept !== side} />
        ))}
      </div>
      {isTwo && <Preferences exchange={exchange} />}
      {answers.length === 0 && !isBusy.value && (
        <Button size="small" icon="play" onClick={() => regenerate(id)}>
          Answer
        </Button>
      )}
    </section>
  );
});

const choices: readonly { readonly choice: PreferenceChoice; readonly name: string; readonly icon?: "check" }[] = [
  { choice: "left", name: "Prefer left" },
  { choice: "right", name: "Prefer right" },
  { choice: "tie", name: "Tie" },
  { choice: "both_bad", name: "Both bad" },
];

function Preferences({ exchange }: { readonly exchange: Exchange }) {
  const { id, answers, kept, preference } = exchange;
  if (answers.some(isRunning)) return null;
  const isSame = answers[0]?.text === answers[1]?.text;
  const isBroken = answers.some(({ state }) => state === "failed");
  const files = lastPreference.value;
  return (
    <div class="chat-preference">
      <div class="chat-preference-buttons" role="group" aria-label="Which answer is better">
        {choices.map(({ choice, name }) => {
          const isChosen = preference?.choice === choice && preference.state !== "failed";
          return (
            <Button
              key={choice}
              size="small"
              icon={isChosen ? "check" : undefined}
              class={isChosen ? "chat-chosen" : ""}
              aria-pressed={isChosen}
              disabled={isSame || isBroken || preference?.state === "saving"}
              onClick={() => void prefer(id, choice)}
            >
              {name}
            </Button>
          );
        })}
      </div>
      <p class="chat-note">
        {isSame
          ? "Both answers are the same text."
          : preference === undefined
            ? `The conversation goes on from the ${kept === 0 ? "left" : "right"} answer.`
            : preference.state === "saving"
              ? "Saving…"
              : preference.state === "failed"
                ? `Not saved: ${preference.message ?? ""}`
                : (preference.message ??
                  `Saved${files === undefined ? "" : ` to ${files.labels}; ${files.pairCount} ${files.pairCount === 1 ? "pair" : "pairs"} in ${files.pairs}`}.`)}{" "}
        {!isSame && (
          <button type="button" class="chat-link" onClick={() => keepAnswer(id, 1 - kept)}>
            Go on from the {kept === 0 ? "right" : "left"} one
          </button>
        )}
      </p>
    </div>
  );
}
