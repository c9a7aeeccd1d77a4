/** Data sets by hub id, from a server that speaks the hub's protocol: cards, configs, splits. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startHubServer, type HubServer } from "../../test/fixtures/hub-server.ts";
import { loadDataset, specFromName, type Dataset, type DatasetSpec } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "spar-hub-data-"));
let server: HubServer;
beforeAll(async () => {
  server = await startHubServer({
    datasets: { "org/plain": makePlain(), "org/carded": { main: makeCarded("new"), v1: makeCarded("old") } },
  });
});
beforeEach(() => void server.requests.splice(0));
afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true });
});

function put(folder: string, path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(root, folder, path)), { recursive: true });
  writeFileSync(join(root, folder, path), content);
}
const lines = (...texts: string[]): string => texts.map((text) => `${JSON.stringify({ text })}\n`).join("");

/** No card: names of files say which split they are. */
function makePlain(): string {
  put("plain", "data/train-00000-of-00002.jsonl", lines("a", "b"));
  put("plain", "data/train-00001-of-00002.jsonl.gz", gzipSync(lines("c", "d", "e")));
  put("plain", "data/test-00000-of-00001.csv", "text\nx\ny\n");
  return join(root, "plain");
}

/** A card with two configs, one of them the default, whose splits have names of their own. */
function makeCarded(age: string): string {
  const card = `---
license: mit
configs:
- config_name: chat
  data_files:
  - {split: train_sft, path: chat/train*.jsonl}
  - {split: test_sft, path: chat/held.jsonl}
- config_name: short
  default: true
  data_files: short/*.jsonl
- config_name: gone
  data_files: nowhere/*.jsonl
---
# A data set
`;
  put(`carded-${age}`, "README.md", card);
  put(`carded-${age}`, "chat/train-1.jsonl", lines(`${age} chat 1`));
  put(`carded-${age}`, "chat/train-2.jsonl", lines(`${age} chat 2`));
  put(`carded-${age}`, "chat/held.jsonl", lines(`${age} held`));
  put(`carded-${age}`, "short/part.jsonl", lines(`${age} short`));
  return join(root, `carded-${age}`);
}

const load = (spec: DatasetSpec, offline = false): Promise<Dataset> =>
  loadDataset(spec, { hub: { settings: { endpoint: server.url, cacheDir: join(root, "cache"), token: undefined, offline } } });
async function readTexts(spec: DatasetSpec, offline = false): Promise<unknown[]> {
  const dataset = await load(spec, offline);
  const rows = await Promise.all(Array.from({ length: dataset.count }, (_, i) => dataset.read(i)));
  await dataset.close();
  return rows.map((row) => row["text"]);
}

test("without a card: splits by file names, shards in order, parts of a split", async () => {
  expect(await readTexts({ path: "org/plain" })).toEqual(["a", "b", "c", "d", "e"]);
  // Only what the split needs was downloaded.
  expect(server.requests.map(({ path }) => path).filter((path) => path.includes("test-"))).toEqual([]);
  expect(await readTexts(specFromName({ dataset_name: "org/plain" }, "test"))).toEqual(["x", "y"]);
  expect(await readTexts({ path: "org/plain", split: "train[1:3]" })).toEqual(["b", "c"]);
  expect(await readTexts({ path: "org/plain", split: "train[-40%:]" })).toEqual(["d", "e"]);
});

test("with a card: the default config, a named one, splits of other names, a revision", async () => {
  expect(await readTexts({ path: "org/carded" })).toEqual(["new short"]);
  expect(await readTexts(specFromName({ dataset_name: "org/carded", dataset_config: "chat" }, "train_sft"))).toEqual([
    "new chat 1",
    "new chat 2",
  ]);
  expect(await readTexts({ path: "org/carded", name: "chat", split: "test_sft" })).toEqual(["new held"]);
  expect(await readTexts({ path: "org/carded", name: "chat", split: "test_sft", revision: "v1" })).toEqual(["old held"]);
  expect(await readTexts({ path: "org/carded@v1" })).toEqual(["old short"]);
});

test("what is not there is named beside what is", async () => {
  await expect(load({ path: "org/carded", name: "chat" })).rejects.toMatchObject({
    code: "hub/no-split",
    message: expect.stringContaining('config "chat" has no split "train"; expected one of train_sft, test_sft') as string,
  });
  await expect(load({ path: "org/carded", name: "long" })).rejects.toThrow(/expected one of chat, short, gone/);
  await expect(load({ path: "org/carded", name: "gone" })).rejects.toMatchObject({ code: "hub/no-data" });
  await expect(load({ path: "org/plain", name: "extra" })).rejects.toThrow('it has no config "extra"');
  await expect(load({ path: "org/plain", split: "dev" })).rejects.toMatchObject({ code: "hub/no-split" });
  await expect(load({ path: "org/missing" })).rejects.toThrow(/org\/missing/);
});

test("a mixture of hub configs and local files; offline it comes out of the cache", async () => {
  put("local", "own.jsonl", lines("own"));
  const specs: DatasetSpec[] = [
    { path: "org/carded", name: "chat", split: "train_sft" },
    { path: join(root, "local", "own.jsonl") },
    { path: "org/plain", split: "test", task: "letters" },
  ];
  const hub = { settings: { endpoint: server.url, cacheDir: join(root, "cache"), token: undefined, offline: true } };
  const mixed = await loadDataset(specs, { hub });
  const tasks = Array.from({ length: mixed.count }, (_, i) => mixed.task(i));
  expect([...new Set(tasks)].sort()).toEqual(["carded-chat", "letters", "own"]);
  expect(mixed.count).toBe(5);
  await mixed.close();
  expect(server.requests).toEqual([]);
  // Python's cache layout.
  expect(readdirSync(join(root, "cache")).filter((name) => !name.startsWith("."))).toEqual(
    expect.arrayContaining(["datasets--org--carded", "datasets--org--plain"]),
  );
});
