/** A dialog of the browser's own: it holds the focus, closes with Escape, and gives the focus back. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

export interface ModalProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly isWide?: boolean;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
  readonly children: ComponentChildren;
}

export function Modal({ title, onClose, isWide = false, onKeyDown, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    if (element !== null && !element.open) element.showModal();
    return () => {
      element?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={`label-modal${isWide ? " is-wide" : ""}`}
      aria-labelledby="label-modal-title"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onKeyDown={onKeyDown}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <div class="label-modal-inside">
        <header class="label-modal-head">
          <h2 id="label-modal-title">{title}</h2>
          <button type="button" class="label-quiet" aria-label="Close" onClick={onClose}>
            Esc
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
