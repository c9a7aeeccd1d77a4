/** A model's compiled graphs and caches by shape, kept between calls. */
import type { LanguageModel } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { createDecoder, type Decoder } from "./decoder.ts";
import { createCache, type KVCache } from "./kv-cache.ts";
import { createHostSampler, type HostSampler } from "./host-sampler.ts";
import { createPrefill, type Prefill } from "./prefill.ts";
import { createSampler, samplerKey, type Sampler } from "./sampler.ts";
import type { GenerationSettings } from "./settings.ts";

/** What it returns is valid until the next call of the same method. */
export interface Engine {
  decoder(batch: number, capacity: number): Promise<Decoder>;
  prefill(rows: number, time: number, ends: number): Promise<Prefill>;
  sampler(batch: number, settings: GenerationSettings): Promise<Sampler>;
  /** For rows that are sampled in different ways. */
  hostSampler(batch: number): Promise<HostSampler>;
  allocateCache(batch: number, capacity: number): KVCache;
  giveBackCache(cache: KVCache): void;
  /** Forgets what was packed of the weights, and the idle cache. */
  refresh(): void;
  release(): void;
}

/** A decoder holds a packed copy of the weights. */
const maxDecoders = 3;
const maxPrefills = 8;
const maxSamplers = 8;

export function createEngine(model: LanguageModel, backend: Backend): Engine {
  const decoders = createPool<Decoder>(maxDecoders);
  const prefills = createPool<Prefill>(maxPrefills);
  const samplers = createPool<Sampler>(maxSamplers);
  const hostSamplers = createPool<HostSampler>(maxSamplers);
  let idle: KVCache | undefined;
  const forget = (): void => {
    decoders.clear();
    idle?.free();
    idle = undefined;
  };
  return {
    decoder: (batch, capacity) => decoders.get(`${batch} ${capacity}`, () => createDecoder(model, backend, batch, capacity, true)),
    prefill: (rows, time, ends) => prefills.get(`${rows} ${time} ${ends}`, () => createPrefill(model, backend, rows, time, ends)),
    sampler: (batch, settings) =>
      samplers.get(samplerKey(batch, model.config.vocabSize, settings), () =>
        createSampler(backend, batch, model.config.vocabSize, settings),
      ),
    hostSampler: (batch) =>
      hostSamplers.get(String(batch), () => Promise.resolve(createHostSampler(backend, batch, model.config.vocabSize))),
    allocateCache(batch, capacity) {
      const known = idle;
      idle = undefined;
      if (known?.batch === batch && known.capacity === capacity) return known;
      known?.free();
      return createCache(backend, model.config, batch, capacity);
    },
    // What a cache held before is never read: a row sees only the positions that it has filled.
    giveBackCache(cache) {
      idle?.free();
      idle = cache;
    },
    refresh: forget,
    release() {
      forget();
      prefills.clear();
      samplers.clear();
      hostSamplers.clear();
    },
  };
}

interface Pool<T> {
  get(key: string, create: () => Promise<T>): Promise<T>;
  clear(): void;
}

/** The most recently used stay. */
function createPool<T extends { release(): void }>(limit: number): Pool<T> {
  const items = new Map<string, T>();
  return {
    async get(key, create) {
      let item = items.get(key);
      items.delete(key);
      while (items.size >= limit) {
        const [oldest, given] = [...items][0];
        items.delete(oldest);
        given.release();
      }
      item ??= await create();
      items.set(key, item);
      return item;
    },
    clear() {
      for (const item of items.values()) item.release();
      items.clear();
    },
  };
}
