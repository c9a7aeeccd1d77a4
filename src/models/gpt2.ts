/** GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks, fused QKV, GELU. */
import { SparError } from "../internal/errors.ts";
import { conv1d, embedding, layerNorm } from "../nn/index.ts";
import { add, gelu, linear, reshape, slice, type Tensor } from "../tensor/index.ts";
import type { Architecture, ModelConfig, RawConfig } from "./architecture.ts";
import { readConfig } from "./read-config.ts";

interface GPT2Config extends ModelConfig {
  readonly inner: number;
  readonly epsilon: number;
  readonly activation: "tanh" | "none";
  readonly initializerRange: number;
}

const activations: { readonly [name: string]: GPT2Config["activation"] } = { gelu_new: "tanh", gelu_pytorch_tanh: "tanh", gelu: "none" };

export const gpt2: Architecture<GPT2Config> = {
  parseConfig(raw: RawConfig) {
    const read = readConfig(raw);
    const hiddenSize = read.size("n_embd", 768);
    const heads = read.divisor("n_head", hiddenSize, 12);
    const name = read.text("activation_function", "gelu_new");
    const activation = activations[name];
    if (activation === undefined)
      throw new SparError(
        "model/unsupported",
        `config.json: activation_function "${name}" is not supported; expected ${Object.keys(activations).join(", ")}`,
      );
    if (read.flag("scale_attn_by_inverse_layer_idx", false))
      throw new SparError("model/unsupported", "config.json: scale_attn_by_inverse_layer_idx is not supported");
    return {
      modelType: "gpt2",
      vocabSize: read.size("vocab_size", 50257),
      hiddenSize,
      layers: read.size("n_layer", 12),
      heads,
      kvHeads: heads,
      headDim: hiddenSize / heads,
      maxPositions: read.size("n_positions", 1024),
      hasPositionTable: true,
      tieWordEmbeddings: read.flag("tie_word_embeddings", true),
      raw,
      inner: read.size("n_inner", 4 * hiddenSize),
      epsilon: read.number("layer_norm_epsilon", 1e-5),
      activation,
      initializerRange: read.number("initializer_range", 0.02),
    };
  },

  trunk(config, p, sequence, block) {
    const { batch, time } = sequence;
    const { hiddenSize: C, heads, headDim, epsilon } = config;
    const root = p.in("transformer");
    const tokens = embedding(root.in("wte"), sequence.ids, config.vocabSize, C);
    let x = reshape(add(tokens, embedding(root.in("wpe"), sequence.positions, config.maxPositions, C)), [batch * time, C]);
    for (let layer = 0; layer < config.layers; layer++) {
      x = block(() => {
        const scope = root.in(`h.${layer}`);
        const qkv = conv1d(scope.in("attn.c_attn"), layerNorm(scope.in("ln_1"), x, epsilon), 3 * C);
        const [q, k, v] = [0, 1, 2].map((i) => sequence.split(slice(qkv, 1, i * C, (i + 1) * C), heads));
        const attended = sequence.attend(q, k, v, { layer, scale: 1 / Math.sqrt(headDim), window: undefined });
        const middle = add(x, conv1d(scope.in("attn.c_proj"), attended, C));
        const wide = gelu(conv1d(scope.in("mlp.c_fc"), layerNorm(scope.in("ln_2"), middle, epsilon), config.inner), config.activation);
        return add(middle, conv1d(scope.in("mlp.c_proj"), wide, C));
      });
    }
    return layerNorm(root.in("ln_f"), x, epsilon);
  },

  head: (config, p, hidden): Tensor =>
    linear(
      hidden,
      config.tieWordEmbeddings
        ? p.get("transformer.wte.weight", [config.vocabSize, config.hiddenSize])
        : p.get("lm_head.weight", [config.vocabSize, config.hiddenSize]),
      undefined,
      {
        transW: true,
      },
    ),

  layerOf(config, name) {
    const layer = /^transformer\.h\.(\d+)\./.exec(name);
    return layer !== null ? Number(layer[1]) : /^transformer\.w[tp]e\./.test(name) ? -1 : config.layers;
  },

  // OpenAI's own checkpoint lacks the prefix and stores the causal mask as a tensor.
  sanitizeName(name) {
    if (/\.attn\.(masked_)?bias$/.test(name)) return undefined;
    return /^(wte|wpe|h|ln_f)\./.test(name) ? `transformer.${name}` : name;
  },

  initial(config, name) {
    if (name.endsWith(".bias")) return 0;
    if (/ln_(1|2|f)\.weight$/.test(name)) return "ones";
    // Residual projections are scaled down by the depth of the residual stream.
    return name.endsWith("c_proj.weight") ? config.initializerRange / Math.sqrt(2 * config.layers) : config.initializerRange;
  },
};
