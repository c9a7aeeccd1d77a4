/** One process a run's folder: a lock file that names its owner, and that a dead owner does not keep. */

import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { SparError } from "../internal/errors.ts";

export const lockFileName = ".spar-lock";

export interface RunLock {
  release(): void;
}

type Owner = { pid: number; host: string; born: string | null };

/** Linux's start time of a process tells a process from a later one with the same id; null elsewhere. */
function readBirth(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

function isAlive(owner: Owner): boolean {
  if (owner.host !== hostname()) return true; // Cannot be known from here.
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return owner.born === null || readBirth(owner.pid) === owner.born;
}

function parseOwner(text: string): Owner | undefined {
  try {
    const owner: unknown = JSON.parse(text);
    if (typeof owner !== "object" || owner === null || !("pid" in owner) || typeof owner.pid !== "number") return undefined;
    const host = "host" in owner && typeof owner.host === "string" ? owner.host : hostname();
    const born = "born" in owner && typeof owner.born === "string" ? owner.born : null;
    return { pid: owner.pid, host, born };
  } catch {
    return undefined;
  }
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * Takes the folder (which must exist) for this process until `release`.
 * @throws SparError `run/locked` while another live process holds it.
 */
export function acquireRunLock(folder: string): RunLock {
  const path = join(folder, lockFileName);
  const own = `${path}-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const content = JSON.stringify({ pid: process.pid, host: hostname(), born: readBirth(process.pid), token: own.slice(path.length + 1) });
  try {
    writeFileSync(own, content);
  } catch (cause) {
    throw new SparError("run/folder-not-writable", `cannot write into ${folder}: ${(cause as Error).message}`, {
      hint: "Choose an output_dir that this user may write to, or free some space.",
      cause,
    });
  }
  try {
    // link() makes the file appear with its content, and fails where one exists: no moment of an empty lock.
    for (let attempt = 0; attempt < 5; attempt++) {
      try {
        linkSync(own, path);
        const release = (): void => {
          process.off("exit", release);
          if (readLock(path) !== content) return;
          try {
            rmSync(path, { force: true });
          } catch {
            // The folder may have become read-only. A dead owner's lock stops nobody, and the run's own end is worth more.
          }
        };
        process.on("exit", release);
        return { release };
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
      }
      const held = readLock(path);
      if (held === undefined) continue;
      const owner = parseOwner(held);
      if (owner !== undefined && isAlive(owner)) {
        const where = owner.host === hostname() ? "" : ` on ${owner.host}`;
        throw new SparError("run/locked", `${folder} is in use: process ${owner.pid}${where} runs in it`, {
          hint: `Wait for it, stop it, or choose another output_dir. If it is surely gone, delete ${path}.`,
        });
      }
      // Set the dead owner's file aside; should another process have been faster, its lock is put back.
      const aside = `${own}-stale`;
      try {
        renameSync(path, aside);
      } catch {
        continue;
      }
      if (readLock(aside) !== held) {
        try {
          linkSync(aside, path);
        } catch {
          // Somebody holds it again: the next round says who.
        }
      }
      rmSync(aside, { force: true });
    }
    throw new SparError("run/locked", `${folder} is in use: its lock changed hands while it was taken`, { hint: "Try again." });
  } finally {
    rmSync(own, { force: true });
  }
}
