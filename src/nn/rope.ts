/** Rotary position embedding (Su et al. 2021, arXiv 2104.09864), half-split as Hugging Face lays it out. */
import { SparError } from "../internal/errors.ts";
import { cast, constant, cos, mul, reshape, sin, type Tensor } from "../tensor/index.ts";

export interface RopeConfig {
  readonly theta: number;
  readonly scaling: RopeScaling;
}

export type RopeScaling =
  | { readonly type: "default" }
  | { readonly type: "linear"; readonly factor: number }
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositions: number;
    };

/** Angular speed of each of the D/2 rotations, in radians a position. */
export function ropeFrequencies({ theta, scaling }: RopeConfig, headDim: number): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, i) => {
    const frequency = 1 / theta ** ((2 * i) / headDim);
    if (scaling.type === "default") return frequency;
    if (scaling.type === "linear") return frequency / scaling.factor;
    // Llama 3.1: long waves are slowed by `factor`, short ones kept, those between blended.
    const wavelength = (2 * Math.PI) / frequency;
    const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
    if (wavelength < originalMaxPositions / highFreqFactor) return frequency;
    if (wavelength > originalMaxPositions / lowFreqFactor) return frequency / factor;
    const blend = (originalMaxPositions / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return (1 - blend) * (frequency / factor) + blend * frequency;
  });
}

/** cos and sin [B, T, D/2] of the angles at positions [B, T]. */
export function ropeTables(rope: RopeConfig, headDim: number, positions: Tensor): { cos: Tensor; sin: Tensor } {
  const frequencies = constant(ropeFrequencies(rope, headDim), [headDim / 2]);
  const angles = mul(reshape(cast(positions, "float32"), [...positions.shape, 1]), frequencies);
  return { cos: cos(angles), sin: sin(angles) };
}

type RawRope = {
  rope_type?: string;
  type?: string;
  rope_theta?: number;
  factor?: number;
  low_freq_factor?: number;
  high_freq_factor?: number;
  original_max_position_embeddings?: number;
};

/** Reads `rope_parameters` (Transformers 5) or `rope_theta` and `rope_scaling` (before). */
export function parseRope(config: { readonly [key: string]: unknown }): RopeConfig {
  const raw = (config["rope_parameters"] ?? config["rope_scaling"] ?? {}) as RawRope;
  const theta = raw.rope_theta ?? (config["rope_theta"] as number | undefined) ?? 10000;
  const type = raw.rope_type ?? raw.type ?? "default";
  if (type === "default") return { theta, scaling: { type } };
  if (type === "linear" && raw.factor !== undefined) return { theta, scaling: { type, factor: raw.factor } };
  if (type === "llama3" && raw.factor !== undefined) {
    return {
      theta,
      scaling: {
        type,
        factor: raw.factor,
        lowFreqFactor: raw.low_freq_factor ?? 1,
        highFreqFactor: raw.high_freq_factor ?? 4,
        originalMaxPositions: raw.original_max_position_embeddings ?? 8192,
      },
    };
  }
  throw new SparError("model/unsupported", `config.json: rope type "${type}" is not supported; expected default, linear or llama3`);
}
