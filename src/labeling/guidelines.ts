/** What annotators are told to look at, in versions: each label says by which it was given. */

import { open, readFile } from "node:fs/promises";
import { SparError } from "../internal/errors.ts";

export interface Guidelines {
  /** 1, 2, … ; 0 and an empty text where there are none. */
  readonly version: number;
  /** Markdown. */
  readonly text: string;
}

export interface GuidelinesHistory {
  newest(): Guidelines;
  /**
   * A further version after the version that was edited; the same text makes none. On disk when it returns.
   * @throws SparError `labeling/guidelines-changed` where `after` is not the newest
   */
  update(text: string, after: number): Promise<Guidelines>;
}

/** The versions in a file of lines `{version, text, given}`, which need not exist. Throws `data/bad-rows`. */
export async function openGuidelines(path: string): Promise<GuidelinesHistory> {
  const found = await readNewest(path);
  let newest = found.newest;
  // A torn last line, of a version that nobody was told is saved, must not swallow the next one.
  let lead = found.isTorn ? "\n" : "";
  let turn: Promise<unknown> = Promise.resolve();
  const write = async (text: string, after: number): Promise<Guidelines> => {
    if (after !== newest.version)
      throw new SparError(
        "labeling/guidelines-changed",
        `the guidelines are at version ${newest.version} by now, and ${after} was edited`,
        {
          hint: "Look at the newer text, and put your change into it.",
        },
      );
    if (text === newest.text) return newest;
    const next = { version: newest.version + 1, text };
    try {
      const file = await open(path, "a");
      try {
        await file.appendFile(`${lead}${JSON.stringify({ ...next, given: new Date().toISOString() })}\n`);
        await file.datasync();
      } finally {
        await file.close();
      }
    } catch (cause) {
      throw new SparError("labeling/not-saved", `the guidelines could not be written to ${path}: ${(cause as Error).message}`, { cause });
    }
    newest = next;
    lead = "";
    return next;
  };
  return {
    newest: () => newest,
    update(text, after) {
      // One after the other: two people may save at the same moment.
      const result = turn.then(() => write(text, after));
      turn = result.catch(() => {});
      return result;
    },
  };
}

async function readNewest(path: string): Promise<{ newest: Guidelines; isTorn: boolean }> {
  let newest: Guidelines = { version: 0, text: "" };
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return { newest, isTorn: false };
    throw new SparError("data/unreadable", `reading guidelines: ${path}: ${(cause as Error).message}`, { cause });
  }
  const lines = text.split("\n");
  const isTorn = lines.at(-1) !== "";
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "") continue;
    try {
      const row = JSON.parse(line) as { version?: unknown; text?: unknown };
      if (typeof row.version !== "number" || typeof row.text !== "string") throw new Error("expected {version, text}");
      newest = { version: row.version, text: row.text };
    } catch (cause) {
      // Also one that was torn once, and after which others were written.
      if (!line.endsWith("}")) continue;
      throw new SparError("data/bad-rows", `reading guidelines: ${path}:${i + 1}: ${(cause as Error).message}`, { cause });
    }
  }
  return { newest, isTorn };
}
