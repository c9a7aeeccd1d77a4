/** A text that was said, in a field: kept with Ctrl+Enter, left with Escape. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../../components/button.tsx";

export interface TextEditorProps {
  readonly label: string;
  readonly text: string;
  /** What keeping does: the button's words. */
  readonly action: string;
  readonly note?: string;
  onSave(text: string): void;
  onCancel(): void;
}

export function TextEditor({ label, text, action, note, onSave, onCancel }: TextEditorProps) {
  const [value, setValue] = useState(text);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(text.length, text.length);
  }, []);
  const isEmpty = value === "";
  return (
    <div class="chat-editor">
      <textarea
        ref={field}
        class="textarea"
        aria-label={label}
        rows={Math.min(14, Math.max(3, value.split("\n").length + 1))}
        value={value}
        onInput={(event) => setValue(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") {
            event.preventDefault();
            onCancel();
          }
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !isEmpty) {
            event.preventDefault();
            onSave(value);
          }
        }}
      />
      <div class="chat-editor-actions">
        {note !== undefined && <p class="chat-note">{note}</p>}
        <Button kind="quiet" size="small" onClick={onCancel}>
          Cancel
        </Button>
        <Button kind="primary" size="small" disabled={isEmpty} onClick={() => onSave(value)}>
          {action}
        </Button>
      </div>
    </div>
  );
}
