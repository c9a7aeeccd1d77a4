/** What annotators are told to look at: read beside the task, changed in place; every change is a version, and labels say which they had. */
import { useState } from "preact/hooks";
import type { Guidelines } from "../../../../src/server/ui/label/protocol.ts";
import { Markdown } from "../../components/markdown.tsx";
import { KeyCap } from "./key-cap.tsx";

export interface GuidelinesPanelProps {
  readonly guidelines: Guidelines;
  /** Throws what the server says. */
  readonly onSave: (text: string, after: number) => Promise<void>;
  readonly loadNewest: () => Promise<Guidelines>;
  readonly onClose: () => void;
}

export function GuidelinesPanel({ guidelines, onSave, loadNewest, onClose }: GuidelinesPanelProps) {
  const [draft, setDraft] = useState<{ text: string; after: number } | null>(null);
  const [conflict, setConflict] = useState<Guidelines | null>(null);
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const save = async (): Promise<void> => {
    if (draft === null) return;
    setBusy(true);
    setProblem("");
    try {
      await onSave(draft.text, draft.after);
      setDraft(null);
      setConflict(null);
    } catch (error) {
      const { status, message } = error as { status?: number; message?: string };
      // Nobody's text is written over: the newer one is shown beside, and saving again is after that one.
      const newest = status === 409 ? await loadNewest().catch(() => null) : null;
      if (newest === null) setProblem(message ?? String(error));
      else {
        setConflict(newest);
        setDraft({ text: draft.text, after: newest.version });
      }
    } finally {
      setBusy(false);
    }
  };
  return (
    <aside
      class="label-panel"
      aria-label="Guidelines"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        if (draft === null) onClose();
      }}
    >
      <header class="label-panel-head">
        <h2>Guidelines {guidelines.version > 0 && <span class="badge">version {guidelines.version}</span>}</h2>
        <button type="button" class="button button-small button-quiet" aria-label="Close the guidelines" onClick={onClose}>
          Close <KeyCap keys="G" />
        </button>
      </header>
      {draft === null ? (
        <div class="label-panel-body">
          {guidelines.text.trim() === "" ? (
            <p class="label-nothing">
              There are none yet. Write down what makes an answer better here (facts, tone, length), so that everybody judges alike.
            </p>
          ) : (
            <Markdown text={guidelines.text} />
          )}
          <button type="button" class="button button-small" onClick={() => setDraft({ text: guidelines.text, after: guidelines.version })}>
            {guidelines.version === 0 ? "Write guidelines" : "Edit"}
          </button>
        </div>
      ) : (
        <div class="label-panel-body">
          {conflict !== null && (
            <div class="label-notice" role="alert">
              Somebody has saved version {conflict.version} in the meantime. Your text is still here: put what is new into it, and save
              again.
              <details>
                <summary>Version {conflict.version}</summary>
                <pre class="label-plain">{conflict.text}</pre>
              </details>
            </div>
          )}
          {problem !== "" && (
            <p class="label-notice" role="alert">
              Not saved: {problem}
            </p>
          )}
          <textarea
            class="textarea label-editor"
            aria-label="Guidelines, as Markdown"
            rows={18}
            value={draft.text}
            onInput={(event) => setDraft({ text: event.currentTarget.value, after: draft.after })}
          />
          <div class="label-buttons">
            <button type="button" class="button button-primary" disabled={isBusy} onClick={() => void save()}>
              Save as version {draft.after + 1}
            </button>
            <button
              type="button"
              class="button button-small"
              onClick={() => {
                setDraft(null);
                setConflict(null);
              }}
            >
              Cancel
            </button>
          </div>
        </div>
      )}
    </aside>
  );
}
