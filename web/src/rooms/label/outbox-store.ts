/** Where waiting labels are in the browser: a key a label, whose order is the order in which they were given. */
import type { SubmittedLabel } from "../../../../src/server/ui/label/protocol.ts";
import type { Refusal } from "./outbox.ts";

export type StoreLike = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

export interface WaitingLabel {
  readonly key: string;
  readonly project: string;
  readonly label: SubmittedLabel;
}

export interface OutboxStore {
  isDurable(): boolean;
  save(project: string, label: SubmittedLabel): WaitingLabel;
  remove(entry: WaitingLabel): void;
  /** What this tab left when it was reloaded. */
  loadOwn(): WaitingLabel[];
  /** What tabs that are no longer open left. */
  loadAbandoned(isTabOpen: (tab: string) => Promise<boolean>): Promise<WaitingLabel[]>;
  loadRefused(): Refusal[];
  saveRefused(refusal: Refusal): void;
  removeRefused(id: string): void;
}

const waitingPrefix = "spar.label.waiting/";
const refusedPrefix = "spar.label.refused/";

/** `storage` null: the browser has none; everything lives as long as the page. */
export function openOutboxStore(storage: StoreLike | null, tab: string): OutboxStore {
  let durable = storage !== null;
  let count = 0;
  const write = (key: string, value: unknown): void => {
    try {
      storage?.setItem(key, JSON.stringify(value));
    } catch {
      // Full or forbidden: the label waits in memory, and the page warns before it is closed.
      durable = false;
    }
  };
  const listKeys = (prefix: string): string[] => {
    const keys: string[] = [];
    for (let at = 0; at < (storage?.length ?? 0); at++) {
      const key = storage?.key(at) ?? null;
      if (key?.startsWith(prefix) === true) keys.push(key);
    }
    return keys.sort();
  };
  const load = (keys: readonly string[]): WaitingLabel[] =>
    keys.flatMap((key) => {
      const label = parseStored<SubmittedLabel>(storage?.getItem(key) ?? null);
      return label === null ? [] : [{ key, project: decodeURIComponent(key.split("/")[2]), label }];
    });

  return {
    isDurable: () => durable,
    save(project, label) {
      const order = `${String(Date.now()).padStart(15, "0")}-${String(count++).padStart(6, "0")}`;
      const parts = [tab, encodeURIComponent(project), encodeURIComponent(label.annotator), order, label.id];
      const entry = { key: waitingPrefix + parts.join("/"), project, label };
      write(entry.key, label);
      return entry;
    },
    remove: ({ key }) => storage?.removeItem(key),
    // Keys sort by project and name before they sort by time; an undo always follows its label, as both have the same of either.
    loadOwn: () => load(listKeys(`${waitingPrefix}${tab}/`)),
    async loadAbandoned(isTabOpen) {
      const keys = listKeys(waitingPrefix);
      const tabs = [...new Set(keys.map((key) => key.split("/")[1]))].filter((other) => other !== tab);
      const states = await Promise.all(tabs.map(isTabOpen));
      const closed = new Set(tabs.filter((_, at) => !states[at]));
      return load(keys.filter((key) => closed.has(key.split("/")[1])));
    },
    loadRefused: () => listKeys(refusedPrefix).flatMap((key) => parseStored<Refusal>(storage?.getItem(key) ?? null) ?? []),
    saveRefused: (refusal) => write(refusedPrefix + refusal.label.id, refusal),
    removeRefused: (id) => storage?.removeItem(refusedPrefix + id),
  };
}

function parseStored<T extends object>(text: string | null): T | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as T) : null;
  } catch {
    return null;
  }
}
