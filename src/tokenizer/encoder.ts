import { Tokenizer as Library } from "@huggingface/tokenizers";
import { SparError } from "../internal/errors.ts";
import { createAddedTokenSplitter } from "./added-tokens.ts";
import { createBPEModel } from "./bpe-model.ts";
import { createLibraryPart, createPreTokenizer } from "./pre-tokenizer.ts";
import type { ComponentJson, TokenizerConfig, TokenizerJson } from "./tokenizer-json.ts";

/** Text to ids; `special` adds what the tokenizer's own post-processor adds (a BOS, say). */
export type Encoder = (text: string, special: boolean) => number[];

/** BPE tokenizers run on spar's own model, others (Unigram, WordPiece) on the library as it is. */
export function createEncoder(json: TokenizerJson, config: TokenizerConfig, tokenToId: ReadonlyMap<string, number>): Encoder {
  const { model } = json;
  if (isPlainBPE(json)) return createBPEEncoder(json, tokenToId);
  try {
    const library = new Library(
      { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [], ...json },
      config,
    );
    return (text, special) => (text === "" && !special ? [] : library.encode(text, { add_special_tokens: special }).ids);
  } catch (cause) {
    throw new SparError(
      "tokenizer/unsupported",
      `Reading tokenizer.json: a model ${model.type === undefined ? "without a type" : `of type ${JSON.stringify(model.type)}`} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}.`,
      { cause },
    );
  }
}

function isPlainBPE({ model }: TokenizerJson): boolean {
  const isBPE = model.type === "BPE" || (model.type === undefined && Array.isArray(model.merges));
  return isBPE && !model.continuing_subword_prefix && !model.end_of_word_suffix;
}

function createBPEEncoder(json: TokenizerJson, tokenToId: ReadonlyMap<string, number>): Encoder {
  const normalize = createNormalizer(json.normalizer);
  const preTokenizer = createPreTokenizer(json.pre_tokenizer);
  const model = createBPEModel(json.model, preTokenizer.bytes);
  const added = json.added_tokens ?? [];
  const isNormalized = (token: (typeof added)[number]) => (token.normalized ?? !token.special) && json.normalizer != null;
  const splitRaw = createAddedTokenSplitter(
    added.filter((token) => !isNormalized(token)),
    (text) => text,
  );
  const splitNormalized = createAddedTokenSplitter(added.filter(isNormalized), normalize);
  const { prefix, suffix } = findSpecialFrame(json.post_processor, tokenToId);

  // SentencePiece-like tokenizers have no pre-tokenizer: the whole text is one word. Where no token spans the start of
  // a word, cutting there changes nothing, and words can be remembered.
  const cutsWords = !preTokenizer.bytes && json.pre_tokenizer == null && model.canSplitBefore("▁");
  const split = cutsWords ? (text: string) => text.split(/(?<!▁)(?=▁)/u) : preTokenizer.split;

  return (text, special) => {
    const ids: number[] = special ? [...prefix] : [];
    let first = true;
    for (const section of splitRaw(text)) {
      if (section.id !== undefined) ids.push(section.id);
      else
        for (const part of splitNormalized(normalize(section.text))) {
          if (part.id !== undefined) ids.push(part.id);
          else for (const word of split(part.text, first)) model.encodeWord(word, ids);
          first = false;
        }
      first = false;
    }
    if (special) ids.push(...suffix);
    return ids;
  };
}

function createNormalizer(json: ComponentJson | null | undefined): (text: string) => string {
  if (json == null) return (text) => text;
  const normalizer = createLibraryPart("normalizer", json).normalizer!;
  return (text) => normalizer.normalize(text);
}

/** What the post-processor puts before and after one text. All of its types are such a frame. */
function findSpecialFrame(
  json: ComponentJson | null | undefined,
  tokenToId: ReadonlyMap<string, number>,
): { prefix: number[]; suffix: number[] } {
  if (json == null) return { prefix: [], suffix: [] };
  const mark = "\u0000text\u0000";
  const { tokens } = createLibraryPart("post_processor", json).post_processor!.post_process([mark], null, true);
  const at = tokens.indexOf(mark);
  if (at < 0 || tokens.lastIndexOf(mark) !== at) throw refuseFrame("it does not keep the text once");
  const toIds = (part: readonly string[]) =>
    part.map((token) => {
      const id = tokenToId.get(token);
      if (id === undefined) throw refuseFrame(`it adds ${JSON.stringify(token)}, which is not in the vocabulary`);
      return id;
    });
  return { prefix: toIds(tokens.slice(0, at)), suffix: toIds(tokens.slice(at + 1)) };
}

function refuseFrame(reason: string): SparError {
  return new SparError("tokenizer/unsupported", `Reading tokenizer.json: its post_processor cannot be used: ${reason}.`);
}
