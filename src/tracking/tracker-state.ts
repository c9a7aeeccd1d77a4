/** What a tracker has to remember for a resumed run, in `trackers/` of the run's folder: the run's id over there, for one. */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Folder of the trackers' own files in a run's folder. */
export const trackerFolder = "trackers";

export function unsentPath(folder: string, name: string): string {
  return join(folder, trackerFolder, `${name}.unsent.jsonl`);
}

function statePath(folder: string, name: string): string {
  return join(folder, trackerFolder, `${name}.json`);
}

/** Undefined where there is none or it cannot be read: the run is then a new one to the tracker. */
export function readTrackerState(folder: string, name: string): { readonly [key: string]: unknown } | undefined {
  try {
    const state: unknown = JSON.parse(readFileSync(statePath(folder, name), "utf8"));
    return typeof state === "object" && state !== null && !Array.isArray(state) ? (state as { [key: string]: unknown }) : undefined;
  } catch {
    return undefined;
  }
}

export function writeTrackerState(folder: string, name: string, state: { readonly [key: string]: unknown }): void {
  const path = statePath(folder, name);
  mkdirSync(join(folder, trackerFolder), { recursive: true });
  writeFileSync(`${path}.tmp`, `${JSON.stringify(state, undefined, 2)}\n`, { flush: true });
  renameSync(`${path}.tmp`, path);
}
