/** Who labels, and in which tab. */

const nameKey = "spar.annotator";
const tabKey = "spar.label.tab";

export const maxNameLength = 64;

/** The tab's own name before the browser's: two people at one machine may have a tab each. Empty: not known. */
export function loadAnnotator(): string {
  return readItem("sessionStorage", nameKey) ?? readItem("localStorage", nameKey) ?? "";
}

export function saveAnnotator(name: string): void {
  writeItem("sessionStorage", nameKey, name);
  writeItem("localStorage", nameKey, name);
}

/**
 * Random, kept over reloads, and held under a lock as long as the tab is open: a duplicated tab, which gets a copy of the
 * session's storage, finds the lock taken and makes a number of its own.
 */
export async function openTab(): Promise<string> {
  const known = readItem("sessionStorage", tabKey);
  if (known !== null && (await holdLock(known))) return known;
  const fresh = makeUuid();
  await holdLock(fresh);
  writeItem("sessionStorage", tabKey, fresh);
  return fresh;
}

/** Without locks (pages of other hosts than localhost over http) nobody knows: then it is taken as closed, as sending twice does no harm. */
export async function isTabOpen(tab: string): Promise<boolean> {
  const locks = getLocks();
  if (locks === undefined) return false;
  const { held = [] } = await locks.query();
  return held.some((lock) => lock.name === lockName(tab));
}

/** Version 4; `crypto.randomUUID` exists on secure pages only. */
export function makeUuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Null where the browser forbids storage. */
export function getStorage(name: "localStorage" | "sessionStorage"): Storage | null {
  try {
    return window[name];
  } catch {
    return null;
  }
}

export function readItem(name: "localStorage" | "sessionStorage", key: string): string | null {
  return getStorage(name)?.getItem(key) ?? null;
}

/** What cannot be kept is asked again. */
export function writeItem(name: "localStorage" | "sessionStorage", key: string, value: string | null): void {
  try {
    if (value === null) getStorage(name)?.removeItem(key);
    else getStorage(name)?.setItem(key, value);
  } catch {
    // Full: nothing that is kept this way is worth a message.
  }
}

const lockName = (tab: string): string => `spar.label.tab/${tab}`;

function getLocks(): LockManager | undefined {
  return (navigator as { locks?: LockManager }).locks;
}

/** Resolves to whether the lock is ours now; it is let go when the tab closes. A page that is reloaded waits for the old one to let go. */
function holdLock(tab: string): Promise<boolean> {
  const locks = getLocks();
  if (locks === undefined) return Promise.resolve(true);
  return new Promise((resolve) => {
    locks
      .request(lockName(tab), { signal: AbortSignal.timeout(400) }, () => {
        resolve(true);
        return new Promise<void>(() => undefined);
      })
      .catch((error: unknown) => resolve(!(error instanceof DOMException && /^(Abort|Timeout)Error$/.test(error.name))));
  });
}
