import { mkdir, mkdtemp, readdir, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWeights, saveWeights } from "./sharded.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "spar-sharded-"));
});
afterAll(() => rm(root, { recursive: true }));

async function createFolder(files: { [name: string]: string }): Promise<string> {
  const folder = await mkdtemp(join(root, "case-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

const tensors = ["a", "b", "c"].map((name, i) => ({ name, shape: [10], data: new Float32Array(10).fill(i) }));

test("shards are written with an index and read back as one source", async () => {
  const folder = await createFolder({});
  await saveWeights(folder, tensors, { maxShardBytes: 90 });
  expect((await readdir(folder)).sort()).toEqual([
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
  ]);
  expect(JSON.parse(await readFile(join(folder, "model.safetensors.index.json"), "utf8"))).toMatchObject({
    metadata: { total_size: 120 },
    weight_map: { c: "model-00002-of-00002.safetensors" },
  });
  const source = await openWeights(folder);
  expect(source.names()).toEqual(["a", "b", "c"]);
  expect(source.info("c").shape).toEqual([10]);
  const target = new Float32Array(10);
  await source.readInto("c", target);
  expect(target[9]).toBe(2);
  expect(() => source.info("d")).toThrow(/no tensor "d"/);
  await source.close();

  await unlink(join(folder, "model-00002-of-00002.safetensors"));
  await expect(openWeights(folder)).rejects.toMatchObject({
    code: "file/not-found",
    message: expect.stringContaining("model-00002-of-00002"),
  });
});

test("small weights are one file", async () => {
  const folder = await createFolder({});
  await saveWeights(folder, tensors);
  expect(await readdir(folder)).toEqual(["model.safetensors"]);
  const source = await openWeights(folder);
  expect(source.has("b")).toBe(true);
  await source.close();
});

test("folders without safetensors say what is there and what to do", async () => {
  await expect(openWeights(await createFolder({ "pytorch_model.bin": "" }))).rejects.toMatchObject({
    code: "checkpoint/pickle",
    hint: expect.stringContaining("save_pretrained"),
  });
  await expect(openWeights(await createFolder({ "m.gguf": "" }))).rejects.toMatchObject({ code: "checkpoint/gguf" });
  await expect(openWeights(join(await createFolder({ "m.gguf": "" }), "m.gguf"))).rejects.toMatchObject({ code: "checkpoint/malformed" });
  await expect(openWeights(await createFolder({ "config.json": "{}" }))).rejects.toMatchObject({ code: "checkpoint/no-weights" });
  await expect(openWeights(join(root, "nowhere"))).rejects.toMatchObject({ code: "file/not-found" });
});

test("a bad index is refused", async () => {
  const open = async (text: string) => openWeights(await createFolder({ "model.safetensors.index.json": text }));
  await expect(open("{")).rejects.toThrow(/not valid JSON/);
  await expect(open("{}")).rejects.toThrow(/no weight_map/);
  await expect(open('{"weight_map":{}}')).rejects.toThrow(/empty/);
  await expect(open('{"weight_map":{"w":"../../etc/x.safetensors"}}')).rejects.toThrow(
    /"w": its file .* is not a .safetensors file beside/,
  );
  const folder = await createFolder({});
  await saveWeights(folder, tensors, { maxShardBytes: 90 });
  await writeFile(join(folder, "model.safetensors.index.json"), '{"weight_map":{"zz":"model-00001-of-00002.safetensors"}}');
  await expect(openWeights(folder)).rejects.toThrow(/"zz": the index says/);
  await mkdir(join(root, "empty"));
  await expect(openWeights(join(root, "empty"))).rejects.toThrow(/empty folder/);
});
