/** One task on the screen, and the keys. */
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { LabelMode } from "../../../../src/server/ui/label/protocol.ts";
import { ActionToast } from "./action-toast.tsx";
import { AnswerPane } from "./answer-pane.tsx";
import { ChoiceBar } from "./choice-bar.tsx";
import { DetailRow } from "./detail-row.tsx";
import { describeLabel, isComplete } from "./draft.ts";
import { EditDialog } from "./edit-dialog.tsx";
import { KeyCap } from "./key-cap.tsx";
import { KeysDialog } from "./keys-dialog.tsx";
import { isTakenByFocus, parseKey, type LabelAction } from "./label-keys.ts";
import type { LabelSession, Screen } from "./label-session.ts";
import { MarkButtons } from "./mark-buttons.tsx";
import type { Outbox } from "./outbox.ts";
import { PromptCard } from "./prompt-card.tsx";
import { RankLanes } from "./rank-lanes.tsx";
import { ReasonDialog } from "./reason-dialog.tsx";
import { scrollPanes, syncScroll } from "./sync-scroll.ts";
import { scrollTogether, showDifferences, showMarkdown } from "./view-options.ts";
import { diffTexts } from "./word-diff.ts";

export interface LabelingViewProps {
  readonly session: LabelSession;
  readonly outbox: Outbox;
  readonly screen: Screen;
  readonly onGuidelines: () => void;
  /** Closes what is open beside the task; whether there was anything. */
  readonly onLeave: () => boolean;
}

type Dialog = "skip" | "flag" | "edit" | "keys";

export function LabelingView({ session, outbox, screen, onGuidelines, onLeave }: LabelingViewProps) {
  const { mode, ratingMax, reasonTags } = session.project;
  const { task, given } = screen;
  const draft = session.draft.value;
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const [editFirst, setEditFirst] = useState(0);
  const stage = useRef<HTMLDivElement>(null);
  const comment = useRef<HTMLInputElement>(null);
  const marks = mode === "ranking" ? task.answers.length : ratingMax;
  const allBadKey = mode === "rating" && ratingMax >= 10 ? null : "0";
  const canSubmit = isComplete(mode, draft);
  const isTen = mode === "rating" && ratingMax >= 10;
  const diff = useMemo(
    () => (showDifferences.value && task.answers.length === 2 ? diffTexts(task.answers[0], task.answers[1]) : null),
    [task, showDifferences.value],
  );
  const screenKey = given?.label.id ?? task.id;

  const listPanes = (): HTMLElement[] => [...(stage.current?.querySelectorAll<HTMLElement>(".label-answer-body") ?? [])];
  const focusPane = (at: number): void => listPanes()[at]?.focus();
  const focusedPane = (): number => Number(document.activeElement?.closest<HTMLElement>("[data-answer]")?.dataset["answer"] ?? -1);

  const choose = (choice: "left" | "right" | "tie" | "both_bad", much = false): void =>
    session.submit({ choice, ...(much && { strength: 3 }) });
  const mark = (answer: number, value: number | null): void =>
    session.updateDraft({ marks: draft.marks.map((old, at) => (at === answer ? value : old)) });
  const openEdit = (answer: number): void => {
    setEditFirst(answer);
    setDialog("edit");
  };
  const onDigit = (digit: number, much: boolean): void => {
    if (mode === "pair") {
      const choice = ({ 0: "both_bad", 1: "left", 2: "right", 3: "tie" } as const)[digit];
      if (choice !== undefined) choose(choice, much);
    } else if (digit === 0 && !isTen) choose("both_bad");
    else {
      const value = digit === 0 ? 10 : digit;
      const focused = focusedPane();
      const answer = focused >= 0 ? focused : draft.marks.indexOf(null);
      if (answer < 0 || value > marks) return;
      mark(answer, value);
      const open = draft.marks.findIndex((old, at) => old === null && at !== answer);
      focusPane(open < 0 ? answer : open);
    }
  };
  const onArrow = (direction: "left" | "right" | "up" | "down"): void => {
    if (mode === "pair") choose(({ left: "left", right: "right", up: "tie", down: "both_bad" } as const)[direction]);
    else {
      const step = direction === "left" || direction === "up" ? -1 : 1;
      focusPane(Math.min(task.answers.length - 1, Math.max(0, focusedPane() + step)));
    }
  };
  const run = (action: LabelAction): void => {
    switch (action.kind) {
      case "digit":
        return onDigit(action.digit, action.much);
      case "arrow":
        return onArrow(action.direction);
      case "tie":
        return mode === "pair" ? choose("tie") : undefined;
      case "skip":
      case "flag":
      case "keys":
        return setDialog(action.kind);
      case "edit":
        return openEdit(focusedPane() < 0 ? (draft.edit?.answer ?? 0) : focusedPane());
      case "undo":
        return session.undo();
      case "comment":
        return comment.current?.focus();
      case "reasons":
        return stage.current?.parentElement?.querySelector<HTMLElement>(".label-tag")?.focus();
      case "guidelines":
        return onGuidelines();
      case "older":
        return session.browse(-1);
      case "newer":
        return session.browse(1);
      case "markdown":
        return showMarkdown.toggle();
      case "differences":
        return showDifferences.toggle();
      case "submit":
        return mode !== "pair" && canSubmit ? session.submit({ choice: null }) : undefined;
      case "leave":
        if (!onLeave()) session.backToOpen();
        return stage.current?.focus({ preventScroll: true });
      case "page-down":
      case "page-up":
        return stage.current === null ? undefined : scrollPanes(stage.current, action.kind === "page-down" ? 1 : -1);
    }
  };
  const latest = useRef(run);
  latest.current = run;
  // With the task, not after it: a person who is fast presses before an effect would have run.
  useLayoutEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || document.querySelector("dialog[open]") !== null) return;
      const action = parseKey(event);
      if (action === null || isTakenByFocus(action, event, document.activeElement)) return;
      event.preventDefault();
      latest.current(action);
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);
  useLayoutEffect(() => (stage.current === null ? undefined : syncScroll(stage.current, () => scrollTogether.value)), []);
  // A new task: at its top, with the focus where no key does anything unexpected.
  useLayoutEffect(() => {
    setDialog(null);
    if (document.activeElement instanceof HTMLElement && document.activeElement.closest(".label-panel, dialog") !== null) return;
    if (mode === "pair") stage.current?.focus({ preventScroll: true });
    else focusPane(0);
    stage.current?.closest(".main")?.scrollTo({ top: 0, behavior: "instant" });
  }, [screenKey]);

  return (
    <>
      <div ref={stage} class={`label-stage is-${mode}`} role="group" aria-label="Task" tabIndex={-1} data-task={task.id}>
        {given !== null && (
          <div class="label-looking">
            <span>
              You said <strong>{describeLabel(given.label)}</strong>. Choose again to change it.
            </span>
            <button type="button" class="button button-small" onClick={() => session.backToOpen()}>
              Back to the open task <KeyCap keys="Esc" />
            </button>
          </div>
        )}
        <PromptCard key={`prompt ${screenKey}`} prompt={task.prompt} />
        <ViewBar mode={mode} by={diff?.by ?? null} canCompare={task.answers.length === 2} onKeys={() => setDialog("keys")} />
        {mode === "ranking" && <RankLanes marks={draft.marks} onMark={mark} />}
        <div class={`label-answers is-${String(task.answers.length)}`}>
          {task.answers.map((text, at) => (
            <AnswerPane
              key={`${screenKey} ${String(at)}`}
              at={at}
              text={text}
              parts={diff === null || diff.by === "none" ? null : at === 0 ? diff.left : diff.right}
              edited={draft.edit?.answer === at ? draft.edit.text : null}
              showsLength={given !== null}
              isChosen={given?.label.choice === (at === 0 ? "left" : "right") && mode === "pair"}
              onEdit={() => openEdit(at)}
            >
              {mode !== "pair" && (
                <MarkButtons mode={mode} at={at} count={marks} mark={draft.marks[at] ?? null} onMark={(value) => mark(at, value)} />
              )}
            </AnswerPane>
          ))}
        </div>
      </div>
      <div class="label-actions">
        <ActionToast session={session} outbox={outbox} />
        <DetailRow
          mode={mode}
          draft={draft}
          tags={reasonTags}
          commentField={comment}
          onChange={session.updateDraft}
          onLeave={() => stage.current?.focus({ preventScroll: true })}
        />
        <ChoiceBar
          mode={mode}
          given={given?.label.choice ?? null}
          canSubmit={canSubmit}
          allBadKey={allBadKey}
          canUndo={session.history.value.length > 0}
          onChoose={choose}
          onSubmit={() => session.submit({ choice: null })}
          onAsk={setDialog}
          onUndo={session.undo}
        />
      </div>
      {(dialog === "skip" || dialog === "flag") && (
        <ReasonDialog
          kind={dialog}
          onClose={() => setDialog(null)}
          onPick={(reason) => {
            setDialog(null);
            session.submit({ choice: dialog, reasons: reason === null ? [] : [reason] });
          }}
        />
      )}
      {dialog === "edit" && (
        <EditDialog
          answers={task.answers}
          edit={draft.edit}
          first={editFirst}
          canSubmit={mode === "pair"}
          onClose={() => setDialog(null)}
          onKeep={(edit) => {
            session.updateDraft({ edit });
            setDialog(null);
          }}
          onSubmit={(edit) => {
            session.updateDraft({ edit });
            setDialog(null);
            choose(edit.answer === 0 ? "left" : "right");
          }}
        />
      )}
      {dialog === "keys" && <KeysDialog onClose={() => setDialog(null)} />}
    </>
  );
}

