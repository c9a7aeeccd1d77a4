import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError } from "../api.ts";
import { IconButton } from "./button.tsx";

interface Toast {
  readonly id: number;
  readonly kind: "info" | "success" | "error";
  readonly text: string;
  readonly hint: string | undefined;
  readonly action: ToastAction | undefined;
}

export interface ToastAction {
  readonly label: string;
  readonly run: () => void;
}

export interface ToastOptions {
  readonly hint?: string | undefined;
  readonly action?: ToastAction;
  /** Milliseconds; default 5000, errors stay until they are closed. */
  readonly lasts?: number;
}

const toasts = signal<readonly Toast[]>([]);
const most = 4;
let count = 0;

/** A line that comes and goes. */
export function showToast(text: string, options: ToastOptions & { readonly kind?: Toast["kind"] } = {}): void {
  const { kind = "info", hint, action, lasts = kind === "error" ? Infinity : 5000 } = options;
  const id = ++count;
  // The same error again (a server that is gone) is one error.
  const others = toasts.value.filter((toast) => toast.text !== text);
  toasts.value = [...others, { id, kind, text, hint, action }].slice(-most);
  if (lasts !== Infinity) setTimeout(() => dismiss(id), lasts);
}

/** What went wrong, said so that a person can do something about it. Aborts say nothing. */
export function showError(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  // The banner says it already.
  if (error instanceof ApiError && (error.status === 0 || error.status === 401)) return;
  const text = error instanceof Error ? error.message : String(error);
  showToast(text, { kind: "error", hint: error instanceof ApiError ? error.hint : undefined });
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

/** What lies over the page, the topmost last: all below a modal window is out of sight and reach, so the lines are shown within it. */
const windows = signal<readonly string[]>([]);

/** `within`: the id of the modal window in which this stands; absent: the page. */
export function Toasts({ within }: { within?: string }) {
  useEffect(() => {
    if (within === undefined) return undefined;
    windows.value = [...windows.value, within];
    return () => {
      windows.value = windows.value.filter((id) => id !== within);
    };
  }, [within]);
  if (windows.value.at(-1) !== within) return null;
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, kind, text, hint, action }) => (
        <div class={`toast toast-${kind}`} key={id}>
          <div class="toast-text">
            {text}
            {hint === undefined ? null : <small>{hint}</small>}
          </div>
          {action === undefined ? null : (
            <button
              type="button"
              class="button button-quiet button-small"
              onClick={() => {
                dismiss(id);
                action.run();
              }}
            >
              {action.label}
            </button>
          )}
          <IconButton icon="close" label="Dismiss" size="small" tip="left" onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
