/** One model's answer: its text, how it was made, and what can be done with it. */
import { useState } from "preact/hooks";
import { IconButton } from "../../components/button.tsx";
import { Markdown } from "../../components/markdown.tsx";
import { showToast } from "../../components/toast.tsx";
import { editAnswer, isRunning } from "./chat-store.ts";
import type { Answer, Exchange } from "./conversation.ts";
import { TextEditor } from "./text-editor.tsx";
import { TokenText } from "./token-text.tsx";

export type AnswerView = "text" | "markdown" | "tokens";

export interface AnswerCardProps {
  readonly exchange: Exchange;
  readonly side: number;
  readonly view: AnswerView;
  /** The conversation goes on from the other one. */
  readonly isLeft: boolean;
}

export function AnswerCard({ exchange, side, view, isLeft }: AnswerCardProps) {
  const answer = exchange.answers[side] as Answer;
  const [edits, setEdits] = useState(false);
  const running = isRunning(answer);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(answer.text);
    showToast("Copied");
  };
  return (
    <article class={`chat-answer${isLeft ? " left-behind" : ""}`} aria-label={`Answer of ${answer.modelName}`} aria-busy={running}>
      <header class="chat-answer-head">
        <span class="chat-answer-model" title={answer.modelName}>
          {answer.modelName}
        </span>
        <span class="chat-answer-facts">{describeFacts(answer)}</span>
        {!running && !edits && (
          <span class="chat-answer-actions">
            <IconButton icon="copy" label="Copy" size="small" onClick={() => void copy()} />
            <IconButton icon="edit" label="Edit this answer" size="small" tip="left" onClick={() => setEdits(true)} />
          </span>
        )}
      </header>
      {edits ? (
        <TextEditor
          label={`Answer of ${answer.modelName}`}
          text={answer.text}
          action="Keep the edit"
          note="The conversation goes on from what you write here."
          onCancel={() => setEdits(false)}
          onSave={(text) => {
            editAnswer(exchange.id, side, text);
            setEdits(false);
          }}
        />
      ) : (
        <AnswerBody answer={answer} view={view} asked={exchange.user} />
      )}
      {answer.state === "failed" && (
        <p class="chat-problem" role="alert">
          {answer.error?.message}
          {answer.error?.hint !== undefined && <small>{answer.error.hint}</small>}
        </p>
      )}
      {(answer.leftOut ?? 0) > 0 && (
        <p class="chat-note">
          {answer.leftOut === 1 ? "The oldest turn no longer fits" : `The ${answer.leftOut} oldest turns no longer fit`} into the model's
          positions and {answer.leftOut === 1 ? "was" : "were"} left out.
        </p>
      )}
    </article>
  );
}

function AnswerBody({ answer, view, asked }: { readonly answer: Answer; readonly view: AnswerView; readonly asked: string }) {
  const { state, text, pieces, mode, modelName } = answer;
  if (text === "" && pieces.length === 0) {
    if (state === "loading") return <Waiting>Loading the model…</Waiting>;
    if (isRunning(answer)) return <Waiting>Reading the prompt…</Waiting>;
    return state === "failed" ? null : (
      <p class="chat-note">{state === "stopped" ? "Stopped before the first token." : "An empty answer."}</p>
    );
  }
  if (view === "markdown") return <Markdown text={text} class="chat-answer-text" />;
  if (pieces.length === 0)
    return (
      <>
        <div class="chat-answer-text chat-tokens">{text}</div>
        {view === "tokens" && (
          <p class="chat-note">The tokens of this text are not known: it was edited, loaded, or is from an earlier visit.</p>
        )}
      </>
    );
  return (
    <div class="chat-answer-text">
      <TokenText
        pieces={pieces}
        inspects={view === "tokens"}
        label={`Answer of ${modelName}`}
        before={mode === "text" ? asked : undefined}
      />
    </div>
  );
}

function Waiting({ children }: { readonly children: string }) {
  return (
    <p class="chat-waiting">
      <span class="chat-dot" aria-hidden="true" />
      {children}
    </p>
  );
}

function describeFacts({ tokens, seconds, finishReason, seed, isEdited, state }: Answer): string {
  const speed = tokens !== undefined && seconds !== undefined && seconds > 0 ? `${(tokens / seconds).toFixed(0)} tokens/s` : "";
  const facts = [
    isEdited === true ? "edited" : "",
    tokens === undefined ? "" : `${tokens} ${tokens === 1 ? "token" : "tokens"}`,
    speed,
    finishReason === "length" ? "cut at the limit" : "",
    state === "stopped" ? "stopped" : "",
    state === "done" ? `seed ${seed}` : "",
  ];
  return facts.filter((fact) => fact !== "").join(" · ");
}
