import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createCpuBackend } from "../runtime/index.ts";
import { freeModel, loadModel, saveModel } from "./index.ts";

const source = fileURLToPath(new URL("../../test/fixtures/parity/models/stories260K", import.meta.url));

test("files of a read-only model are saved as files that may be changed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spar-save-"));
  const from = mkdtempSync(join(tmpdir(), "spar-source-"));
  for (const name of readdirSync(source)) copyFileSync(join(source, name), join(from, name));
  for (const name of readdirSync(from)) chmodSync(join(from, name), 0o444);
  const backend = createCpuBackend();
  const model = await loadModel(from, backend);
  try {
    await saveModel(model, folder);
    expect(readdirSync(folder)).toContain("generation_config.json");
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o200, name).toBe(0o200);
    expect(readFileSync(join(folder, "tokenizer.json"))).toEqual(readFileSync(join(from, "tokenizer.json")));
  } finally {
    freeModel(model);
    backend.close();
    for (const each of [folder, from]) rmSync(each, { recursive: true });
  }
});

test("what is wrong in config.json is told with its folder", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spar-config-"));
  const path = join(folder, "config.json");
  const backend = createCpuBackend();
  try {
    for (const [text, expected] of [
      ['{"model_type": "llama", "hidden_size": "64"}', `${path}: "hidden_size" should be a positive integer, got "64"`],
      ['{"model_type": "gpt2", "n_embd": 64, "n_head": 7}', `${path}: "n_head" should be a divisor of 64, got 7`],
      [
        '{"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 1, "vocab_size": 9, "num_attention_heads": 7, "num_key_value_heads": 4}',
        `${path}: "num_key_value_heads" should be a divisor of 7, got 4`,
      ],
      ["null", `${path}: expected a JSON object of the model's settings`],
    ] as const) {
      writeFileSync(path, text);
      await expect(loadModel(folder, backend)).rejects.toThrow(expected);
    }
  } finally {
    backend.close();
    rmSync(folder, { recursive: true });
  }
});

test("whole numbers where weights belong are refused with the tensor", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spar-integers-"));
  for (const name of readdirSync(source)) copyFileSync(join(source, name), join(folder, name));
  const file = join(folder, "model.safetensors");
  const bytes = readFileSync(file);
  bytes.write(bytes.toString("latin1", 8, 8 + Number(bytes.readBigUInt64LE(0))).replace(/"F32"/, '"I32"'), 8, "latin1");
  writeFileSync(file, bytes);
  const backend = createCpuBackend();
  try {
    await expect(loadModel(folder, backend)).rejects.toThrow(/"model\.\S+" holds I32, expected F32, F16, BF16 or F64/);
  } finally {
    backend.close();
    rmSync(folder, { recursive: true });
  }
});
