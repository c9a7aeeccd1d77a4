/** A dialog of the browser's own: it holds the focus, closes with Escape, and gives the focus back. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { IconButton } from "../../components/button.tsx";
import { Toasts } from "../../components/toast.tsx";

export interface ModalProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly isWide?: boolean;
  /** The focus begins on no button, for dialogs of which keys alone are enough. */
  readonly startsOnText?: boolean;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
  readonly children: ComponentChildren;
}

export function Modal({ title, onClose, isWide = false, startsOnText = false, onKeyDown, children }: ModalProps) {
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
      class={`dialog${isWide ? " dialog-wide" : ""}`}
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
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id="label-modal-title">{title}</h2>
          <IconButton icon="close" label="Close" tip="left" onClick={onClose} />
        </header>
        {/* It may scroll, and what scrolls must be reached by keys. */}
        <div class="dialog-content label-dialog" autofocus={startsOnText} tabIndex={0} role="group" aria-label={title}>
          {children}
        </div>
      </div>
      <Toasts within="label-modal" />
    </dialog>
  );
}
