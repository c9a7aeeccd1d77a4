/** The tensors of a GGUF file by Hugging Face's names and in its layout. */
import { openWeights, type WeightSource } from "../checkpoint/index.ts";
import type { RawConfig } from "./architecture.ts";

const llamaParts: { readonly [part: string]: string } = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};
const gpt2Parts: { readonly [part: string]: string } = {
  attn_norm: "ln_1",
  attn_qkv: "attn.c_attn",
  attn_output: "attn.c_proj",
  ffn_norm: "ln_2",
  ffn_up: "mlp.c_fc",
  ffn_down: "mlp.c_proj",
};

/** Hugging Face's name of a tensor; undefined where the model does not take it (rope factors are configuration). */
function translateName(name: string, isGpt2: boolean): string | undefined {
  const layer = /^blk\.(\d+)\.([a-z_]+)\.(weight|bias)$/.exec(name);
  if (layer !== null) {
    const part = (isGpt2 ? gpt2Parts : llamaParts)[layer[2]!];
    return part === undefined ? name : `${isGpt2 ? "transformer.h" : "model.layers"}.${layer[1]}.${part}.${layer[3]}`;
  }
  switch (name) {
    case "token_embd.weight":
      return isGpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight";
    case "position_embd.weight":
      return "transformer.wpe.weight";
    case "output.weight":
      return "lm_head.weight";
    case "output_norm.weight":
    case "output_norm.bias":
      return name.replace("output_norm", isGpt2 ? "transformer.ln_f" : "model.norm");
    case "rope_freqs.weight":
      return undefined;
    default:
      return name;
  }
}

/** How a tensor of the file becomes Hugging Face's. */
type Rearrange = { shape: readonly number[]; copy(from: Float32Array, to: Float32Array): void };

/**
 * Opens the file's weights under Hugging Face's names. Tensors whose layout differs pass through memory of their own,
 * one at a time: llama's q and k, whose rows llama.cpp pairs for its rotation, and GPT-2's matrices, which are transposed.
 */
export async function openGgufWeights(path: string, config: RawConfig): Promise<WeightSource> {
  const source = await openWeights(path);
  const isGpt2 = config["model_type"] === "gpt2";
  const isPaired = config["model_type"] === "llama" || config["model_type"] === "mistral";
  const names = new Map<string, string>();
  for (const original of source.names()) {
    const name = translateName(original, isGpt2);
    if (name !== undefined) names.set(name, original);
  }
  const find = (name: string): string => names.get(name) ?? name;
  const rearrange = (name: string): Rearrange | undefined => {
    const { shape } = source.info(find(name));
    if (isGpt2 && /\.c_(attn|proj|fc)\.weight$/.test(name) && shape.length === 2) return transpose(shape[0]!, shape[1]!);
    const heads = /\.q_proj\./.test(name)
      ? config["num_attention_heads"]
      : /\.k_proj\./.test(name)
        ? config["num_key_value_heads"]
        : undefined;
    return isPaired && typeof heads === "number" ? unpairRows(shape, heads) : undefined;
  };
  return {
    names: () => [...names.keys()],
    has: (name) => names.has(name),
    info: (name) => ({ ...source.info(find(name)), shape: rearrange(name)?.shape ?? source.info(find(name)).shape }),
    async readInto(name, target, options) {
      const change = rearrange(name);
      if (change === undefined) return source.readInto(find(name), target, options);
      const values = new Float32Array(target.length);
      await source.readInto(find(name), values, options);
      change.copy(values, target);
    },
    close: () => source.close(),
  };
}

function transpose(rows: number, columns: number): Rearrange {
  return {
    shape: [columns, rows],
    copy(from, to) {
      for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c]!;
    },
  };
}

/** Of a head's D rows, llama.cpp has row i of the first half beside row i of the second; Hugging Face has half after half. */
function unpairRows(shape: readonly number[], heads: number): Rearrange | undefined {
  const rows = shape[0]!;
  const width = shape[1] ?? 1;
  const half = rows / heads / 2;
  // A shape that does not fit is refused by its name when it is compared with the model's.
  if (!Number.isInteger(half)) return undefined;
  return {
    shape,
    copy(from, to) {
      for (let row = 0; row < rows; row++) {
        const within = row % (2 * half);
        const source = row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
        to.set(from.subarray(source * width, (source + 1) * width), row * width);
      }
    },
  };
}
