import { cpSync, mkdtempSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createModelPool, type ModelPool } from "./model-pool.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/parity/models/", import.meta.url));

let root: string;
let pool: ModelPool;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "spar-pool-"));
  for (const name of ["a", "b", "c"]) cpSync(join(fixtures, "stories260K"), join(root, "runs", name), { recursive: true });
});
afterEach(async () => {
  await pool.close();
  rmSync(root, { recursive: true });
});

const open = (options: Parameters<typeof createModelPool>[1]): void => {
  pool = createModelPool({ root, runsFolders: [join(root, "runs")], models: [] }, options);
};
const idOf = async (name: string): Promise<string> => (await pool.list()).find((model) => model.name === name)?.id ?? "";
const loaded = async (): Promise<string[]> =>
  (await pool.list())
    .filter(({ isLoaded }) => isLoaded)
    .map(({ name }) => name)
    .sort();
/** Whether it had to be loaded. */
const touch = async (name: string): Promise<boolean> => {
  let loads = false;
  await pool.useLanguage(await idOf(name), async () => undefined, { onLoading: () => (loads = true) });
  return loads;
};

test("the one that was not used for the longest time goes, and never one that is in use", async () => {
  open({ most: 2 });
  expect([await touch("a"), await touch("b"), await touch("a"), await touch("c")]).toEqual([true, true, false, true]);
  expect(await loaded()).toEqual(["a", "c"]);
  let release = (): void => undefined;
  const holds = new Promise<void>((resolve) => (release = resolve));
  const held = pool.useLanguage(await idOf("a"), () => holds);
  await touch("b");
  expect(await loaded()).toEqual(["a", "b"]);
  release();
  await held;
});

test("whoever waits for a place gets it when one is free, or leaves", async () => {
  open({ most: 1 });
  let release = (): void => undefined;
  const holds = new Promise<void>((resolve) => (release = resolve));
  const held = pool.useLanguage(await idOf("a"), () => holds);
  const leaving = new AbortController();
  const left = pool.useLanguage(await idOf("b"), async () => "b", { signal: leaving.signal });
  const waits = pool.useLanguage(await idOf("c"), async ({ entry }) => entry.name);
  leaving.abort(new Error("left"));
  await expect(left).rejects.toThrow("left");
  release();
  await held;
  expect(await waits).toBe("c");
});

test("models that would fill the memory make room before their number does", async () => {
  open({ most: 3, mostBytes: 1 });
  await touch("a");
  await touch("b");
  expect(await loaded()).toEqual(["b"]);
});

test("weights that have been written since are loaded anew; a model that has gone is told, and one that is broken too", async () => {
  open({});
  expect([await touch("a"), await touch("a")]).toEqual([true, false]);
  utimesSync(join(root, "runs/a/model.safetensors"), new Date(), new Date(Date.now() + 5000));
  expect(await touch("a")).toBe(true);
  const id = await idOf("b");
  rmSync(join(root, "runs/b/tokenizer.json"));
  await expect(pool.useLanguage(id, async () => undefined)).rejects.toMatchObject({ code: "tokenizer/missing" });
  rmSync(join(root, "runs/b"), { recursive: true });
  await expect(pool.useLanguage(id, async () => undefined)).rejects.toMatchObject({ code: "ui/no-model", status: 404 });
  expect(await loaded()).toEqual(["a"]);
});

test("what runs at the end is ended, and nothing begins after it", async () => {
  open({});
  const id = await idOf("a");
  const running = pool.useLanguage(id, async ({ service, tokenizer }) => {
    const request = {
      model: undefined,
      settings: { maxNewTokens: 400, temperature: 1 },
      n: 1,
      top: undefined,
      stream: true,
      streamUsage: false,
    };
    return service.text({ ...request, prompts: [tokenizer.encode("Once")] }, new AbortController().signal).run();
  });
  const ended = expect(running).rejects.toMatchObject({ code: "generation/closed" });
  await new Promise((resolve) => setTimeout(resolve, 60));
  await pool.close();
  await ended;
  await expect(pool.useLanguage(id, async () => undefined)).rejects.toMatchObject({ code: "ui/closing" });
});
