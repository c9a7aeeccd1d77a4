import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabelRow } from "../data/index.ts";
import { type LabelFile, openLabelStore } from "./label-store.ts";

let folder: string;
let files = 0;
const freshPath = (): string => join(folder, `labels-${++files}.jsonl`);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-label-store-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const makeRow = (comment: string, id: string = randomUUID()): LabelRow => ({
  id,
  task: "t",
  annotator: "anna",
  prompt: "Q",
  candidates: [{ text: "x" }, { text: "y" }],
  choice: "a",
  order: [1, 0],
  comment,
  milliseconds: 1,
  guidelines_version: 0,
  given: "2026-01-01T00:00:00.000Z",
});

test("what was said to be saved is there, whatever byte the crash comes at", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.string({ maxLength: 30 }), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 }),
      fc.nat(),
      async (batches, cut) => {
        const path = freshPath();
        const openFile = async (name: string): Promise<LabelFile> => wrap(await open(name, "a+"), { datasync: async () => {} });
        const store = await openLabelStore(path, { openFile });
        // At each moment: how long the file is, and what has been called saved.
        const saved: { bytes: number; ids: string[] }[] = [{ bytes: 0, ids: [] }];
        for (const batch of batches) {
          const rows = batch.map((comment) => makeRow(comment));
          await store.append(rows);
          saved.push({ bytes: readFileSync(path).length, ids: [...saved.at(-1)!.ids, ...rows.map(({ id }) => id)] });
        }
        await store.close();
        const size = readFileSync(path).length;
        const kept = size === 0 ? 0 : cut % (size + 1);
        truncateSync(path, kept);
        const promised = saved.filter(({ bytes }) => bytes <= kept).at(-1)!.ids;
        const again = await openLabelStore(path, { openFile });
        const found = again.earlier.map(({ id }) => id);
        expect(found.slice(0, promised.length)).toEqual(promised);
        expect(saved.at(-1)!.ids.slice(0, found.length)).toEqual(found);
        const next = makeRow("after the crash");
        await again.append([next]);
        await again.close();
        const third = await openLabelStore(path, { openFile });
        expect(third.earlier.map(({ id }) => id)).toEqual([...found, next.id]);
        expect(third.cut).toBe(0);
        await third.close();
      },
    ),
    { numRuns: 20 },
  );
});

test("appends that wait together share one sync, and keep their order", async () => {
  const path = freshPath();
  let syncs = 0;
  const openFile = async (name: string): Promise<LabelFile> => {
    const file = await open(name, "a+");
    return wrap(file, {
      datasync: async () => {
        syncs++;
        await file.datasync();
      },
    });
  };
  const store = await openLabelStore(path, { openFile });
  const rows = Array.from({ length: 300 }, (_, i) => makeRow(String(i)));
  await Promise.all(rows.map((row) => store.append([row])));
  expect(syncs).toBeLessThanOrEqual(3);
  await store.close();
  const again = await openLabelStore(path);
  expect(again.earlier).toEqual(rows);
  await again.close();
});

test("a write that fails saves nothing of its group, harms nothing before or after it", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ fails: fc.constantFrom("no", "no", "half", "sync"), rows: fc.integer({ min: 1, max: 3 }) }), {
        minLength: 1,
        maxLength: 8,
      }),
      async (steps) => {
        const path = freshPath();
        let fails: string = "no";
        const store = await openLabelStore(path, {
          openFile: async (name) => {
            const file = await open(name, "a+");
            return wrap(file, {
              appendFile: async (data) => {
                if (fails !== "half") return file.appendFile(data);
                await file.appendFile((data as Buffer).subarray(0, (data as Buffer).length >> 1));
                throw new Error("ENOSPC: no space left on device");
              },
              datasync: async () => {
                if (fails === "sync") throw new Error("EIO: i/o error");
                await file.datasync();
              },
            });
          },
        });
        const saved: string[] = [];
        for (const step of steps) {
          fails = step.fails;
          const rows = Array.from({ length: step.rows }, () => makeRow(""));
          if (fails === "no") {
            await store.append(rows);
            saved.push(...rows.map(({ id }) => id));
          } else await expect(store.append(rows)).rejects.toMatchObject({ code: "labeling/not-saved" });
        }
        await store.close();
        const again = await openLabelStore(path);
        expect(again.earlier.map(({ id }) => id)).toEqual(saved);
        await again.close();
      },
    ),
    { numRuns: 20 },
  );
});

test("a file that somebody deletes or replaces saves nothing any more, and says so", async () => {
  const path = freshPath();
  const store = await openLabelStore(path);
  await store.append([makeRow("kept")]);
  rmSync(path);
  writeFileSync(path, "theirs");
  for (let i = 0; i < 2; i++) {
    const failure: unknown = await store.append([makeRow("gone")]).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "labeling/not-saved", message: expect.stringContaining("deleted or replaced") as string });
  }
  await store.close();
  expect(readFileSync(path, "utf8")).toBe("theirs");
  const empty = freshPath();
  const untouched = await openLabelStore(empty);
  rmSync(empty);
  writeFileSync(empty, "");
  await untouched.close();
  expect(readFileSync(empty, "utf8")).toBe("");
});

test("a second holder is refused, by name, until the first lets go", async () => {
  const path = freshPath();
  const store = await openLabelStore(path);
  await expect(openLabelStore(path)).rejects.toMatchObject({
    code: "labeling/locked",
    message: `${path} is in use: process ${process.pid} writes labels into it`,
  });
  await store.close();
  await expect(store.append([makeRow("late")])).rejects.toMatchObject({ code: "labeling/not-saved" });
  await (await openLabelStore(path)).close();
});

test("files made by hand: a last line without its end, blank lines, a byte order mark, a label twice", async () => {
  const path = freshPath();
  const [one, two] = [makeRow("one"), makeRow("two")];
  writeFileSync(path, `\ufeff${JSON.stringify(one)}\r\n\n${JSON.stringify({ ...one, comment: "again" })}\n${JSON.stringify(two)}`);
  const store = await openLabelStore(path);
  expect(store.earlier).toEqual([one, two]);
  const three = makeRow("three");
  await store.append([three]);
  await store.close();
  const again = await openLabelStore(path);
  expect(again.earlier).toEqual([one, two, three]);
  await again.close();
});

test("lines that are no labels are named, all at once, and nothing is changed", async () => {
  const path = freshPath();
  const text = [
    JSON.stringify(makeRow("")),
    "{",
    "[]",
    JSON.stringify({ ...makeRow(""), order: [0, 0] }),
    JSON.stringify({ ...makeRow(""), choice: "c" }),
    "",
  ].join("\n");
  writeFileSync(path, text);
  const failure = (await openLabelStore(path).catch((error: unknown) => error)) as Error;
  expect(failure.message).toContain(`4 lines of ${path} are no labels`);
  for (const line of [2, 3, 4, 5]) expect(failure.message).toContain(`${path}:${line}: `);
  expect(failure.message).toContain("expected order: each of 0 to 1 once; found [0,0]");
  expect(readFileSync(path, "utf8")).toBe(text);
});

function wrap(file: LabelFile, over: Partial<LabelFile>): LabelFile {
  return {
    appendFile: (data) => file.appendFile(data),
    datasync: () => file.datasync(),
    truncate: (length) => file.truncate(length),
    readFile: file.readFile.bind(file),
    stat: file.stat.bind(file),
    close: () => file.close(),
    ...over,
  } as LabelFile;
}
