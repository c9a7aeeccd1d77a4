/** A GGUF file's metadata as config.json and generation_config.json, with Hugging Face's keys. */
import { SparError } from "../internal/errors.ts";
import type { GgufHeader, GgufValue } from "../internal/gguf-header.ts";
import { ropeFrequencies } from "../nn/index.ts";
import type { RawConfig } from "./architecture.ts";

type Reader = {
  number(key: string): number | undefined;
  /** A number, without which there is no model. */
  needed(key: string): number;
  value(key: string): GgufValue | undefined;
};

const architectures = ["llama", "qwen2", "qwen3", "gpt2"];
const classes: { readonly [type: string]: string } = {
  llama: "LlamaForCausalLM",
  mistral: "MistralForCausalLM",
  qwen2: "Qwen2ForCausalLM",
  qwen3: "Qwen3ForCausalLM",
  gpt2: "GPT2LMHeadModel",
};

/**
 * The configuration of the model in the file. Mistral is written as `llama` and told by its sliding window.
 * Throws `model/unsupported` for other architectures and for what spar does not compute, `model/config-invalid` for
 * keys that are missing.
 * @param ropeFactors values of the tensor "rope_freqs.weight", where there is one
 */
export function parseGgufConfig(header: GgufHeader, file: string, ropeFactors?: Float32Array): RawConfig {
  const architecture = header.metadata.get("general.architecture");
  if (typeof architecture !== "string" || !architectures.includes(architecture))
    throw new SparError(
      "model/unsupported",
      `${file}: the architecture ${JSON.stringify(architecture)} is not supported; expected one of ${architectures.join(", ")}`,
    );
  const read = createReader(header, architecture, file);
  const vocabulary = header.tensors.get("token_embd.weight")?.dims[1];
  if (vocabulary === undefined) throw new SparError("model/config-invalid", `${file}: there is no tensor "token_embd.weight"`);
  const common = {
    vocab_size: vocabulary,
    tie_word_embeddings: !header.tensors.has("output.weight"),
    dtype: "float32",
    ...readTokenIds(header),
  };
  if (architecture === "gpt2") {
    const hidden = read.needed("embedding_length");
    return {
      architectures: [classes["gpt2"]],
      model_type: "gpt2",
      n_embd: hidden,
      n_layer: read.needed("block_count"),
      n_head: read.needed("attention.head_count"),
      n_positions: read.needed("context_length"),
      n_inner: read.number("feed_forward_length") ?? 4 * hidden,
      layer_norm_epsilon: read.number("attention.layer_norm_epsilon") ?? 1e-5,
      activation_function: "gelu_new",
      ...common,
    };
  }
  const window = read.number("attention.sliding_window");
  const modelType = architecture === "llama" && window !== undefined && window > 0 ? "mistral" : architecture;
  const heads = read.needed("attention.head_count");
  const hidden = read.needed("embedding_length");
  const headDim = read.number("attention.key_length") ?? hidden / heads;
  checkSupported(read, headDim, file);
  return {
    architectures: [classes[modelType]],
    model_type: modelType,
    hidden_size: hidden,
    num_hidden_layers: read.needed("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: read.number("attention.head_count_kv") ?? heads,
    head_dim: headDim,
    intermediate_size: read.needed("feed_forward_length"),
    hidden_act: "silu",
    max_position_embeddings: read.needed("context_length"),
    rms_norm_eps: shorten(read.needed("attention.layer_norm_rms_epsilon")),
    rope_parameters: readRope(read, headDim, ropeFactors, file),
    ...(modelType === "mistral" ? { sliding_window: window } : {}),
    ...(modelType === "llama" || modelType === "qwen3" ? { attention_bias: header.tensors.has("blk.0.attn_q.bias") } : {}),
    ...(modelType === "llama" ? { mlp_bias: header.tensors.has("blk.0.ffn_up.bias") } : {}),
    ...common,
  };
}

/** End tokens, and sampling settings where the file has some. */
export function parseGgufGenerationConfig(header: GgufHeader): RawConfig {
  const { metadata } = header;
  const { eos_token_id: eos, ...ids } = readTokenIds(header);
  // The end of a turn is an end too where it is another token than the end of a text.
  const ends = [eos, metadata.get("tokenizer.ggml.eot_token_id")].filter((id): id is number => typeof id === "number");
  const sampling: { [key: string]: number } = {};
  for (const [key, name] of Object.entries({ temp: "temperature", top_k: "top_k", top_p: "top_p", min_p: "min_p" })) {
    const value = metadata.get(`general.sampling.${key}`);
    if (typeof value === "number") sampling[name] = shorten(value);
  }
  return {
    ...ids,
    ...(ends.length > 0 ? { eos_token_id: new Set(ends).size === 1 ? ends[0] : [...new Set(ends)] } : {}),
    ...(Object.keys(sampling).length > 0 ? { do_sample: true, ...sampling } : {}),
  };
}

function createReader({ metadata }: GgufHeader, architecture: string, file: string): Reader {
  const value = (key: string) => metadata.get(`${architecture}.${key}`);
  const number = (key: string) => {
    const found = value(key);
    if (found === undefined || typeof found === "number") return found;
    // Some converters write one entry for each layer, all alike.
    if (found instanceof Float64Array && found.length > 0 && found.every((entry) => entry === found[0])) return found[0];
    throw new SparError("model/config-invalid", `${file}: ${architecture}.${key} should be one number`);
  };
  const needed = (key: string) => {
    const found = number(key);
    if (found !== undefined && found > 0) return found;
    throw new SparError("model/config-invalid", `${file}: ${architecture}.${key} should be a positive number, got ${found ?? "nothing"}`);
  };
  return { value, number, needed };
}

function readTokenIds({ metadata }: GgufHeader): { [key: string]: number } {
  const tokens = metadata.get("tokenizer.ggml.tokens");
  const count = Array.isArray(tokens) ? tokens.length : Infinity;
  const ids: { [key: string]: number } = {};
  for (const [key, name] of Object.entries({ bos_token_id: "bos", eos_token_id: "eos", padding_token_id: "pad" })) {
    const id = metadata.get(`tokenizer.ggml.${key}`);
    if (typeof id === "number" && id < count) ids[`${name}_token_id`] = id;
  }
  return ids;
}

function checkSupported(read: Reader, headDim: number, file: string): void {
  const refuse = (what: string) => new SparError("model/unsupported", `${file}: ${what} is not supported`);
  if ((read.number("expert_count") ?? 0) > 0) throw refuse("a mixture of experts");
  const turned = read.number("rope.dimension_count");
  if (turned !== undefined && turned !== headDim) throw refuse(`a rotation of ${turned} of ${headDim} dimensions`);
  const values = read.number("attention.value_length");
  if (values !== undefined && values !== headDim) throw refuse(`a head with ${headDim} key and ${values} value dimensions`);
}

function readRope(read: Reader, headDim: number, ropeFactors: Float32Array | undefined, file: string): RawConfig {
  const theta = shorten(read.number("rope.freq_base") ?? 10000);
  if (ropeFactors !== undefined)
    return readLlama3Rope(theta, headDim, ropeFactors, read.number("rope.scaling.original_context_length") ?? 8192, file);
  const factor = read.number("rope.scaling.factor") ?? read.number("rope.scale_linear") ?? 1;
  const type = read.value("rope.scaling.type") ?? (factor === 1 ? "none" : "linear");
  if (type === "none") return { rope_theta: theta, rope_type: "default" };
  if (type === "linear") return { rope_theta: theta, rope_type: factor === 1 ? "default" : "linear", ...(factor === 1 ? {} : { factor }) };
  throw new SparError("model/unsupported", `${file}: rope scaling ${JSON.stringify(type)} is not supported; expected none or linear`);
}

/** Llama 3.1's scaling stands in the file as what it makes of each frequency; the settings are those of all its models. */
function readLlama3Rope(theta: number, headDim: number, factors: Float32Array, original: number, file: string): RawConfig {
  const settings = { factor: shorten(Math.max(...factors)), lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: original };
  const plain = ropeFrequencies({ theta, scaling: { type: "default" } }, headDim);
  const scaled = ropeFrequencies({ theta, scaling: { type: "llama3", ...settings } }, headDim);
  if (factors.length !== plain.length || factors.some((factor, i) => Math.abs((factor * scaled[i]!) / plain[i]! - 1) > 1e-4))
    throw new SparError("model/unsupported", `${file}: the rope factors in "rope_freqs.weight" are not those of Llama 3.1's scaling`);
  return {
    rope_theta: theta,
    rope_type: "llama3",
    factor: settings.factor,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: original,
  };
}

/** The shortest decimal that is this f32: 1e-5 and not 0.000009999999747378752. */
function shorten(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}
