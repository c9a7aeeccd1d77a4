/** One process a run's folder: a lock file that names its owner, and that a dead owner does not keep. */

import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
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
  return acquireLock(join(folder, lockFileName), {
    code: "run/locked",
    name: folder,
    notWritable: "run/folder-not-writable",
    does: "runs in it",
    another: "choose another output_dir",
  });
}

export interface LockTexts {
  readonly code: string;
  /** What is held, for messages. */
  readonly name: string;
  /** What its owner does: `runs in it`. */
  readonly does: string;
  /** The code where the lock file cannot be written. */
  readonly notWritable: string;
  /** What else the user can do: `choose another output_dir`. */
  readonly another: string;
}

/** The same for whatever a lock file at `path` stands for. */
export function acquireLock(path: string, { code, name, notWritable, does, another }: LockTexts): RunLock {
  const own = `${path}-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const content = JSON.stringify({ pid: process.pid, host: hostname(), born: readBirth(process.pid), token: own.slice(path.length + 1) });
  try {
    writeFileSync(own, content);
  } catch (cause) {
    throw new SparError(notWritable, `cannot write into ${dirname(path)}: ${(cause as Error).message}`, {
      hint: `Free some space, or ${another} where this user may write.`,
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
        throw new SparError(code, `${name} is in use: process ${owner.pid}${where} ${does}`, {
          hint: `Wait for it, stop it, or ${another}. If it is surely gone, delete ${path}.`,
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
    throw new SparError(code, `${name} is in use: its lock changed hands while it was taken`, { hint: "Try again." });
  } finally {
    rmSync(own, { force: true });
  }
}
