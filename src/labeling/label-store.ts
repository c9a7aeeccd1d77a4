/**
 * labels.jsonl: every label as it was given, in a file that only grows. It is the truth; pairs are made from it. `append` returns when
 * the rows are on disk, and not before; rows that wait at the same time share one sync.
 */

import { type FileHandle, mkdir, open, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type LabelRow, parseLabelRow, type Row } from "../data/index.ts";
import { SparError } from "../internal/errors.ts";
import { acquireLock } from "../tracking/index.ts";

export interface LabelStore {
  readonly path: string;
  /** What was in the file when it was opened; a label that is there twice counts once. */
  readonly earlier: readonly LabelRow[];
  /** Bytes of a last line that a crash had torn, and that were cut off: nobody had been told that it was saved. */
  readonly cut: number;
  /** @throws SparError `labeling/not-saved`: none of these rows is in the file */
  append(rows: readonly LabelRow[]): Promise<void>;
  /** Waits for what is being written. */
  close(): Promise<void>;
}

export interface LabelStoreOptions {
  /** Opens the file to write to; for tests of disks that fail. */
  readonly openFile?: (path: string) => Promise<LabelFile>;
}

/** What the store asks of a file. */
export type LabelFile = Pick<FileHandle, "appendFile" | "datasync" | "truncate" | "readFile" | "stat" | "close">;

type Waiting = { readonly bytes: Buffer; resolve(): void; reject(error: unknown): void };

/**
 * Opens the file, or makes it, with its folder.
 * @throws SparError `labeling/locked` while another process holds it; `data/bad-rows` with every line that is no label
 */
export async function openLabelStore(path: string, { openFile = openReadWrite }: LabelStoreOptions = {}): Promise<LabelStore> {
  await prepareFolder(path);
  const lock = acquireLock(join(dirname(path), `.${basename(path)}.lock`), {
    code: "labeling/locked",
    name: path,
    notWritable: "labeling/not-writable",
    does: "writes labels into it",
    another: "choose another --out",
  });
  let file: LabelFile | undefined;
  try {
    file = await openFile(path);
    const bytes = await file.readFile();
    const { rows, whole, endsOpen } = parseLabels(bytes, path);
    if (whole < bytes.length) await file.truncate(whole);
    if (endsOpen) await file.appendFile("\n");
    if (whole < bytes.length || endsOpen) await file.datasync();
    return createStore(path, file, whole + (endsOpen ? 1 : 0), rows, bytes.length - whole, lock.release);
  } catch (error) {
    await file?.close().catch(() => {});
    lock.release();
    if (error instanceof SparError) throw error;
    throw new SparError("labeling/not-writable", `opening ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function createStore(
  path: string,
  file: LabelFile,
  start: number,
  earlier: readonly LabelRow[],
  cut: number,
  release: () => void,
): LabelStore {
  let waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;
  let length = start;
  let broken: unknown;
  let isClosed = false;

  const writeAll = async (): Promise<void> => {
    for (;;) {
      if (waiting.length === 0) {
        // In the same turn in which nothing was found waiting: what comes later must start anew.
        writing = undefined;
        return;
      }
      const group = waiting;
      waiting = [];
      try {
        if (broken !== undefined) throw broken;
        const bytes = Buffer.concat(group.map((item) => item.bytes));
        await file.appendFile(bytes);
        await file.datasync();
        if ((await file.stat()).nlink === 0) throw (broken = new Error("the file was deleted or replaced while it was written to"));
        length += bytes.length;
        for (const { resolve } of group) resolve();
      } catch (cause) {
        await takeBack();
        const message = `the labels could not be written to ${path}: ${(cause as Error).message}`;
        const hint =
          broken === undefined ? "Nothing is lost: the page keeps them and tries again." : "End spar label and look at the disk.";
        for (const { reject } of group) reject(new SparError("labeling/not-saved", message, { hint, cause }));
      }
    }
  };

  // Half a row would swallow the next one.
  const takeBack = async (): Promise<void> => {
    try {
      await file.truncate(length);
    } catch (error) {
      broken ??= error;
    }
  };

  return {
    path,
    earlier,
    cut,
    append(rows) {
      if (isClosed) return Promise.reject(new SparError("labeling/not-saved", `${path} is closed: spar label is ending`));
      if (rows.length === 0) return Promise.resolve();
      const bytes = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      const saved = new Promise<void>((resolve, reject) => waiting.push({ bytes, resolve, reject }));
      writing ??= writeAll();
      return saved;
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await writing;
      const own = await file.stat();
      await file.close();
      // Nobody labelled anything: no file that says so. Unless somebody has put another one there.
      const there = await stat(path).catch(() => undefined);
      if (own.size === 0 && there?.ino === own.ino) await rm(path, { force: true }).catch(() => {});
      release();
    },
  };
}

/** The rows of a file, and how many of its bytes are whole lines. A last line without its end is kept where it is a whole label. */
function parseLabels(bytes: Buffer, path: string): { rows: LabelRow[]; whole: number; endsOpen: boolean } {
  const rows = new Map<string, LabelRow>();
  const problems: string[] = [];
  let [start, line, endsOpen] = [0, 0, false];
  while (start < bytes.length) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    const text = bytes.toString("utf8", start, end).replace(/^\ufeff/, "");
    line++;
    if (text.trim() !== "") {
      try {
        const row = parseLabelRow(parseObject(text));
        if (!rows.has(row.id)) rows.set(row.id, row);
      } catch (error) {
        if (!(error instanceof SparError)) throw error;
        if (newline < 0) break;
        problems.push(`  ${path}:${line}: ${error.message}`);
      }
    }
    endsOpen = newline < 0;
    start = newline < 0 ? end : newline + 1;
  }
  if (problems.length > 0) {
    const message = [`reading labels: ${problems.length} lines of ${path} are no labels`, ...problems.slice(0, 100)].join("\n");
    throw new SparError("data/bad-rows", message, { hint: "Mend these lines, or move the file away to start a new one." });
  }
  return { rows: [...rows.values()], whole: start, endsOpen };
}

function parseObject(text: string): Row {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SparError("data/bad-row", `not valid JSON (${(error as Error).message})`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new SparError("data/bad-row", "expected a JSON object");
  return value as Row;
}

async function prepareFolder(path: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch (cause) {
    throw new SparError("labeling/not-writable", `making the folder of ${path}: ${(cause as Error).message}`, { cause });
  }
}

async function openReadWrite(path: string): Promise<LabelFile> {
  const file = await open(path, "a+");
  // Without this a crash of the machine may lose the file's name, and with it the rows that are on disk.
  const folder = await open(dirname(path), "r").catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
  return file;
}
