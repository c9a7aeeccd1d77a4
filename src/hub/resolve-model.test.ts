import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startHubServer, type HubServer, type HubServerOptions } from "../../test/fixtures/hub-server.ts";
import { resolveDataset, resolveModel, type DownloadProgress, type HubSettings } from "./index.ts";
import { createGlob } from "./resolve-model.ts";
import { readHubSettings } from "./settings.ts";

let root: string;
let server: HubServer | undefined;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "spar-hub-"));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(root, { recursive: true, force: true });
});

async function createFolder(name: string, files: { [path: string]: string | Buffer }): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name, path)), { recursive: true });
    await writeFile(join(root, name, path), content);
  }
  return join(root, name);
}

const weights = Buffer.alloc(300_000, "weights!");
const model = {
  "config.json": "{}",
  "tokenizer.json": "{}",
  "model.safetensors": weights,
  "pytorch_model.bin": "pickle",
  "onnx/config.json": "{}",
  "README.md": "# Tiny",
};

async function start(options: HubServerOptions, token?: string): Promise<HubSettings> {
  server = await startHubServer(options);
  return { endpoint: server.url, cacheDir: join(root, "cache"), token, offline: false };
}

const refused = (id: string, settings: HubSettings) => resolveModel(id, { settings }).catch((error: unknown) => error);

