/**
 * How a model's attention layers see their sequence: whole sequences at once (training, scoring, prefill),
 * or one new position against a cache (decoding). A model is written once, against `Sequence`.
 */
import { attention, cachedAttention, cast, input, less, reshape, sub, transpose, where, type Tensor } from "../tensor/index.ts";

export interface AttendOptions {
  readonly layer: number;
  readonly scale: number;
  /** Sliding window in positions: a token sees itself and the window − 1 before it. */
  readonly window: number | undefined;
}

export interface Sequence {
  /** Rows are batch-major: row b·T + t. */
  readonly batch: number;
  readonly time: number;
  /** int32 [B, T] */
  readonly ids: Tensor;
  /** int32 [B, T] */
  readonly positions: Tensor;
  /** [N, H·D] → [B, H, T, D] */
  split(x: Tensor, heads: number): Tensor;
  /** q [B, H, T, D], k and v [B, Hkv, T, D] → [N, H·D] */
  attend(q: Tensor, k: Tensor, v: Tensor, options: AttendOptions): Tensor;
}

/** Added to the score of what may not be seen. */
export const masked = -1e30;

function splitHeads(x: Tensor, batch: number, time: number, heads: number): Tensor {
  const width = x.shape[1] / heads;
  // With one position the transpose would move nothing.
  if (time === 1) return reshape(x, [batch, heads, 1, width]);
  return transpose(reshape(x, [batch, time, heads, width]), [0, 2, 1, 3]);
}

function mergeHeads(x: Tensor): Tensor {
  const [batch, heads, time, width] = x.shape;
  return reshape(time === 1 ? x : transpose(x, [0, 2, 1, 3]), [batch * time, heads * width]);
}

/**
 * Whole sequences. Graph inputs: `ids`, `positions` int32 [B, T] and `bias` float [B, 1, T, T] (0 where the
 * row's token may see the column's, `masked` elsewhere). `keys` and `values` collect what each layer would cache.
 */
export function createFullSequence(batch: number, time: number): Sequence & { readonly keys: Tensor[]; readonly values: Tensor[] } {
  const ids = input("ids", "int32", [batch, time]);
  const positions = input("positions", "int32", [batch, time]);
  const bias = input("bias", "float32", [batch, 1, time, time]);
  const keys: Tensor[] = [];
  const values: Tensor[] = [];
  const windowed = new Map<number, Tensor>();
  const biasFor = (window: number | undefined): Tensor => {
    if (window === undefined) return bias;
    const known = windowed.get(window);
    if (known !== undefined) return known;
    const at = cast(positions, "float32");
    const distance = sub(reshape(at, [batch, 1, time, 1]), reshape(at, [batch, 1, 1, time]));
    const result = where(less(distance, window), bias, masked);
    windowed.set(window, result);
    return result;
  };
  return {
    batch,
    time,
    ids,
    positions,
    keys,
    values,
    split: (x, heads) => splitHeads(x, batch, time, heads),
    attend(q, k, v, { layer, scale, window }) {
      keys[layer] = k;
      values[layer] = v;
      return mergeHeads(attention(q, k, v, biasFor(window), scale));
    },
  };
}

/**
 * One new position a row. Graph inputs: `ids` and `positions` int32 [B, 1] (a row's position is also how many
 * tokens its cache holds) and `cache.L.key`, `cache.L.value` [B, Hkv, S, D]; `caches` collects the updated ones,
 * to be bound over the inputs.
 */
export function createDecodingSequence(batch: number, capacity: number): Sequence & { readonly caches: Map<string, Tensor> } {
  const ids = input("ids", "int32", [batch, 1]);
  const positions = input("positions", "int32", [batch, 1]);
  const lengths = reshape(positions, [batch]);
  const caches = new Map<string, Tensor>();
  return {
    batch,
    time: 1,
    ids,
    positions,
    caches,
    split: (x, heads) => splitHeads(x, batch, 1, heads),
    attend(q, k, v, { layer, scale, window }) {
      const [, heads, , width] = q.shape;
      const kvHeads = k.shape[1];
      const flat = (x: Tensor): Tensor => reshape(x, [batch, 1, x.shape[1] * width]);
      const cache = (name: string): Tensor => input(`cache.${layer}.${name}`, "float32", [batch, kvHeads, capacity, width]);
      const { output, presentK, presentV } = cachedAttention(flat(q), flat(k), flat(v), cache("key"), cache("value"), lengths, {
        heads,
        kvHeads,
        scale,
        window: window ?? -1,
      });
      caches.set(`cache.${layer}.key`, presentK).set(`cache.${layer}.value`, presentV);
      return reshape(output, [batch, heads * width]);
    },
  };
}
