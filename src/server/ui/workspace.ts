/** What the rooms work on: given on the command line, absolute paths. */
import type { EventHub } from "./event-hub.ts";

export interface Workspace {
  /** Where spar was started; relative paths on pages are relative to it. */
  readonly root: string;
  /** Folders below which runs lie. */
  readonly runsFolders: readonly string[];
  /** Tasks to label. */
  readonly dataFiles: readonly string[];
  /** Folders, .gguf files or hub ids, as given. */
  readonly models: readonly string[];
  readonly hub: EventHub;
}