describe("models", () => {
  test("a folder is itself, and needs no network", async () => {
    const folder = await createFolder("local", { "config.json": "{}" });
    const settings = { endpoint: "http://127.0.0.1:9", cacheDir: root, token: undefined, offline: true };
    expect(await resolveModel(folder, { settings })).toBe(folder);
    expect(await refused(join(root, "nowhere"), settings)).toMatchObject({ code: "hub/no-such-folder" });
    expect(await refused("./nowhere", settings)).toMatchObject({ code: "hub/no-such-folder" });
    expect(await refused("../../no/where", settings)).toMatchObject({ code: "hub/no-such-folder" });
    expect(await refused("org/name@../../x", settings)).toMatchObject({ code: "hub/no-such-folder" });
  });

  test("an id is downloaded into Python's layout, once, without what spar does not read", async () => {
    const settings = await start({ models: { "org/tiny": await createFolder("tiny", model) } });
    const progress: DownloadProgress[] = [];
    const folder = await resolveModel("org/tiny", { settings, onProgress: (item) => progress.push(item) });
    expect((await readdir(folder)).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
    expect((await readFile(join(folder, "model.safetensors"))).equals(weights)).toBe(true);
    expect(progress.at(-1)).toMatchObject({ repo: "org/tiny", done: weights.length + 4, total: weights.length + 4 });

    const repo = join(root, "cache", "models--org--tiny");
    const sha = await readFile(join(repo, "refs", "main"), "utf8");
    expect(folder).toBe(join(repo, "snapshots", sha));
    expect(await readlink(join(folder, "model.safetensors"))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect(await readlink(join(folder, "config.json"))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/);
    expect((await readdir(join(repo, "blobs"))).filter((name) => name.includes("."))).toEqual([]);

    const before = server!.requests.length;
    expect(await resolveModel("org/tiny", { settings })).toBe(folder);
    expect(server!.requests.slice(before).map(({ path }) => path)).toEqual(["/api/models/org/tiny/revision/main"]);
    expect(await resolveModel("org/tiny", { settings: { ...settings, offline: true } })).toBe(folder);
    expect(await resolveModel(`org/tiny@${sha}`, { settings: { ...settings, offline: true } })).toBe(folder);
    await server!.close();
    expect(await resolveModel("org/tiny", { settings })).toBe(folder);
    expect(await refused("org/other", settings)).toMatchObject({ code: "hub/no-network", hint: expect.stringContaining("HF_HUB_OFFLINE") });
    expect(await refused("org/other", { ...settings, offline: true })).toMatchObject({ code: "hub/offline" });
  });

  test("revisions are different folders; a missing one is named", async () => {
    const main = await createFolder("main", model);
    const old = await createFolder("old", { ...model, "config.json": '{"old":1}' });
    const settings = await start({ models: { "org/tiny": { main, "v1/old": old } } });
    const folder = await resolveModel("org/tiny@v1/old", { settings });
    expect(await readFile(join(folder, "config.json"), "utf8")).toBe('{"old":1}');
    expect(await resolveModel("org/tiny", { settings })).not.toBe(folder);
    expect(await resolveModel("org/tiny", { settings, revision: "v1/old" })).toBe(folder);
    expect(await refused("org/tiny@v9", settings)).toMatchObject({ code: "hub/no-revision", message: expect.stringContaining("v9") });
  });

  test("a broken connection is taken up where it broke", async () => {
    const settings = await start({ models: { "org/tiny": await createFolder("tiny", model) }, cut: { afterBytes: 100_000, times: 2 } });
    const folder = await resolveModel("org/tiny", { settings });
    expect((await readFile(join(folder, "model.safetensors"))).equals(weights)).toBe(true);
    const ranges = server!.requests.filter(({ path }) => path.endsWith("model.safetensors")).map(({ range }) => range);
    expect(ranges).toHaveLength(3);
    expect(ranges[0]).toBeUndefined();
    expect(Number(/bytes=(\d+)-/.exec(ranges[2]!)![1])).toBeGreaterThan(0);
  });

  test("a killed download goes on at the next start", async () => {
    const folder = await createFolder("tiny", model);
    const settings = await start({ models: { "org/tiny": folder } });
    const blobs = join(root, "cache", "models--org--tiny", "blobs");
    await resolveModel("org/tiny", { settings, allowPatterns: ["config.json"] });
    const { createHash } = await import("node:crypto");
    const etag = createHash("sha256").update(weights).digest("hex");
    await writeFile(join(blobs, `${etag}.incomplete`), weights.subarray(0, 250_000));
    // The lock of a process that is gone (ids end below 2^22).
    await writeFile(join(blobs, `${etag}.lock`), "99999999");
    const resolved = await resolveModel("org/tiny", { settings });
    expect((await readFile(join(resolved, "model.safetensors"))).equals(weights)).toBe(true);
    expect(server!.requests.find(({ path }) => path.endsWith("model.safetensors"))?.range).toBe("bytes=250000-");
  });

  test("two downloads at once share the work", async () => {
    const settings = await start({ models: { "org/tiny": await createFolder("tiny", model) } });
    const [a, b] = await Promise.all([resolveModel("org/tiny", { settings }), resolveModel("org/tiny", { settings })]);
    expect(a).toBe(b);
    expect(server!.requests.filter(({ path }) => path.endsWith("model.safetensors"))).toHaveLength(1);
  });

  test("damaged content is refused and removed", async () => {
    const settings = await start({ models: { "org/tiny": await createFolder("tiny", model) }, corrupt: "model.safetensors" });
    expect(await refused("org/tiny", settings)).toMatchObject({
      code: "hub/damaged",
      message: expect.stringContaining("model.safetensors"),
    });
    const blobs = await readdir(join(root, "cache", "models--org--tiny", "blobs"));
    expect(blobs.filter((name) => name.includes("."))).toEqual([]);
  });

  test("gated, missing, private and refused ones say what to do", async () => {
    const folder = await createFolder("tiny", model);
    const settings = await start({ models: { "org/gated": folder, "org/tiny": folder }, gated: ["org/gated"], token: "hf_good" });
    expect(await refused("org/gated", settings)).toMatchObject({ code: "hub/gated", hint: expect.stringContaining("HF_TOKEN") });
    expect(await refused("org/gated", { ...settings, token: "hf_good" })).toMatchObject({
      code: "hub/gated",
      hint: expect.stringContaining("no access yet"),
    });
    expect(await refused("org/nothing", settings)).toMatchObject({ code: "hub/not-found", hint: expect.stringContaining("HF_TOKEN") });
    expect(await refused("org/nothing", { ...settings, token: "hf_good" })).toMatchObject({ code: "hub/not-found" });
    expect(await refused("org/tiny", { ...settings, token: "hf_bad" })).toMatchObject({
      code: "hub/no-access",
      hint: expect.stringContaining("invalid"),
    });
  });

  test("access that was granted is used", async () => {
    const settings = await start(
      { models: { "org/gated": await createFolder("tiny", model) }, gated: ["org/gated"], allowed: ["org/gated"], token: "hf_good" },
      "hf_good",
    );
    expect(await readdir(await resolveModel("org/gated", { settings }))).toContain("model.safetensors");
  });

  test("a server that recovers is waited for", async () => {
    const settings = await start({ models: { "org/tiny": await createFolder("tiny", model) }, failures: 2 });
    expect(await readdir(await resolveModel("org/tiny", { settings }))).toContain("config.json");
  });

  test("only a pickle: refused before it is downloaded", async () => {
    const settings = await start({ models: { "org/old": await createFolder("old", { "config.json": "{}", "pytorch_model.bin": "x" }) } });
    expect(await refused("org/old", settings)).toMatchObject({ code: "hub/no-safetensors", message: expect.stringContaining("pickle") });
    expect(server!.requests).toHaveLength(1);
  });

  test("only GGUF: one is taken, of several none", async () => {
    const one = await createFolder("one", { "README.md": "# One", "m.Q8_0.gguf": "GGUF" });
    const two = await createFolder("two", { "m.Q8_0.gguf": "GGUF", "m.Q4_0.gguf": "GGUF" });
    const settings = await start({ models: { "org/one": one, "org/two": two } });
    const path = await resolveModel("org/one", { settings });
    expect(path.endsWith("m.Q8_0.gguf")).toBe(true);
    expect(await readFile(path, "utf8")).toBe("GGUF");
    expect(await readdir(dirname(path))).toEqual(["m.Q8_0.gguf"]);
    expect(await resolveModel("org/one", { settings: { ...settings, offline: true } })).toBe(path);
    expect(await refused("org/two", settings)).toMatchObject({
      code: "hub/no-safetensors",
      message: expect.stringContaining("several GGUF files (2"),
    });
  });

  test("half in the cache and offline; a cache that cannot be written", async () => {
    const settings = await start({ models: { "org/tiny": await createFolder("tiny", model) } });
    await resolveModel("org/tiny", { settings, allowPatterns: ["config.json"] });
    expect(await refused("org/tiny", { ...settings, offline: true })).toMatchObject({
      code: "hub/offline",
      message: expect.stringContaining("only a part"),
    });
    await writeFile(join(root, "file"), "");
    expect(await refused("org/tiny", { ...settings, cacheDir: join(root, "file") })).toMatchObject({
      code: "hub/cache",
      hint: expect.stringContaining("HF_HOME"),
    });
  });

  test("patterns choose files", async () => {
    const settings = await start({ models: { "org/tiny": await createFolder("tiny", model) } });
    const folder = await resolveModel("org/tiny", { settings, allowPatterns: ["onnx/*", "*.md"] });
    expect((await readdir(folder)).sort()).toEqual(["README.md", "onnx"]);
    expect((await lstat(join(folder, "onnx", "config.json"))).isSymbolicLink()).toBe(true);
    expect(createGlob("a+b*.j?on").test("a+bc/d.json")).toBe(true);
  });
});

describe("settings", () => {
  test("names and order are Python's", async () => {
    await writeFile(join(root, "token"), "hf_file\n");
    const empty = { HOME: root };
    expect(await readHubSettings({ ...empty, HF_HOME: root })).toEqual({
      endpoint: "https://huggingface.co",
      cacheDir: join(root, "hub"),
      token: "hf_file",
      offline: false,
    });
    expect(
      await readHubSettings({
        ...empty,
        HF_HOME: root,
        HF_TOKEN: "hf_env",
        HF_HUB_CACHE: "/c",
        HF_HUB_OFFLINE: "1",
        HF_ENDPOINT: "http://x/",
      }),
    ).toEqual({ endpoint: "http://x", cacheDir: "/c", token: "hf_env", offline: true });
    expect((await readHubSettings({ XDG_CACHE_HOME: "/xdg" })).cacheDir).toBe("/xdg/huggingface/hub");
  });
});

describe("datasets", () => {
  test("the card's configs and splits", async () => {
    const card =
      "---\nlicense: mit\nconfigs:\n- config_name: chat\n  default: true\n  data_files:\n  - split: train\n    path: chat/part-*.jsonl\n  - split: test\n    path: [chat/last.jsonl]\n- config_name: raw\n  data_files: raw/**\n---\n# Card";
    const files = {
      "README.md": card,
      "chat/part-1.jsonl": "1",
      "chat/part-0.jsonl": "0",
      "chat/last.jsonl": "2",
      "raw/a/b.txt": "t",
      "raw/c.png": "p",
    };
    const settings = await start({ datasets: { "org/data": await createFolder("data", files) } });
    const found = await resolveDataset("org/data", { settings });
    expect(found).toMatchObject({ config: "chat", split: "train", splits: ["train", "test"] });
    expect(found.files.map((file) => file.slice(found.folder.length + 1))).toEqual(["chat/part-0.jsonl", "chat/part-1.jsonl"]);
    expect(await readFile(found.files[0]!, "utf8")).toBe("0");
    expect(found.folder).toContain(join("cache", "datasets--org--data", "snapshots"));
    expect(server!.requests.some(({ path }) => path.endsWith("last.jsonl"))).toBe(false);
    const raw = await resolveDataset("org/data", { settings, config: "raw" });
    expect(raw.files.map((file) => file.slice(raw.folder.length + 1))).toEqual(["raw/a/b.txt"]);
    const offline = { ...settings, offline: true };
    expect((await resolveDataset("org/data", { settings: offline })).files).toEqual(found.files);
    await expect(resolveDataset("org/data", { settings: offline, split: "test" })).rejects.toMatchObject({ code: "hub/no-data" });
    await expect(resolveDataset("org/data", { settings, config: "none" })).rejects.toMatchObject({
      code: "hub/no-config",
      message: expect.stringContaining("chat, raw"),
    });
    await expect(resolveDataset("org/data", { settings, split: "dev" })).rejects.toMatchObject({
      code: "hub/no-split",
      message: expect.stringContaining("train, test"),
    });
    await expect(resolveDataset("org/none", { settings })).rejects.toMatchObject({ code: "hub/not-found" });
  });
});
