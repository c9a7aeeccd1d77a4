/** What was pulled already, so that the next pull reads only what has changed: a file of a line a task. */

import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { SparError } from "../../internal/errors.ts";
import type { Row } from "../../data/index.ts";

/** A task as it was read, and what its row in the project's list looked like then. */
export interface PulledTask {
  readonly fingerprint: string;
  readonly task: Row;
}

export interface PullState {
  readonly url: string;
  readonly project: number;
  readonly tasks: ReadonlyMap<number, PulledTask>;
}

const version = 1;

/**
 * Undefined where there is no file, or none that can be read: it only saves time.
 * @throws SparError `label-studio/other-project` where the file is that of another project
 */
export async function loadPullState(
  path: string,
  from: { readonly url: string; readonly project: number },
): Promise<PullState | undefined> {
  const lines = (await readFile(path, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
  try {
    const [head, ...rest] = lines.map((line) => JSON.parse(line) as Row);
    if (head?.["version"] !== version) return undefined;
    const { url, project } = head;
    if (url !== from.url || project !== from.project)
      throw new SparError(
        "label-studio/other-project",
        `${path} is of project ${String(project)} at ${String(url)}, asked for is project ${from.project} at ${from.url}`,
        {
          hint: "Give another --out, or remove that file and what was pulled with it.",
        },
      );
    const tasks = rest.map((row): [number, PulledTask] => {
      const { fingerprint, task } = row as { fingerprint?: unknown; task?: unknown };
      if (typeof fingerprint !== "string" || typeof task !== "object" || task === null) throw new TypeError("not a task");
      return [Number((task as Row)["id"]), { fingerprint, task: task as Row }];
    });
    return { url, project, tasks: new Map(tasks) };
  } catch (error) {
    if (error instanceof SparError) throw error;
    return undefined;
  }
}

export async function savePullState(path: string, { url, project, tasks }: PullState): Promise<void> {
  await writeWhole(path, [{ version, url, project }, ...tasks.values()]);
}

/** JSON lines, as `writeText` writes. */
export async function writeWhole(path: string, rows: readonly unknown[]): Promise<void> {
  await writeText(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

/** Written aside and renamed: whoever reads sees all of the old file or all of the new one. Throws `label-studio/not-writable`. */
export async function writeText(path: string, text: string): Promise<void> {
  const aside = `${path}.${process.pid}.part`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(aside, "w");
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => {});
    throw new SparError("label-studio/not-writable", `cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}
