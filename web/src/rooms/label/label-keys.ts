/** Which key does what on the labeling page. Digits go by their place on the keyboard, letters by what is printed on them. */

export type LabelAction =
  | { readonly kind: "digit"; readonly digit: number; readonly much: boolean }
  | { readonly kind: "arrow"; readonly direction: "left" | "right" | "up" | "down" }
  | { readonly kind: CommandName };

export type CommandName =
  | "tie"
  | "skip"
  | "flag"
  | "undo"
  | "comment"
  | "edit"
  | "reasons"
  | "guidelines"
  | "newer"
  | "older"
  | "markdown"
  | "differences"
  | "keys"
  | "submit"
  | "leave"
  | "page-down"
  | "page-up";

/** What of a keyboard event is looked at, so that tests need no browser. */
export interface KeyPress {
  readonly key: string;
  readonly code: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly repeat: boolean;
  readonly isComposing: boolean;
}

const letters: { readonly [letter: string]: CommandName | undefined } = {
  s: "skip",
  f: "flag",
  u: "undo",
  c: "comment",
  e: "edit",
  r: "reasons",
  g: "guidelines",
  j: "newer",
  k: "older",
  m: "markdown",
  d: "differences",
};

const named: { readonly [key: string]: LabelAction | undefined } = {
  ArrowLeft: { kind: "arrow", direction: "left" },
  ArrowRight: { kind: "arrow", direction: "right" },
  ArrowUp: { kind: "arrow", direction: "up" },
  ArrowDown: { kind: "arrow", direction: "down" },
  "=": { kind: "tie" },
  "?": { kind: "keys" },
  " ": { kind: "skip" },
  Enter: { kind: "submit" },
  Escape: { kind: "leave" },
  PageDown: { kind: "page-down" },
  PageUp: { kind: "page-up" },
};

/** These may come again and again while a key is held down; a label may not: one press, one label. */
const repeatable = new Set(["newer", "older", "page-down", "page-up"]);

/** Null: not ours. Keys with Ctrl, Cmd and Alt are the browser's, except Ctrl+Z. */
export function parseKey(press: KeyPress): LabelAction | null {
  if (press.isComposing || press.altKey) return null;
  if (press.ctrlKey || press.metaKey) return press.key.toLowerCase() === "z" && !press.shiftKey && !press.repeat ? { kind: "undo" } : null;
  const action = parseDigit(press) ?? named[press.key] ?? parseLetter(press);
  if (action === null || (press.repeat && !repeatable.has(action.kind))) return null;
  return action;
}

function parseDigit({ key, code, shiftKey }: KeyPress): LabelAction | null {
  // Where digits need Shift (French keyboards), the key without Shift is still the digit, and with it "much better".
  const row = /^Digit(\d)$/.exec(code);
  if (row !== null && key !== "=" && key !== "?") return { kind: "digit", digit: Number(row[1]), much: shiftKey };
  return /^\d$/.test(key) ? { kind: "digit", digit: Number(key), much: false } : null;
}

function parseLetter({ key, code }: KeyPress): LabelAction | null {
  // Greek, Cyrillic … keyboards: there the letter's place counts.
  const isForeign = key.length === 1 && key.charCodeAt(0) > 127;
  const letter = isForeign ? (/^Key([A-Z])$/.exec(code)?.[1] ?? "") : key;
  const kind = letters[letter.toLowerCase()];
  return kind === undefined ? null : { kind };
}

/** Keys typed into a field belong to the field; Space and Enter on a button press it; ↑ ↓ in a text that scrolls scroll it. */
export function isTakenByFocus(action: LabelAction, press: KeyPress, focus: Element | null): boolean {
  if (focus === null) return false;
  if (focus.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]") !== null) return true;
  const isArrow = action.kind === "arrow";
  if (focus.closest("input[type=radio]") !== null) return isArrow || press.key === " ";
  if (focus.closest("button, a, summary, input") !== null) return press.key === " " || press.key === "Enter";
  if (!isArrow && action.kind !== "page-down" && action.kind !== "page-up") return false;
  const isVertical = !isArrow || action.direction === "up" || action.direction === "down";
  const scroller = focus.closest("[data-scrolls]");
  return isVertical && scroller !== null && scroller.scrollHeight > scroller.clientHeight + 1;
}

/** The table of the `?` sheet. */
export const keySheet: readonly { readonly title: string; readonly rows: readonly (readonly [keys: string, what: string])[] }[] = [
  {
    title: "Two answers",
    rows: [
      ["1  ←", "A is better"],
      ["2  →", "B is better"],
      ["Shift 1, Shift 2", "A, B is much better"],
      ["3  ↑  =", "Tie: equally good"],
      ["0  ↓", "Both are bad"],
    ],
  },
  {
    title: "Ranking and rating",
    rows: [
      ["1 … 9", "Place or mark of the answer in focus; the next one gets the focus"],
      ["← ↑  → ↓", "Answer before, answer after"],
      ["Enter", "Submit"],
      ["0", "All are bad (where ratings go to 10: ten)"],
    ],
  },
  {
    title: "Always",
    rows: [
      ["s  Space", "Skip, with a reason; once more: without"],
      ["f", "Flag: something is wrong with this task"],
      ["u  Ctrl Z", "Undo the last label"],
      ["e", "Edit an answer to make it better"],
      ["c", "Comment"],
      ["r", "Reasons"],
      ["k, j", "Earlier, later labels"],
      ["Esc", "Back from the history; out of a field"],
    ],
  },
  {
    title: "Reading",
    rows: [
      ["g", "Guidelines"],
      ["m", "Markdown or plain text"],
      ["d", "Differences between the answers"],
      ["Page ↑ ↓", "Scroll both answers"],
      ["?", "This sheet"],
    ],
  },
];
