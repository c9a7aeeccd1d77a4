/** Keys that do something wherever the focus is, but never while somebody types. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

export interface Shortcut {
  /** As KeyboardEvent.key has it, letters in lower case: `a`, `ArrowLeft`, `Mod+Enter` (Ctrl, or ⌘ on a Mac), `Shift+ArrowLeft`. */
  readonly keys: string | readonly string[];
  /** What it does, for the sheet behind `?`. Absent: it works, and is not listed. */
  readonly label?: string;
  /** A heading on the sheet. */
  readonly group?: string;
  readonly run: (event: KeyboardEvent) => void;
  /** Works also in text fields: for keys with Mod, and Escape. */
  readonly whileTyping?: boolean;
  /** Also while the key is held down. Default: only the first press counts. */
  readonly repeats?: boolean;
}

const active = new Set<() => readonly Shortcut[]>();
const version = signal(0);
export const isSheetOpen = signal(false);

/** Those that are on now, for the sheet. */
export function listShortcuts(): readonly Shortcut[] {
  void version.value;
  return [...active].flatMap((read) => read());
}

/** On while the component is there. The newest component's keys win. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts);
  latest.current = shortcuts;
  useEffect(() => {
    const read = () => latest.current;
    active.add(read);
    version.value++;
    return () => {
      active.delete(read);
      version.value++;
    };
  }, []);
}

/** True where keys are letters of a text: fields, selections, editable elements. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !/^(button|checkbox|radio|range|submit|reset|color)$/.test(target.type);
}

function describeKeys(event: KeyboardEvent): readonly string[] {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const mod = event.ctrlKey || event.metaKey ? "Mod+" : "";
  const alt = event.altKey ? "Alt+" : "";
  // What Shift makes of a key is a key of its own (`?`), so both names fit.
  const names = event.shiftKey
    ? [`${mod}${alt}Shift+${key}`, ...(event.key.length === 1 && !/[a-z]/.test(key) ? [`${mod}${alt}${key}`] : [])]
    : [`${mod}${alt}${key}`];
  return names;
}

/** Where the key already means something to the element that has the focus. */
function isTaken(event: KeyboardEvent): boolean {
  const { target, key } = event;
  if (!(target instanceof HTMLElement)) return false;
  if (key === "Enter" || key === " ") return target.closest("button, a[href], summary, [role=tab], input, label") !== null;
  if (key.startsWith("Arrow")) return target.closest("[role=tablist], [role=slider], input[type=radio], input[type=range]") !== null;
  return false;
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing) return;
  const names = describeKeys(event);
  // A modal window has its own keys.
  if (document.querySelector("dialog[open]") !== null) return;
  if (!isTyping(event.target) && names.includes("?")) {
    event.preventDefault();
    isSheetOpen.value = true;
    return;
  }
  for (const read of [...active].reverse()) {
    for (const shortcut of read()) {
      const keys = typeof shortcut.keys === "string" ? [shortcut.keys] : shortcut.keys;
      if (!keys.some((key) => names.includes(key))) continue;
      if (isTyping(event.target) && shortcut.whileTyping !== true) continue;
      if (!names[0]!.startsWith("Mod+") && isTaken(event)) continue;
      event.preventDefault();
      if (!event.repeat || shortcut.repeats === true) shortcut.run(event);
      return;
    }
  }
});
