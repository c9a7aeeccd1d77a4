/** Prompts at once: the logits after each, and the keys and values that decoding goes on from. */
import { batchRows, type LanguageModel } from "../models/index.ts";
import { createFullSequence, createParameters } from "../nn/index.ts";
import type { Backend, DeviceBuffer } from "../runtime/index.ts";
import { buildGraph, gather, input, type Graph, type Tensor } from "../tensor/index.ts";
import type { RowEnds } from "./decoder.ts";
import { cacheNames } from "./kv-cache.ts";

export interface Prefill {
  /** `ends`: of which prompt each row of the logits is the end; at most as many as the prefill was made for. */
  run(prompts: readonly ArrayLike<number>[], ends: readonly number[]): Promise<Prefilled>;
  release(): void;
}

export interface Prefilled {
  /** Of R prompts. */
  readonly ends: RowEnds;
  /** `cache.L.key` and `cache.L.value` [B, Hkv, T, D] */
  readonly caches: ReadonlyMap<string, DeviceBuffer>;
}

/**
 * B = `rows` prompts of up to T = `time` tokens, R = `ends` rows of logits. Weights are inputs, not constants: they are
 * used for many tokens at once, where packing them beforehand gains little, and they may change between runs.
 */
export async function createPrefill(model: LanguageModel, backend: Backend, rows: number, time: number, ends: number): Promise<Prefill> {
  const { parameters } = model;
  const graph = buildPrefillGraph(model, rows, time, ends);
  const executable = await backend.compile(graph, { label: `prefill ${rows}×${time}` });
  const buffers = new Map<string, DeviceBuffer>();
  for (const [name, type] of graph.inputs) if (!parameters.has(name)) buffers.set(name, backend.allocate(type));
  const outputs = new Map([...graph.outputs].map(([name, type]) => [name, backend.allocate(type)]));
  const { logits, states, ...caches } = Object.fromEntries(outputs);
  const prefilled: Prefilled = { ends: { logits, states }, caches: new Map(Object.entries(caches)) };
  const inputs = new Map([...parameters, ...buffers]);
  return {
    async run(prompts, wanted) {
      const batch = batchRows(
        prompts.map((ids) => ({ ids })),
        rows,
        time,
      );
      const flat = Int32Array.from({ length: ends }, (_, i) => (i < wanted.length ? wanted[i] * time + prompts[wanted[i]].length - 1 : 0));
      const data: { readonly [name: string]: Int32Array | Float32Array } = {
        ids: batch.ids,
        positions: batch.positions,
        bias: batch.bias,
        ends: flat,
      };
      for (const [name, buffer] of buffers) await backend.write(buffer, data[name]);
      await executable.run(inputs, outputs);
      return prefilled;
    },
    release() {
      executable.release();
      for (const buffer of [...buffers.values(), ...outputs.values()]) buffer.free();
    },
  };
}

function buildPrefillGraph({ architecture, config }: LanguageModel, rows: number, time: number, ends: number): Graph {
  const p = createParameters();
  const sequence = createFullSequence(rows, time);
  const hidden = architecture.trunk(config, p, sequence, (body) => body());
  const states = gather(hidden, input("ends", "int32", [ends]));
  const outputs: { [name: string]: Tensor } = { logits: architecture.head(config, p, states), states };
  for (let layer = 0; layer < config.layers; layer++) {
    const [key, value] = cacheNames(layer);
    outputs[key] = sequence.keys[layer];
    outputs[value] = sequence.values[layer];
  }
  return buildGraph(outputs);
}
