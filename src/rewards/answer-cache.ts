/** Answers kept on disk by what was asked, so that a run that is repeated or resumed asks nothing twice. */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface AnswerCache {
  /** Undefined: not there, or damaged. */
  get(key: unknown): Promise<unknown>;
  set(key: unknown, value: unknown): Promise<void>;
}

/** A file an answer, named by the SHA-256 of the key as JSON; written aside and renamed, so that none is ever half there. */
export function createAnswerCache(folder: string): AnswerCache {
  const pathOf = (key: unknown): string => {
    const hash = createHash("sha256").update(JSON.stringify(key)).digest("hex");
    return join(folder, hash.slice(0, 2), `${hash}.json`);
  };
  return {
    async get(key) {
      try {
        return (JSON.parse(await readFile(pathOf(key), "utf8")) as { value?: unknown }).value;
      } catch {
        return undefined;
      }
    },
    async set(key, value) {
      const path = pathOf(key);
      await mkdir(join(path, ".."), { recursive: true });
      const aside = `${path}.${randomUUID()}`;
      await writeFile(aside, JSON.stringify({ value }));
      await rename(aside, path);
    },
  };
}
