/** A model in memory: what it is, and its parameters by the names they have in a checkpoint. */
import { Random } from "../internal/rng.ts";
import { createFullSequence, createParameters } from "../nn/index.ts";
import type { Backend, DeviceBuffer } from "../runtime/index.ts";
import { sizeOf, type Shape } from "../tensor/index.ts";
import type { Architecture, ModelConfig, RawConfig } from "./architecture.ts";
import { findArchitecture } from "./registry.ts";
import { scoreHead } from "./scalar-head.ts";

/** `lm`: next-token logits; `score`: one number a sequence. */
export type HeadKind = "lm" | "score";

export interface LanguageModel {
  readonly architecture: Architecture;
  readonly config: ModelConfig;
  readonly head: HeadKind;
  readonly parameters: ReadonlyMap<string, DeviceBuffer>;
  /** Where it was loaded from: its tokenizer files go along when it is saved. */
  readonly folder: string | undefined;
}

/** Names and shapes of all parameters, found by running the model's functions on a sequence of one token. */
export function parameterShapes(architecture: Architecture, config: ModelConfig, head: HeadKind): Map<string, Shape> {
  const p = createParameters();
  const hidden = architecture.trunk(config, p, createFullSequence(1, 1), (body) => body());
  if (head === "lm") architecture.head(config, p, hidden);
  else scoreHead(p, hidden);
  return new Map([...p.all].map(([name, tensor]) => [name, tensor.shape]));
}

/** Fresh weights from a config alone: normal with the architecture's deviations, the same for the same seed. */
export function initializeModel(raw: RawConfig, backend: Backend, { head = "lm", seed }: { head?: HeadKind; seed: number }): LanguageModel {
  const architecture = findArchitecture(raw, "model config");
  const config = architecture.parseConfig(raw);
  const random = new Random(seed);
  const parameters = new Map<string, DeviceBuffer>();
  for (const [name, shape] of parameterShapes(architecture, config, head)) {
    const buffer = backend.allocate({ dtype: "float32", shape });
    fillNormal(buffer, name === "score.weight" ? scoreDeviation(config) : architecture.initial(config, name), random);
    parameters.set(name, buffer);
  }
  return { architecture, config, head, parameters, folder: undefined };
}

/** 1/√(d+1): Stiennon et al. 2020 (arXiv 2009.01325), appendix B. */
export function scoreDeviation(config: ModelConfig): number {
  return 1 / Math.sqrt(config.hiddenSize + 1);
}

export function fillNormal(buffer: DeviceBuffer, deviation: number | "ones", random: Random): void {
  const data = buffer.host as Float32Array;
  if (deviation === "ones") data.fill(1);
  else if (deviation > 0) for (let i = 0; i < data.length; i++) data[i] = deviation * random.normal();
}

/** A second model with the same values: a frozen reference. */
export async function copyModel(model: LanguageModel, backend: Backend): Promise<LanguageModel> {
  const parameters = new Map<string, DeviceBuffer>();
  for (const [name, buffer] of model.parameters) {
    const copy = backend.allocate(buffer);
    await backend.write(copy, await backend.read(buffer));
    parameters.set(name, copy);
  }
  return { ...model, parameters };
}

export function freeModel(model: LanguageModel): void {
  for (const buffer of model.parameters.values()) buffer.free();
}

export function countParameters(model: LanguageModel): number {
  let count = 0;
  for (const buffer of model.parameters.values()) count += sizeOf(buffer.shape);
  return count;
}