interface ViewBarProps {
  readonly mode: LabelMode;
  /** How the answers are compared; null: they are not. */
  readonly by: "words" | "lines" | "none" | null;
  readonly canCompare: boolean;
  readonly onKeys: () => void;
}

function ViewBar({ mode, by, canCompare, onKeys }: ViewBarProps) {
  return (
    <div class="label-view-bar" role="group" aria-label="How answers are shown">
      <button
        type="button"
        class="label-toggle"
        aria-pressed={showMarkdown.value}
        aria-keyshortcuts="m"
        onClick={() => showMarkdown.toggle()}
      >
        Markdown <KeyCap keys="M" />
      </button>
      {canCompare && (
        <button
          type="button"
          class="label-toggle"
          aria-pressed={showDifferences.value}
          aria-keyshortcuts="d"
          onClick={() => showDifferences.toggle()}
        >
          Differences <KeyCap keys="D" />
        </button>
      )}
      <button type="button" class="label-toggle label-together" aria-pressed={scrollTogether.value} onClick={() => scrollTogether.toggle()}>
        Scroll together
      </button>
      {by === "lines" && <span class="label-note">Long texts are compared by lines.</span>}
      {by === "none" && <span class="label-note">These texts are too long to be compared.</span>}
      {mode === "ranking" && <span class="label-note">1 is best; answers with the same place tie.</span>}
      {mode === "rating" && <span class="label-note">Higher is better; what has no mark was not rated.</span>}
      <button type="button" class="label-toggle label-all-keys" aria-keyshortcuts="?" onClick={onKeys}>
        All keys <KeyCap keys="?" />
      </button>
    </div>
  );
}
