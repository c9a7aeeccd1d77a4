import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** A small file, replaced whole. (checkpoint/ has the durable version; a cache can be downloaded again.) */
export async function writeFileAtomic(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const aside = `${path}.${process.pid}.incomplete`;
  await writeFile(aside, text);
  await rename(aside, path);
}
