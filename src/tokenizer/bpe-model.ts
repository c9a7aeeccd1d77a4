import { SparError } from "../internal/errors.ts";
import { BYTE_TO_CHAR, copyString } from "./byte-level.ts";
import type { ModelJson } from "./tokenizer-json.ts";

/**
 * Byte-pair encoding on integer ids. The library's own model keeps pairs as JSON text and merges whole texts where
 * a tokenizer has no pre-tokenizer; on long texts this one is far faster, and it remembers words.
 */
export type BPEModel = {
  /** Appends the ids of one pre-token to `out`. */
  encodeWord(word: string, out: number[]): void;
  /** True when no token ends one word and begins the next at `boundary`, so that text may be cut before it. */
  canSplitBefore(boundary: string): boolean;
};

/** Words kept; when full, all are dropped: simpler than an LRU list, and as fast on natural text. */
const CACHE_WORDS = 1 << 17;
const CACHE_WORD_LENGTH = 128;
/** Up to this length, scanning for the best pair beats a heap. */
const SCAN_LENGTH = 32;
const PAIR_BASE = 2 ** 26;

const encoder = new TextEncoder();

/** @param bytes whether words are UTF-8 bytes written in GPT-2's alphabet (byte-level), or characters */
export function createBPEModel(json: ModelJson, bytes: boolean): BPEModel {
  const vocab = parseVocab(json);
  const { ranks, results } = parseMerges(json, vocab);
  const unkId = json.unk_token == null ? undefined : vocab.get(json.unk_token);
  const byteIds = BYTE_TO_CHAR.map((char) => vocab.get(char));
  const fallbackIds = json.byte_fallback
    ? Array.from({ length: 256 }, (_, byte) => vocab.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`))
    : undefined;
  const cache = new Map<string, number[]>();

  /** First ids, before merging: a byte or character each, then byte fallback, then the unknown token. */
  function listSymbols(word: string): number[] {
    const symbols: number[] = [];
    let unknownBefore = false;
    const addUnknown = () => {
      if (unkId !== undefined && !(json.fuse_unk && unknownBefore)) symbols.push(unkId);
      unknownBefore = true;
    };
    if (bytes) {
      for (const byte of encoder.encode(word)) {
        const id = byteIds[byte];
        if (id === undefined) addUnknown();
        else {
          symbols.push(id);
          unknownBefore = false;
        }
      }
      return symbols;
    }
    for (const char of word) {
      const id = vocab.get(char);
      const fallback = id === undefined && fallbackIds ? Array.from(encoder.encode(char), (byte) => fallbackIds[byte]) : undefined;
      if (id !== undefined) symbols.push(id);
      else if (fallback?.every((id) => id !== undefined)) symbols.push(...(fallback as number[]));
      else {
        addUnknown();
        continue;
      }
      unknownBefore = false;
    }
    return symbols;
  }

  function encodeNew(word: string): number[] {
    if (json.ignore_merges) {
      const whole = vocab.get(bytes ? Array.from(encoder.encode(word), (byte) => BYTE_TO_CHAR[byte]).join("") : word);
      if (whole !== undefined) return [whole];
    }
    const symbols = listSymbols(word);
    return symbols.length <= SCAN_LENGTH ? mergeByScanning(symbols, ranks, results) : mergeByHeap(symbols, ranks, results);
  }

  return {
    encodeWord(word, out) {
      let ids = cache.get(word);
      if (ids === undefined) {
        ids = encodeNew(word);
        if (word.length <= CACHE_WORD_LENGTH) {
          if (cache.size >= CACHE_WORDS) cache.clear();
          cache.set(copyString(word), ids);
        }
      }
      for (let i = 0; i < ids.length; i++) out.push(ids[i]!);
    },
    canSplitBefore(boundary) {
      if (!vocab.has(boundary)) return false;
      for (const token of vocab.keys()) {
        for (let at = token.indexOf(boundary, 1); at > 0; at = token.indexOf(boundary, at + 1))
          if (!token.startsWith(boundary, at - boundary.length)) return false;
      }
      return true;
    },
  };
}

function parseVocab(json: ModelJson): Map<string, number> {
  const { vocab } = json;
  if (typeof vocab !== "object" || vocab === null || Array.isArray(vocab)) throw refuseModel("its vocab is not an object of token to id");
  const map = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!Number.isInteger(id) || id < 0 || id >= PAIR_BASE) throw refuseModel(`token ${JSON.stringify(token)} has id ${String(id)}`);
    map.set(token, id as number);
  }
  return map;
}

function parseMerges(json: ModelJson, vocab: Map<string, number>): { ranks: Map<number, number>; results: number[] } {
  const ranks = new Map<number, number>();
  const results: number[] = [];
  for (const [rank, merge] of (json.merges ?? []).entries()) {
    const space = typeof merge === "string" ? merge.indexOf(" ", 1) : 0;
    const [left, right] = typeof merge === "string" ? [merge.slice(0, space), merge.slice(space + 1)] : merge;
    const [a, b, result] = [vocab.get(left), vocab.get(right), vocab.get(left + right)];
    if (a === undefined || b === undefined || result === undefined)
      throw refuseModel(`merge ${rank} (${JSON.stringify(merge)}) names tokens that are not in the vocabulary`);
    ranks.set(a * PAIR_BASE + b, rank);
    results.push(result);
  }
  return { ranks, results };
}

function refuseModel(reason: string): SparError {
  return new SparError("tokenizer/malformed", `Reading tokenizer.json: the BPE model is damaged: ${reason}.`, {
    hint: "Download or export the tokenizer again.",
  });
}

function mergeByScanning(symbols: number[], ranks: Map<number, number>, results: number[]): number[] {
  for (;;) {
    let best = Infinity;
    let at = -1;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const rank = ranks.get(symbols[i]! * PAIR_BASE + symbols[i + 1]!);
      if (rank !== undefined && rank < best) {
        best = rank;
        at = i;
      }
    }
    if (at < 0) return symbols;
    symbols[at] = results[best]!;
    symbols.splice(at + 1, 1);
  }
}

/** The same merges in the same order (lowest rank, then leftmost) in O(n log n), for words of any length. */
function mergeByHeap(symbols: number[], ranks: Map<number, number>, results: number[]): number[] {
  const n = symbols.length;
  const next = Int32Array.from({ length: n }, (_, i) => (i + 1 < n ? i + 1 : -1));
  const previous = Int32Array.from({ length: n }, (_, i) => i - 1);
  // One number orders the heap: rank × n + position. An entry is stale when the pair there has another rank now.
  const heap: number[] = [];
  const rankAt = (i: number): number | undefined => {
    const right = next[i]!;
    return right < 0 || symbols[i]! < 0 ? undefined : ranks.get(symbols[i]! * PAIR_BASE + symbols[right]!);
  };
  const push = (i: number) => {
    const rank = rankAt(i);
    if (rank !== undefined) pushHeap(heap, rank * n + i);
  };
  for (let i = 0; i < n; i++) push(i);
  while (heap.length > 0) {
    const top = popHeap(heap);
    const i = top % n;
    const rank = (top - i) / n;
    if (rankAt(i) !== rank) continue;
    const right = next[i]!;
    symbols[i] = results[rank]!;
    symbols[right] = -1;
    next[i] = next[right]!;
    if (next[i]! >= 0) previous[next[i]!] = i;
    push(i);
    if (previous[i]! >= 0) push(previous[i]!);
  }
  return symbols.filter((id) => id >= 0);
}

function pushHeap(heap: number[], value: number): void {
  let i = heap.length;
  heap.push(value);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (heap[parent]! <= value) break;
    heap[i] = heap[parent]!;
    i = parent;
  }
  heap[i] = value;
}

function popHeap(heap: number[]): number {
  const top = heap[0]!;
  const last = heap.pop()!;
  const n = heap.length;
  if (n === 0) return top;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= n) break;
    if (child + 1 < n && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= last) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = last;
  return top;
}
