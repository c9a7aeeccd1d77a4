import { SparError } from "../internal/errors.ts";
import { BYTE_TO_CHAR, copyString, GPT2_PATTERN } from "./byte-level.ts";
import type { ComponentJson, TokenizerJson } from "./tokenizer-json.ts";

export type BPETrainingOptions = {
  /** Tokens in all: special tokens, 256 bytes, merges. */
  vocabSize: number;
  /** Get the first ids, in this order. */
  specialTokens?: readonly string[];
  /** Pairs seen less often are not merged (default 2). */
  minFrequency?: number;
  /** One of the special tokens, put before every text by the tokenizer's post-processor. */
  bosToken?: string;
};

const PAIR_BASE = 2 ** 26;
const encoder = new TextEncoder();

/**
 * Trains a byte-level BPE tokenizer with GPT-2's word pattern (Sennrich et al. 2016; Radford et al. 2019) and returns
 * a tokenizer.json. Every byte has a token, so any text can be encoded. Deterministic: of equally frequent pairs the
 * one with the smaller ids is merged first, as in Hugging Face's trainer, whose merges these are.
 */
export async function trainBPE(texts: AsyncIterable<string> | Iterable<string>, options: BPETrainingOptions): Promise<TokenizerJson> {
  const { vocabSize, specialTokens = [], minFrequency = 2, bosToken } = options;
  const special = [...new Set(specialTokens)];
  if (!Number.isInteger(vocabSize) || vocabSize < 256 + special.length || vocabSize >= PAIR_BASE)
    throw new SparError(
      "tokenizer/vocab-size",
      `Training a tokenizer: vocab_size is ${vocabSize}; expected an integer of at least ${256 + special.length} (256 bytes and ${special.length} special tokens).`,
    );
  if (bosToken !== undefined && !special.includes(bosToken))
    throw new SparError(
      "tokenizer/special-token",
      `Training a tokenizer: the BOS token "${bosToken}" is not among the special tokens (${special.join(", ") || "none"}).`,
    );

  const counts = await countWords(texts);
  if (counts.size === 0)
    throw new SparError("tokenizer/empty", "Training a tokenizer: the texts are empty; expected some text.", {
      hint: "Check the dataset's text column.",
    });

  // Bytes in the order of their characters, as Hugging Face's trainer sorts its alphabet.
  const alphabet = [...BYTE_TO_CHAR].sort((a, b) => a.charCodeAt(0) - b.charCodeAt(0));
  const tokens = [...special, ...alphabet];
  const byteIds = BYTE_TO_CHAR.map((char) => special.length + alphabet.indexOf(char));
  const merges = learnMerges(counts, byteIds, tokens, vocabSize, minFrequency);
  return formatTokenizer(tokens, merges, special, bosToken);
}

async function countWords(texts: AsyncIterable<string> | Iterable<string>): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for await (const text of texts) {
    for (const [word] of text.matchAll(GPT2_PATTERN)) {
      const n = counts.get(word);
      counts.set(n === undefined ? copyString(word) : word, (n ?? 0) + 1);
    }
  }
  return counts;
}

type Word = { symbols: number[]; count: number };

