/** How answers are shown: kept in the browser, the same for all projects. */
import { signal, type Signal } from "@preact/signals";
import { readItem, writeItem } from "./identity.ts";

export interface ViewOption {
  readonly value: boolean;
  toggle(): void;
}

function createOption(key: string, initial: boolean): ViewOption {
  const stored = readItem("localStorage", key);
  const state: Signal<boolean> = signal(stored === null ? initial : stored === "yes");
  return {
    get value() {
      return state.value;
    },
    toggle() {
      state.value = !state.value;
      writeItem("localStorage", key, state.value ? "yes" : "no");
    },
  };
}

export const showMarkdown = createOption("spar.label.markdown", false);
export const showDifferences = createOption("spar.label.differences", false);
export const scrollTogether = createOption("spar.label.together", true);
