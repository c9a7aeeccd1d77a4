/** One decoding step of a batch: a token a row in, the state and logits that the next is drawn from out; the caches grow in place. */
import type { LanguageModel } from "../models/index.ts";
import { createDecodingSequence, createParameters } from "../nn/index.ts";
import type { Backend, DeviceBuffer } from "../runtime/index.ts";
import { buildGraph } from "../tensor/index.ts";
import type { KVCache } from "./kv-cache.ts";

/** Where rows have come to: what their next tokens are drawn from. */
export interface RowEnds {
  /** [B, V] */
  readonly logits: DeviceBuffer;
  /** [B, C]: the last norm's output, which the head reads. */
  readonly states: DeviceBuffer;
}

export interface Decoder {
  readonly batch: number;
  readonly capacity: number;
  /** @param ids one a row @param positions how many tokens each row's cache holds. What it returns is overwritten by the next step. */
  step(cache: KVCache, ids: Int32Array, positions: Int32Array): Promise<RowEnds>;
  release(): void;
}

/** `constants`: the weights are packed for this decoder and changes of them are not seen; otherwise they are read at every step. */
export async function createDecoder(
  model: LanguageModel,
  backend: Backend,
  batch: number,
  capacity: number,
  constants: boolean,
): Promise<Decoder> {
  const { architecture, config, parameters } = model;
  const p = createParameters();
  const sequence = createDecodingSequence(batch, capacity);
  const hidden = architecture.trunk(config, p, sequence, (body) => body());
  const graph = buildGraph({ logits: architecture.head(config, p, hidden), states: hidden, ...Object.fromEntries(sequence.caches) });
  const executable = await backend.compile(graph, {
    label: `decode ${batch}×${capacity}`,
    ...(constants ? { constants: parameters } : {}),
  });
  const ids = backend.allocate(sequence.ids);
  const positions = backend.allocate(sequence.positions);
  const ends: RowEnds = {
    logits: backend.allocate({ dtype: "float32", shape: [batch, config.vocabSize] }),
    states: backend.allocate({ dtype: "float32", shape: [batch, config.hiddenSize] }),
  };
  const fixed: [string, DeviceBuffer][] = [["ids", ids], ["positions", positions], ...(constants ? [] : parameters)];
  return {
    batch,
    capacity,
    async step(cache, tokens, lengths) {
      await backend.write(ids, tokens);
      await backend.write(positions, lengths);
      // The caches are bound over themselves: the kernel writes the new position only.
      await executable.run(new Map([...fixed, ...cache.buffers]), new Map([...Object.entries(ends), ...cache.buffers]));
      return ends;
    },
    release() {
      executable.release();
      for (const buffer of [ids, positions, ends.logits, ends.states]) buffer.free();
    },
  };
}