/** Appends new tokens to `tokens` and returns the merges as pairs of ids. Only words that hold a pair are visited. */
function learnMerges(
  counts: Map<string, number>,
  byteIds: readonly number[],
  tokens: string[],
  vocabSize: number,
  minFrequency: number,
): [number, number][] {
  const words: Word[] = [];
  const pairCounts = new Map<number, number>();
  const pairWords = new Map<number, number[]>();
  const count = (pair: number, change: number, word: number) => {
    pairCounts.set(pair, (pairCounts.get(pair) ?? 0) + change);
    if (change < 0) return;
    const list = pairWords.get(pair);
    if (!list) pairWords.set(pair, [word]);
    else if (list.at(-1) !== word) list.push(word);
  };
  for (const [text, n] of counts) {
    const symbols = Array.from(encoder.encode(text), (byte) => byteIds[byte]!);
    if (symbols.length < 2) continue;
    words.push({ symbols, count: n });
    for (let i = 0; i + 1 < symbols.length; i++) count(symbols[i]! * PAIR_BASE + symbols[i + 1]!, n, words.length - 1);
  }

  const heap = createPairHeap();
  for (const [pair, n] of pairCounts) heap.push(n, pair);
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const merges: [number, number][] = [];
  while (tokens.length < vocabSize) {
    const top = heap.pop();
    if (!top) break;
    const current = pairCounts.get(top.pair) ?? 0;
    if (top.count !== current) {
      // Counts only sank since it was pushed, or it was merged.
      if (current > 0) heap.push(current, top.pair);
      continue;
    }
    if (current < Math.max(1, minFrequency)) break;
    const right = top.pair % PAIR_BASE;
    const left = (top.pair - right) / PAIR_BASE;
    const text = tokens[left]! + tokens[right]!;
    let id = idOf.get(text);
    if (id === undefined) {
      id = tokens.length;
      tokens.push(text);
      idOf.set(text, id);
    }
    merges.push([left, right]);
    const changed = new Set<number>();
    for (const w of pairWords.get(top.pair)!)
      mergeInWord(words[w]!, left, right, id, (pair, change) => {
        count(pair, change, w);
        if (change > 0) changed.add(pair);
      });
    pairCounts.delete(top.pair);
    pairWords.delete(top.pair);
    for (const pair of changed) if (pairCounts.get(pair)! > 0) heap.push(pairCounts.get(pair)!, pair);
  }
  return merges;
}

function mergeInWord({ symbols, count }: Word, left: number, right: number, id: number, change: (pair: number, by: number) => void): void {
  let out = 0;
  const n = symbols.length;
  for (let i = 0; i < n; i++) {
    if (symbols[i] !== left || i + 1 >= n || symbols[i + 1] !== right) {
      symbols[out++] = symbols[i]!;
      continue;
    }
    if (out > 0) {
      change(symbols[out - 1]! * PAIR_BASE + left, -count);
      change(symbols[out - 1]! * PAIR_BASE + id, count);
    }
    if (i + 2 < n) {
      change(right * PAIR_BASE + symbols[i + 2]!, -count);
      change(id * PAIR_BASE + symbols[i + 2]!, count);
    }
    symbols[out++] = id;
    i++;
  }
  symbols.length = out;
}

/** Most frequent first, then the smaller pair. Two arrays side by side: an object an entry would cost several times more. */
function createPairHeap() {
  const counts: number[] = [];
  const pairs: number[] = [];
  const before = (countA: number, pairA: number, countB: number, pairB: number) => countA > countB || (countA === countB && pairA < pairB);
  const place = (i: number, count: number, pair: number) => {
    counts[i] = count;
    pairs[i] = pair;
  };
  return {
    push(count: number, pair: number) {
      let i = counts.length;
      place(i, count, pair);
      while (i > 0) {
        const parent = (i - 1) >> 1;
        if (!before(count, pair, counts[parent]!, pairs[parent]!)) break;
        place(i, counts[parent]!, pairs[parent]!);
        i = parent;
      }
      place(i, count, pair);
    },
    pop(): { count: number; pair: number } | undefined {
      if (counts.length === 0) return undefined;
      const top = { count: counts[0]!, pair: pairs[0]! };
      const [count, pair] = [counts.pop()!, pairs.pop()!];
      const n = counts.length;
      if (n === 0) return top;
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && before(counts[child + 1]!, pairs[child + 1]!, counts[child]!, pairs[child]!)) child++;
        if (!before(counts[child]!, pairs[child]!, count, pair)) break;
        place(i, counts[child]!, pairs[child]!);
        i = child;
      }
      place(i, count, pair);
      return top;
    },
  };
}

function formatTokenizer(
  tokens: readonly string[],
  merges: readonly [number, number][],
  special: readonly string[],
  bosToken: string | undefined,
): TokenizerJson {
  const level = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: level,
    post_processor: bosToken === undefined ? null : formatBosTemplate(bosToken, special.indexOf(bosToken)),
    decoder: level,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: merges.map(([left, right]) => [tokens[left]!, tokens[right]!]),
    },
  };
}

function formatBosTemplate(token: string, id: number): ComponentJson {
  const bos = { SpecialToken: { id: token, type_id: 0 } };
  return {
    type: "TemplateProcessing",
    single: [bos, { Sequence: { id: "A", type_id: 0 } }],
    pair: [bos, { Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 0 } }],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}
