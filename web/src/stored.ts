/** What this browser remembers for the person: choices of looks and layout, never what may not be lost. */

/** Undefined where there is nothing, or nothing that can be read. */
export function readStored<T>(key: string): T | undefined {
  try {
    const text = localStorage.getItem(key);
    return text === null ? undefined : (JSON.parse(text) as T);
  } catch {
    return undefined;
  }
}

/** Does nothing where the browser has no room or no permission. */
export function writeStored(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // The choice lasts as long as the page does.
  }
}
