import { useEffect, useId, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { IconButton } from "./button.tsx";
import { Toasts } from "./toast.tsx";

/** A modal window: the browser's own, so that focus stays inside and Escape closes it. */
export function Dialog({
  title,
  open,
  onClose,
  children,
  actions,
  wide = false,
}: {
  title: string;
  open: boolean;
  onClose: () => void;
  children: ComponentChildren;
  /** Buttons at the end. */
  actions?: ComponentChildren;
  wide?: boolean;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return undefined;
    const before = document.activeElement;
    const dialog = ref.current;
    if (dialog?.open === false) {
      dialog.showModal();
      // What there is to fill in; otherwise the window itself, and not the button that closes it.
      (dialog.querySelector<HTMLElement>("[autofocus], input, textarea, select") ?? dialog).focus();
    }
    // The element goes away with its window, and the browser would forget where the focus was.
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, [open]);
  if (!open) return null;
  return (
    <dialog
      ref={ref}
      tabIndex={-1}
      class={wide ? "dialog dialog-wide" : "dialog"}
      aria-labelledby={id}
      onClose={onClose}
      onMouseDown={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <IconButton icon="close" label="Close" tip="left" onClick={onClose} />
        </header>
        <div class="dialog-content">{children}</div>
        {actions === undefined ? null : <footer class="dialog-actions">{actions}</footer>}
      </div>
      <Toasts within={id} />
    </dialog>
  );
}
