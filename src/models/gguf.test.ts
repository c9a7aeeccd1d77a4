import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { f32Bytes, formatGguf, tokenizerMetadata, type GgufTensorToWrite, type MetadataToWrite } from "../../test/fixtures/write-gguf.ts";
import { createCpuBackend, type Backend } from "../runtime/index.ts";
import { loadTokenizer } from "../tokenizer/index.ts";
import { freeModel, loadModel, readGgufGenerationConfig, readModelConfig, saveModel, type LanguageModel } from "./index.ts";

const fixtures = fileURLToPath(new URL("../../test/fixtures/parity/models/", import.meta.url));
let root: string;
let backend: Backend;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "spar-gguf-models-"));
  backend = createCpuBackend();
});
afterAll(async () => {
  backend.close();
  await rm(root, { recursive: true });
});

const llamaNames: [RegExp, string][] = [
  [/^model\.embed_tokens\./, "token_embd."],
  [/^model\.norm\./, "output_norm."],
  [/^lm_head\./, "output."],
  [/^model\.layers\./, "blk."],
  [/\.input_layernorm\./, ".attn_norm."],
  [/\.post_attention_layernorm\./, ".ffn_norm."],
  [/\.self_attn\.([qkv])_norm\./, ".attn_$1_norm."],
  [/\.self_attn\.([qkv])_proj\./, ".attn_$1."],
  [/\.self_attn\.o_proj\./, ".attn_output."],
  [/\.mlp\.(gate|up|down)_proj\./, ".ffn_$1."],
];
const gpt2Names: [RegExp, string][] = [
  [/^transformer\.wte\./, "token_embd."],
  [/^transformer\.wpe\./, "position_embd."],
  [/^transformer\.ln_f\./, "output_norm."],
  [/^transformer\.h\./, "blk."],
  [/\.ln_1\./, ".attn_norm."],
  [/\.ln_2\./, ".ffn_norm."],
  [/\.attn\.c_attn\./, ".attn_qkv."],
  [/\.attn\.c_proj\./, ".attn_output."],
  [/\.mlp\.c_fc\./, ".ffn_up."],
  [/\.mlp\.c_proj\./, ".ffn_down."],
];

/** llama.cpp's `permute` in convert_hf_to_gguf.py: reshape(heads, 2, D/2, …).swapaxes(1, 2). */
function pairRows(data: Float32Array, rows: number, heads: number): Float32Array {
  const [width, half] = [data.length / rows, rows / heads / 2];
  const out = new Float32Array(data.length);
  let to = 0;
  for (let head = 0; head < heads; head++)
    for (let i = 0; i < half; i++)
      for (let part = 0; part < 2; part++) {
        const from = (head * 2 + part) * half + i;
        out.set(data.subarray(from * width, (from + 1) * width), to++ * width);
      }
  return out;
}

