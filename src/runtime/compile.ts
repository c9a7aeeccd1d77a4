/** Executables by shape, the least recently used given back. */
import type { Executable } from "./backend.ts";

export interface SessionCache {
  /**
   * Calls `body` with the executable of `key`, made by `create` where there is none. An executable in use is never
   * given back, so more than the limit may live while as many are in use. A failed `create` is not remembered.
   */
  use<T>(key: string, create: () => Promise<Executable>, body: (executable: Executable) => Promise<T>): Promise<T>;
  /** How many there are. */
  readonly size: number;
  /** Gives all back, those in use when they are done; what is asked for afterwards is made anew. */
  clear(): void;
}

interface Entry {
  readonly executable: Promise<Executable>;
  users: number;
}

export function createSessionCache(limit: number): SessionCache {
  const entries = new Map<string, Entry>();
  /** Cleared while in use. */
  const leaving = new Set<Entry>();

  const give = (entry: Entry): void =>
    void entry.executable.then(
      (executable) => executable.release(),
      () => undefined,
    );
  const evict = (): void => {
    for (const [key, entry] of entries) {
      if (entries.size <= limit) return;
      if (entry.users > 0) continue;
      entries.delete(key);
      give(entry);
    }
  };

  return {
    async use(key, create, body) {
      const known = entries.get(key);
      const entry = known ?? { executable: create(), users: 0 };
      // Order of insertion is order of use.
      entries.delete(key);
      entries.set(key, entry);
      entry.users++;
      evict();
      try {
        const executable = await entry.executable.catch((error: unknown) => {
          if (entries.get(key) === entry) entries.delete(key);
          throw error;
        });
        return await body(executable);
      } finally {
        entry.users--;
        if (entry.users === 0 && leaving.delete(entry)) give(entry);
        evict();
      }
    },
    get size() {
      return entries.size;
    },
    clear() {
      for (const entry of entries.values()) {
        if (entry.users > 0) leaving.add(entry);
        else give(entry);
      }
      entries.clear();
    },
  };
}
