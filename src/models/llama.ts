/**
 * Llama (Touvron et al. 2023, arXiv 2302.13971) and the models that differ from it by configuration:
 * Mistral (sliding window), Qwen2 (bias on q, k, v), Qwen3 (norm of each head's q and k).
 */
import { SparError } from "../internal/errors.ts";
import { embedding, linear, parseRope, rmsNorm, ropeTables, type Parameters, type RopeConfig } from "../nn/index.ts";
import { add, linear as product, mul, reshape, rotary, silu, type Tensor } from "../tensor/index.ts";
import type { Architecture, ModelConfig, RawConfig } from "./architecture.ts";
import { readConfig } from "./read-config.ts";

interface LlamaConfig extends ModelConfig {
  readonly intermediateSize: number;
  readonly epsilon: number;
  readonly rope: RopeConfig;
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  readonly headNorm: boolean;
  /** Sliding window of each layer. */
  readonly windows: readonly (number | undefined)[];
  readonly initializerRange: number;
}

/** Mistral's window holds for all layers; Qwen lists its layers, or (older) switches it on from some layer. */
function parseWindows(raw: RawConfig, layers: number): (number | undefined)[] {
  const window = (raw["sliding_window"] ?? undefined) as number | undefined;
  const types = raw["layer_types"] as readonly string[] | undefined;
  const used = raw["model_type"] === "mistral" || raw["use_sliding_window"] === true;
  return Array.from({ length: layers }, (_, layer) => {
    if (types !== undefined) return types[layer] === "sliding_attention" ? window : undefined;
    if (!used || raw["model_type"] === "llama") return undefined;
    return raw["model_type"] === "mistral" || layer >= ((raw["max_window_layers"] as number | undefined) ?? 0) ? window : undefined;
  });
}

export const llama: Architecture<LlamaConfig> = {
  parseConfig(raw) {
    const read = readConfig(raw);
    const modelType = read.text("model_type", "llama");
    const hiddenSize = read.size("hidden_size");
    const layers = read.size("num_hidden_layers");
    const heads = read.size("num_attention_heads");
    const activation = read.text("hidden_act", "silu");
    if (activation !== "silu")
      throw new SparError("model/unsupported", `config.json: hidden_act "${activation}" is not supported; expected silu`);
    return {
      modelType,
      vocabSize: read.size("vocab_size"),
      hiddenSize,
      layers,
      heads,
      kvHeads: read.divisor("num_key_value_heads", heads, heads),
      headDim: read.size("head_dim", hiddenSize / heads),
      maxPositions: read.size("max_position_embeddings", 2048),
      tieWordEmbeddings: read.flag("tie_word_embeddings", false),
      raw,
      intermediateSize: read.size("intermediate_size"),
      epsilon: read.number("rms_norm_eps", 1e-6),
      rope: parseRope(raw),
      qkvBias: modelType === "qwen2" || read.flag("attention_bias", false),
      outputBias: modelType !== "qwen2" && read.flag("attention_bias", false),
      mlpBias: read.flag("mlp_bias", false),
      headNorm: modelType === "qwen3",
      windows: parseWindows(raw, layers),
      initializerRange: read.number("initializer_range", 0.02),
    };
  },

  trunk(config, p, sequence, block) {
    const { batch, time } = sequence;
    const { heads, kvHeads, headDim, epsilon, hiddenSize: C } = config;
    const root = p.in("model");
    const { cos, sin } = ropeTables(config.rope, headDim, sequence.positions);
    const projected = (scope: Parameters, name: string, x: Tensor, count: number): Tensor => {
      const heads = sequence.split(linear(scope.in(`${name}_proj`), x, count * headDim, { bias: config.qkvBias }), count);
      if (name === "v") return heads;
      return rotary(config.headNorm ? rmsNorm(scope.in(`${name}_norm`), heads, epsilon) : heads, cos, sin);
    };

    let x = reshape(embedding(root.in("embed_tokens"), sequence.ids, config.vocabSize, C), [batch * time, C]);
    for (let layer = 0; layer < config.layers; layer++) {
      x = block(() => {
        const scope = root.in(`layers.${layer}`);
        const attn = scope.in("self_attn");
        const normed = rmsNorm(scope.in("input_layernorm"), x, epsilon);
        const [q, k, v] = [
          projected(attn, "q", normed, heads),
          projected(attn, "k", normed, kvHeads),
          projected(attn, "v", normed, kvHeads),
        ];
        const attended = sequence.attend(q, k, v, { layer, scale: 1 / Math.sqrt(headDim), window: config.windows[layer] });
        const middle = add(x, linear(attn.in("o_proj"), attended, C, { bias: config.outputBias }));
        const mlp = scope.in("mlp");
        const inner = rmsNorm(scope.in("post_attention_layernorm"), middle, epsilon);
        const bias = { bias: config.mlpBias };
        const gate = silu(linear(mlp.in("gate_proj"), inner, config.intermediateSize, bias));
        const wide = mul(gate, linear(mlp.in("up_proj"), inner, config.intermediateSize, bias));
        return add(middle, linear(mlp.in("down_proj"), wide, C, bias));
      });
    }
    return rmsNorm(root.in("norm"), x, epsilon);
  },

  head: (config, p, hidden) =>
    product(
      hidden,
      p.get(config.tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight", [config.vocabSize, config.hiddenSize]),
      undefined,
      { transW: true },
    ),

  layerOf(config, name) {
    const layer = /^model\.layers\.(\d+)\./.exec(name);
    return layer !== null ? Number(layer[1]) : name.startsWith("model.embed_tokens.") ? -1 : config.layers;
  },

  // Old checkpoints carry the rotary frequencies as a buffer.
  sanitizeName: (name) => (name.endsWith(".rotary_emb.inv_freq") ? undefined : name),

  initial(config, name) {
    if (name.endsWith(".bias")) return 0;
    return name.endsWith("norm.weight") ? "ones" : config.initializerRange;
  },
};
