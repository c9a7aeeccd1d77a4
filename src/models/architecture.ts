/** What a model file provides: one file an architecture, named as Hugging Face's `model_type`. */
import type { Parameters, Sequence } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** config.json as it was read; keys are Hugging Face's. */
export type RawConfig = { readonly [key: string]: unknown };

/** The sizes everybody needs; an architecture's own settings stay in its file. */
export interface ModelConfig {
  readonly modelType: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly maxPositions: number;
  /** Positions are rows of a table, so there is none beyond the last; absent: they are computed. */
  readonly hasPositionTable?: boolean;
  readonly tieWordEmbeddings: boolean;
  readonly raw: RawConfig;
}

export interface Architecture<C extends ModelConfig = ModelConfig> {
  /** Reads and checks config.json; throws `model/unsupported` naming the key. */
  parseConfig(raw: RawConfig): C;
  /** Embedding, blocks and last norm: hidden states [N, C]. `block` wraps each block (for recomputation). */
  trunk(config: C, p: Parameters, sequence: Sequence, block: <T>(body: () => T) => T): Tensor;
  /** hidden [M, C] → logits [M, V] */
  head(config: C, p: Parameters, hidden: Tensor): Tensor;
  /** The layer that a parameter belongs to: its index, −1 for what comes before the blocks, `layers` for what comes after. */
  layerOf(config: C, name: string): number;
  /** Maps the names of foreign checkpoints on ours; undefined drops the tensor. */
  sanitizeName(name: string): string | undefined;
  /** Standard deviation of fresh weights (0 = zeros, "ones" for gains), for pretraining from a config alone. */
  initial(config: C, name: string): number | "ones";
}
