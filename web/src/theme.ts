/** Light, dark, or as the system has it. Kept in this browser. */
import { signal } from "@preact/signals";
import { readStored, writeStored } from "./stored.ts";

export type Theme = "system" | "light" | "dark";

const key = "spar.theme";
const known: readonly Theme[] = ["system", "light", "dark"];

const stored = readStored<Theme>(key);
export const theme = signal<Theme>(stored !== undefined && known.includes(stored) ? stored : "system");

/** True while the page is dark, whoever decided it: for what is drawn and not styled. */
export const isDark = signal(false);

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

export function chooseTheme(next: Theme): void {
  theme.value = next;
  writeStored(key, next);
  applyTheme();
}

export function applyTheme(): void {
  isDark.value = theme.value === "dark" || (theme.value === "system" && systemIsDark.matches);
  document.documentElement.dataset["theme"] = isDark.value ? "dark" : "light";
}

systemIsDark.addEventListener("change", applyTheme);
