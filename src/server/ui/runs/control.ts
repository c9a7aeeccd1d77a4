/** The control file of a run: `stop`, `pause` or `save`, which the run reads between two steps. */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Control, ControlRequest } from "./protocol.ts";
import { RequestError } from "../ui-error.ts";

/** What the run is asked for and has not taken yet; pausing stands until it is taken back. */
export async function readControl(folder: string): Promise<Control | null> {
  try {
    const text = (await readFile(join(folder, "control"), "utf8")).trim();
    return text === "stop" || text === "pause" || text === "save" ? text : null;
  } catch {
    return null;
  }
}

export async function writeControl(folder: string, request: ControlRequest["request"]): Promise<void> {
  const path = join(folder, "control");
  const standing = await readControl(folder);
  if (request === "resume") {
    if (standing === "pause") await rm(path, { force: true });
    return;
  }
  // The file holds one word: another one would let a paused run go on, or take a stop back.
  if (standing === "stop" && request !== "stop") throw new RequestError(409, "runs/stopping", "the run has been asked to stop already");
  if (standing === "pause" && request === "save") {
    throw new RequestError(409, "runs/paused", "a paused run saves nothing", { hint: "Resume it first, or stop it: a stop saves too." });
  }
  // Written aside, so that the run never reads half a word.
  const aside = `${path}.${process.pid}.tmp`;
  await writeFile(aside, `${request}\n`);
  await rename(aside, path);
}
