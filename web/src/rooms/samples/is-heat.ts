import type { Heat } from "../../../../src/server/ui/samples/protocol.ts";
import type { HeatEntry } from "./heat-store.ts";

/** Whether the text could be scored. */
export function isHeat(entry: HeatEntry | undefined): entry is Heat {
  return entry !== undefined && "tokens" in entry;
}
