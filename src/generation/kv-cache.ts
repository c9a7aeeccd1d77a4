/** Keys and values of what every row of a batch has seen: for each layer two buffers [B, Hkv, S, D]. */
import { SparError } from "../internal/errors.ts";
import type { ModelConfig } from "../models/index.ts";
import type { Backend, DeviceBuffer } from "../runtime/index.ts";

export interface KVCache {
  readonly batch: number;
  readonly capacity: number;
  /** `cache.L.key` and `cache.L.value`, as decoding graphs name them. */
  readonly buffers: ReadonlyMap<string, DeviceBuffer>;
  free(): void;
}

export function createCache(backend: Backend, config: ModelConfig, batch: number, capacity: number): KVCache {
  const buffers = new Map<string, DeviceBuffer>();
  const shape = [batch, config.kvHeads, capacity, config.headDim];
  try {
    for (let layer = 0; layer < config.layers; layer++) {
      for (const name of cacheNames(layer)) buffers.set(name, backend.allocate({ dtype: "float32", shape }));
    }
  } catch (error) {
    for (const buffer of buffers.values()) buffer.free();
    throw error;
  }
  return {
    batch,
    capacity,
    buffers,
    free: () => {
      for (const buffer of buffers.values()) buffer.free();
    },
  };
}

export function cacheNames(layer: number): [key: string, value: string] {
  return [`cache.${layer}.key`, `cache.${layer}.value`];
}

/** Copies the first `length` positions of a row of `from` ([B, Hkv, T, D] buffers of the caches' names) into a row of `to`. */
export function copyRow(from: ReadonlyMap<string, DeviceBuffer>, fromRow: number, to: KVCache, toRow: number, length: number): void {
  for (const [name, target] of to.buffers) {
    const source = from.get(name) as DeviceBuffer;
    const [, heads, time, width] = source.shape;
    const [values, onto] = [hostMemory(source), hostMemory(target)];
    for (let head = 0; head < heads; head++) {
      const start = (fromRow * heads + head) * time * width;
      onto.set(values.subarray(start, start + length * width), (toRow * heads + head) * to.capacity * width);
    }
  }
}

function hostMemory(buffer: DeviceBuffer): Float32Array {
  if (buffer.host === undefined)
    throw new SparError("generation/device", "Generation: copying caches needs a backend whose memory the host shares, as the CPU's");
  return buffer.host as Float32Array;
}