function transpose(data: Float32Array, [rows, columns]: readonly [number, number]): Float32Array {
  return Float32Array.from({ length: data.length }, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** A model as llama.cpp's converter writes it. */
function listTensors(model: LanguageModel): GgufTensorToWrite[] {
  const { modelType, heads, kvHeads } = model.config;
  return [...model.parameters].map(([name, buffer]) => {
    const [first = 1, second = 1] = buffer.shape;
    let data = buffer.host as Float32Array;
    let shape: readonly number[] = buffer.shape;
    if (modelType === "llama" || modelType === "mistral") {
      if (name.includes(".q_proj.")) data = pairRows(data, first, heads);
      if (name.includes(".k_proj.")) data = pairRows(data, first, kvHeads);
    }
    if (/c_(attn|proj|fc)\.weight$/.test(name)) [data, shape] = [transpose(data, [first, second]), [second, first]];
    const renames = modelType === "gpt2" ? gpt2Names : llamaNames;
    return { name: renames.reduce((text, [pattern, to]) => text.replace(pattern, to), name), shape, data: f32Bytes(data) };
  });
}

function formatMetadata(model: LanguageModel): MetadataToWrite {
  const { modelType, raw, hiddenSize, layers, heads, kvHeads, headDim, maxPositions } = model.config;
  const a = modelType === "mistral" ? "llama" : modelType;
  const common = {
    "general.architecture": a,
    [`${a}.block_count`]: layers,
    [`${a}.context_length`]: maxPositions,
    [`${a}.embedding_length`]: hiddenSize,
    [`${a}.attention.head_count`]: heads,
  };
  if (a === "gpt2")
    return {
      ...common,
      "gpt2.feed_forward_length": (raw["n_inner"] as number | null) ?? 4 * hiddenSize,
      "gpt2.attention.layer_norm_epsilon": raw["layer_norm_epsilon"] as number,
    };
  return {
    ...common,
    [`${a}.feed_forward_length`]: raw["intermediate_size"] as number,
    [`${a}.attention.head_count_kv`]: kvHeads,
    [`${a}.attention.key_length`]: headDim,
    [`${a}.attention.layer_norm_rms_epsilon`]: raw["rms_norm_eps"] as number,
    [`${a}.rope.freq_base`]: (raw["rope_parameters"] as { rope_theta: number }).rope_theta,
    ...(modelType === "mistral" ? { "llama.attention.sliding_window": raw["sliding_window"] as number } : {}),
  };
}

/** Llama 3.1's scaling by 8 as llama.cpp's converter has it. */
function listRopeFactors(half: number, theta: number, original: number): number[] {
  return Array.from({ length: half }, (_, i) => {
    const wavelength = 2 * Math.PI * theta ** (i / half);
    if (wavelength < original / 4) return 1;
    if (wavelength > original) return 8;
    const smooth = (original / wavelength - 1) / 3;
    return 1 / ((1 - smooth) / 8 + smooth);
  });
}

let count = 0;
async function write(metadata: MetadataToWrite, tensors: readonly GgufTensorToWrite[]): Promise<string> {
  const path = join(root, `${count++}.gguf`);
  await writeFile(path, formatGguf({ metadata, tensors }));
  return path;
}

async function convert(name: string, more: MetadataToWrite = {}): Promise<string> {
  const model = await loadModel(join(fixtures, name), backend);
  const tensors = listTensors(model);
  const rope = model.config.raw["rope_parameters"] as { rope_type: string; rope_theta: number } | undefined;
  if (rope?.rope_type === "llama3") {
    // This fixture's scaling begins at 32 positions.
    const half = model.config.headDim / 2;
    tensors.push({ name: "rope_freqs.weight", shape: [half], data: f32Bytes(listRopeFactors(half, rope.rope_theta, 32)) });
    more = { "llama.rope.scaling.original_context_length": 32, ...more };
  }
  const path = await write({ ...formatMetadata(model), ...more }, tensors);
  freeModel(model);
  return path;
}

describe("each architecture", () => {
  test.each(["llama", "mistral", "qwen2", "qwen3", "gpt2", "stories260K"])(
    "%s: the same weights and settings as its folder",
    async (name) => {
      const original = await loadModel(join(fixtures, name), backend);
      const model = await loadModel(await convert(name), backend);
      expect([...model.parameters.keys()].sort()).toEqual([...original.parameters.keys()].sort());
      for (const [parameter, buffer] of original.parameters) expect(model.parameters.get(parameter)!.host, parameter).toEqual(buffer.host);
      // Everything but what was read, and the spread of fresh weights, which the file does not hold.
      const settings = ({ config }: LanguageModel) => ({ ...config, raw: undefined, initializerRange: undefined });
      expect(settings(model)).toEqual(settings(original));
      freeModel(original);
      freeModel(model);
    },
  );
});

test("saved, it is a whole Hugging Face folder", async () => {
  const template = "{{ messages[0].content }}";
  const path = await convert("mistral", {
    ...tokenizerMetadata(join(fixtures, "mistral"), "llama"),
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.eot_token_id": 5,
    "tokenizer.chat_template": template,
    "general.sampling.temp": 0.7,
  });
  const model = await loadModel(path, backend);
  const folder = join(root, "saved");
  await mkdir(folder);
  await saveModel(model, folder);
  expect((await readdir(folder)).sort()).toEqual([
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
  ]);
  const generation = { bos_token_id: 1, eos_token_id: [2, 5], do_sample: true, temperature: 0.7 };
  expect(JSON.parse(await readFile(join(folder, "generation_config.json"), "utf8"))).toEqual(generation);
  expect(await readGgufGenerationConfig(path)).toEqual(generation);
  expect(await readModelConfig(folder)).toMatchObject({
    architectures: ["MistralForCausalLM"],
    model_type: "mistral",
    sliding_window: 8,
    eos_token_id: 2,
  });
  const again = await loadModel(folder, backend);
  for (const [parameter, buffer] of model.parameters) expect(again.parameters.get(parameter)!.host).toEqual(buffer.host);
  expect((await loadTokenizer(folder)).encode("Hello there")).toEqual((await loadTokenizer(path)).encode("Hello there"));
  freeModel(model);
  freeModel(again);
});

test("a score head on a model of this kind", async () => {
  const model = await loadModel(await convert("llama"), backend, { head: "score", seed: 1 });
  expect(model.parameters.get("score.weight")!.shape).toEqual([1, model.config.hiddenSize]);
  freeModel(model);
});

describe("rope", () => {
  const read = async (more: MetadataToWrite, tensors: GgufTensorToWrite[] = []) => {
    const model = await loadModel(join(fixtures, "llama"), backend);
    const path = await write({ ...formatMetadata(model), "llama.rope.freq_base": 500000, ...more }, [...listTensors(model), ...tensors]);
    const half = model.config.headDim / 2;
    freeModel(model);
    return { config: readModelConfig(path), half, path };
  };

  test("linear scaling; others are refused by name", async () => {
    const linear = await read({ "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4 });
    expect((await linear.config)["rope_parameters"]).toEqual({ rope_theta: 500000, rope_type: "linear", factor: 4 });
    await expect((await read({ "llama.rope.scaling.type": "yarn" })).config).rejects.toMatchObject({
      code: "model/unsupported",
      message: expect.stringMatching(/rope scaling "yarn"/),
    });
    await expect((await read({ "llama.rope.dimension_count": 4 })).config).rejects.toThrow(/rotation of 4 of/);
  });

  test("Llama 3.1's factors become its settings; others are refused", async () => {
    const { half } = await read({});
    const factors = listRopeFactors(half, 500000, 8192);
    expect(Math.max(...factors)).toBe(8);
    const found = await read({}, [{ name: "rope_freqs.weight", shape: [half], data: f32Bytes(factors) }]);
    expect((await found.config)["rope_parameters"]).toEqual({
      rope_theta: 500000,
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    });
    freeModel(await loadModel(found.path, backend));
    const other = await read({}, [{ name: "rope_freqs.weight", shape: [half], data: f32Bytes(factors.map((f, i) => (i ? f : 3))) }]);
    await expect(other.config).rejects.toThrow(/rope_freqs.weight/);
  });
});

describe("what does not fit", () => {
  test("architectures, settings and tensors, by name", async () => {
    const model = await loadModel(join(fixtures, "llama"), backend);
    const [metadata, tensors] = [formatMetadata(model), listTensors(model)];
    freeModel(model);
    const load = async (more: MetadataToWrite, list = tensors) => loadModel(await write({ ...metadata, ...more }, list), backend);
    await expect(load({ "general.architecture": "gemma3" })).rejects.toMatchObject({
      code: "model/unsupported",
      message: expect.stringMatching(/"gemma3" is not supported; expected one of llama/),
    });
    await expect(load({ "llama.expert_count": 8 })).rejects.toThrow(/mixture of experts/);
    await expect(load({ "llama.block_count": 0 })).rejects.toMatchObject({
      code: "model/config-invalid",
      message: expect.stringMatching(/llama.block_count should be a positive number/),
    });
    await expect(
      load(
        {},
        tensors.filter(({ name }) => name !== "blk.1.ffn_up.weight"),
      ),
    ).rejects.toMatchObject({
      code: "model/weights-mismatch",
      message: expect.stringMatching(/"model.layers.1.mlp.up_proj.weight" is missing/),
    });
    await expect(load({}, [...tensors, { name: "blk.0.ffn_odd.weight", shape: [1], data: f32Bytes([1]) }])).rejects.toThrow(
      /"blk.0.ffn_odd.weight" is not part of this model/,
    );
    await expect(load({ "llama.feed_forward_length": 16 })).rejects.toThrow(/expected \[16, /);
  });

  test("a folder with such a name is a folder", async () => {
    const folder = join(root, "folder.gguf");
    await cp(join(fixtures, "llama"), folder, { recursive: true });
    expect(await readModelConfig(folder)).toMatchObject({ model_type: "llama" });
    freeModel(await loadModel(folder, backend));
    expect((await loadTokenizer(folder)).vocabSize).toBeGreaterThan(0);
  });

  test("a file that is not there", async () => {
    await expect(readModelConfig(join(root, "nowhere.gguf"))).rejects.toMatchObject({ code: "file/not-found" });
  });
});
