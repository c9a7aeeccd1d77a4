/**
 * Models as others publish them: the checkpoints of SPIN and of self-rewarding training are Mistral and Llama models in
 * several bf16 shards with a SentencePiece tokenizer, and small ones come as GGUF. Here at small size, with random weights.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openWeights, saveWeights } from "../../src/checkpoint/index.ts";
import { startHubServer, type HubServer } from "../fixtures/hub-server.ts";
import { f32Bytes, formatGguf, tokenizerMetadata } from "../fixtures/write-gguf.ts";
import { createWorkplace, fixtures, type Workplace } from "../invariants/tiny-run.ts";
import { parseRows, runSpar } from "./spar.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const template =
  "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}" +
  "{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}";

let place: Workplace;
let server: HubServer;
let sharded: string;
/** The same values in one f32 file. */
let plain: string;
beforeAll(async () => {
  place = createWorkplace();
  [sharded, plain] = [place.path("sharded"), place.path("plain")];
  const original = await openWeights(join(fixtures, "models", "mistral"));
  const tensors = await Promise.all(
    original.names().map(async (name) => {
      const { shape } = original.info(name);
      const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
      await original.readInto(name, data);
      return { name, shape: [...shape], data };
    }),
  );
  await original.close();
  const bytes = tensors.reduce((sum, { data }) => sum + 2 * data.length, 0);
  for (const folder of [sharded, plain]) mkdirSync(folder);
  await saveWeights(sharded, tensors, { dtype: "BF16", maxShardBytes: Math.ceil(bytes / 2) + 40_000 });
  const rounded = await openWeights(sharded);
  for (const { name, data } of tensors) await rounded.readInto(name, data);
  await rounded.close();
  await saveWeights(plain, tensors);
  for (const folder of [sharded, plain]) writeCompanions(folder);
  server = await startHubServer({ models: { "someone/spin-iter1": sharded } });
});
afterAll(async () => {
  await server.close();
  place.remove();
});

/** With the keys and files of Transformers 4, in which such models were published. */
function writeCompanions(folder: string): void {
  const source = join(fixtures, "models", "mistral");
  const {
    rope_parameters: rope,
    dtype: _dtype,
    ...config
  } = JSON.parse(readFileSync(join(source, "config.json"), "utf8")) as {
    rope_parameters: { rope_theta: number };
    dtype: string;
  };
  const older = {
    ...config,
    rope_theta: rope.rope_theta,
    torch_dtype: "bfloat16",
    transformers_version: "4.35.2",
    _name_or_path: "data/zephyr",
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(older));
  cpSync(join(source, "tokenizer.json"), join(folder, "tokenizer.json"));
  const token = (content: string) => ({ content, lstrip: false, normalized: false, rstrip: false, single_word: false });
  const special = { bos_token: token("<s>"), eos_token: token("</s>"), unk_token: token("<unk>"), pad_token: token("</s>") };
  writeFileSync(join(folder, "special_tokens_map.json"), JSON.stringify(special));
  const settings = {
    added_tokens_decoder: { 0: token("<unk>"), 1: token("<s>"), 2: token("</s>") },
    bos_token: "<s>",
    eos_token: "</s>",
    unk_token: "<unk>",
    pad_token: "</s>",
    chat_template: template,
    legacy: true,
    tokenizer_class: "LlamaTokenizer",
    use_default_system_prompt: false,
  };
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(settings));
  writeFileSync(join(folder, "generation_config.json"), JSON.stringify({ _from_model_config: true, bos_token_id: 1, eos_token_id: 2 }));
  writeFileSync(join(folder, "tokenizer.model"), "not read");
  writeFileSync(join(folder, "README.md"), "# A model");
}

const question = "What did the film show?";
const greedy = ["--temperature", "0", "--max-new-tokens", "12"];

async function generate(model: string): Promise<{ [key: string]: unknown }> {
  const rows = place.writeRows("rows.jsonl", [{ messages: [{ role: "user", content: question }] }]);
  const { code, stdout, stderr } = await runSpar(["generate", "--model", model, "--prompts", rows, ...greedy, "--json"], {
    env: { HF_ENDPOINT: server.url, HF_HUB_CACHE: place.path("cache"), HF_HUB_OFFLINE: "" },
  });
  expect(code, stderr).toBe(0);
  return parseRows(stdout)[0] as { [key: string]: unknown };
}

