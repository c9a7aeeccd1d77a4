/** Where one writes: Enter sends, Shift+Enter breaks the line; commands of the terminal's chat work here too. */
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Button } from "../../components/button.tsx";
import { draft, isBusy, setDraft, stop } from "./chat-store.ts";

export interface ComposerProps {
  /** The models continue text, and do not answer. */
  readonly continues: boolean;
  readonly isReady: boolean;
  onSend(text: string): void;
}

const tallest = 220;

export function Composer({ continues, isReady, onSend }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const text = draft.value;
  const busy = isBusy.value;
  useEffect(() => field.current?.focus({ preventScroll: true }), []);
  useLayoutEffect(() => {
    const element = field.current as HTMLTextAreaElement;
    element.style.height = "auto";
    element.style.height = `${Math.min(tallest, element.scrollHeight + 2)}px`;
  }, [text]);
  const canSend = isReady && !busy && text.trim() !== "";
  const send = (): void => {
    if (!canSend) return;
    setDraft("");
    // In text that is continued, a space at the end is part of it.
    onSend(continues ? text : text.trim());
  };
  return (
    <form
      class="chat-composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={field}
        class="textarea"
        rows={1}
        aria-label={continues ? "Text to continue" : "Message"}
        placeholder={continues ? "Write the beginning of a text…" : "Write a message…"}
        value={text}
        onInput={(event) => setDraft(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape" && busy) {
            event.preventDefault();
            stop();
          }
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      {busy ? (
        <Button icon="stop" onClick={stop}>
          Stop
        </Button>
      ) : (
        <Button type="submit" kind="primary" icon="send" disabled={!canSend}>
          Send
        </Button>
      )}
    </form>
  );
}
