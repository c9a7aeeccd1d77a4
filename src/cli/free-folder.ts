/** Folders for what a command makes unasked. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** parent/name, or the first of name-2, name-3 … that is not there or empty. */
export function findFreeFolder(name: string, parent = "runs"): string {
  for (let n = 1; ; n++) {
    const folder = join(parent, n === 1 ? name : `${name}-${n}`);
    if (!existsSync(folder) || readdirSync(folder).length === 0) return folder;
  }
}