test("two bf16 shards by hub id, by folder, and the same values in one file: the same answer", async () => {
  expect(readdirSync(sharded).filter((name) => name.endsWith(".safetensors"))).toEqual([
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
  ]);
  const expected = await generate(plain);
  expect((expected["completion_ids"] as number[]).length).toBeGreaterThan(0);
  expect((expected["prompt_ids"] as number[])[0]).toBe(1);
  expect((expected["prompt_ids"] as number[]).filter((id) => id === 1)).toHaveLength(1);
  expect(await generate(sharded)).toEqual(expected);
  expect(await generate("someone/spin-iter1")).toEqual(expected);
  const asked = server.requests.map(({ path }) => path.split("/").at(-1));
  expect(asked).toContain("model-00002-of-00002.safetensors");
  expect(asked).not.toContain("README.md");
});

test("chats, by hub id from the cache alone, with one turn after another", async () => {
  const expected = await generate(plain);
  const { code, stdout, stderr } = await runSpar(["chat", "--model", "someone/spin-iter1", ...greedy], {
    env: { HF_HUB_CACHE: place.path("cache"), HF_HUB_OFFLINE: "1" },
    input: `${question}\nAnd then?\n`,
  });
  expect(code, stderr).toBe(0);
  expect(stdout.startsWith(`${expected["completion"] as string}\n`)).toBe(true);
  expect(stdout.length).toBeGreaterThan((expected["completion"] as string).length + 1);
});

test("the same model as one .gguf file answers alike, is trained, and is saved as a folder", async () => {
  const config = JSON.parse(readFileSync(join(plain, "config.json"), "utf8")) as { [key: string]: number };
  const weights = await openWeights(plain);
  const renames: [string | RegExp, string][] = [
    ["model.embed_tokens.", "token_embd."],
    ["model.norm.", "output_norm."],
    ["lm_head.", "output."],
    ["model.layers.", "blk."],
    [".input_layernorm.", ".attn_norm."],
    [".post_attention_layernorm.", ".ffn_norm."],
    [/\.self_attn\.([qkv])_proj\./, ".attn_$1."],
    [".self_attn.o_proj.", ".attn_output."],
    [/\.mlp\.(gate|up|down)_proj\./, ".ffn_$1."],
  ];
  const tensors = [];
  for (const name of weights.names()) {
    const { shape } = weights.info(name);
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    await weights.readInto(name, data);
    const heads = name.includes("q_proj")
      ? config["num_attention_heads"]
      : name.includes("k_proj")
        ? config["num_key_value_heads"]
        : undefined;
    const values = heads === undefined ? data : pairRows(data, shape[0]!, heads);
    tensors.push({ name: renames.reduce((text, [from, to]) => text.replace(from, to), name), shape, data: f32Bytes(values) });
  }
  await weights.close();
  const path = place.path("model.gguf");
  const metadata = {
    "general.architecture": "llama",
    "llama.block_count": config["num_hidden_layers"]!,
    "llama.context_length": config["max_position_embeddings"]!,
    "llama.embedding_length": config["hidden_size"]!,
    "llama.feed_forward_length": config["intermediate_size"]!,
    "llama.attention.head_count": config["num_attention_heads"]!,
    "llama.attention.head_count_kv": config["num_key_value_heads"]!,
    "llama.attention.layer_norm_rms_epsilon": config["rms_norm_eps"]!,
    "llama.attention.sliding_window": config["sliding_window"]!,
    ...tokenizerMetadata(plain, "llama"),
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.chat_template": template,
  };
  writeFileSync(path, formatGguf({ metadata, tensors }));
  expect(await generate(path)).toEqual(await generate(plain));

  const data = place.writeRows("train.jsonl", [
    {
      messages: [
        { role: "user", content: question },
        { role: "assistant", content: "A dog." },
      ],
    },
    {
      messages: [
        { role: "user", content: "Was it good?" },
        { role: "assistant", content: "Yes." },
      ],
    },
  ]);
  const out = place.path("trained");
  const args = {
    model_name_or_path: path,
    dataset_name: data,
    output_dir: out,
    max_steps: "2",
    per_device_train_batch_size: "2",
    learning_rate: "1e-3",
  };
  const { code, stderr } = await runSpar(["sft", ...Object.entries(args).flatMap(([key, value]) => [`--${key}`, value])]);
  expect(code, stderr).toBe(0);
  for (const name of ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
    expect(readdirSync(out)).toContain(name);
  const trained = await generate(out);
  expect(trained["prompt_ids"]).toEqual((await generate(plain))["prompt_ids"]);
});

/** llama.cpp's order of q's and k's rows. */
function pairRows(data: Float32Array, rows: number, heads: number): Float32Array {
  const [width, half] = [data.length / rows, rows / heads / 2];
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const [head, within] = [Math.floor(row / (2 * half)), row % (2 * half)];
    const from = head * 2 * half + (within % 2) * half + Math.floor(within / 2);
    out.set(data.subarray(from * width, (from + 1) * width), row * width);
  }
  return out;
}
