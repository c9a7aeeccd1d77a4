/** Where the reference numbers are: the project's own fixtures, or the folder that SPAR_PARITY names. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const parityFolder = process.env["SPAR_PARITY"] ?? fileURLToPath(new URL("../fixtures/parity", import.meta.url));

/** The subfolders of `kind` that exist among `names`. */
export function present(kind: string, names: readonly string[]): string[] {
  return names.filter((name) => existsSync(join(parityFolder, kind, name)));
}
