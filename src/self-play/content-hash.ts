/** What a file or a model folder holds, in 64 characters. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** Whether a file is part of what makes a model; logs and training state beside them change without the model changing. */
export const isModelFile = (name: string): boolean =>
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|vocab)\.json$|\.(safetensors|gguf|jinja|model)$|^merges\.txt$/.test(
    name,
  );

/** SHA-256 of a file's bytes, or of a folder's files with their names (of a model's folder: those of the model); undefined where there is nothing. */
export async function hashContent(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  const hash = createHash("sha256");
  if (!found.isDirectory()) {
    await addFile(hash, path);
    return hash.digest("hex");
  }
  const all = (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isFile()).map(({ name }) => name);
  const names = (all.includes("config.json") ? all.filter(isModelFile) : all).sort();
  if (names.length === 0) return undefined;
  for (const name of names) {
    hash.update(`${name}\0`);
    await addFile(hash, join(path, name));
  }
  return hash.digest("hex");
}

async function addFile(hash: Hash, path: string): Promise<void> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
}

/** Of a JSON value, whatever the order of its keys. */
export function hashValue(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value, sortKeys)).digest("hex");
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
