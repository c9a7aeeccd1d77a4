/** The tokenizer in a GGUF file's metadata, as the files that Hugging Face's tokenizers are made of. */
import { SparError } from "../internal/errors.ts";
import type { GgufMetadata, GgufValue } from "../internal/gguf-header.ts";
import { findGgufPreTokenizer } from "./gguf-pre-tokenizers.ts";
import type { AddedTokenJson, ComponentJson, ModelJson, TokenizerJson } from "./tokenizer-json.ts";

/** Values of `tokenizer.ggml.token_type`. */
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;

const SPECIAL_KEYS: { readonly [name: string]: string } = {
  bos_token: "bos_token_id",
  eos_token: "eos_token_id",
  unk_token: "unknown_token_id",
  sep_token: "seperator_token_id",
  pad_token: "padding_token_id",
};

type Vocabulary = { tokens: readonly string[]; ids: ReadonlyMap<string, number>; types: Float64Array | undefined };

/**
 * tokenizer.json and tokenizer_config.json with the chat template, as texts. Byte-level BPE (`gpt2`) and
 * SentencePiece's BPE (`llama`) are read. Throws `tokenizer/malformed`, `tokenizer/unsupported`, `tokenizer/missing`.
 */
export function convertGgufTokenizer(metadata: GgufMetadata, file: string): { "tokenizer.json": string; "tokenizer_config.json": string } {
  const read = (key: string) => metadata.get(`tokenizer.ggml.${key}`);
  const kind = read("model");
  if (kind === undefined)
    throw new SparError("tokenizer/missing", `Reading ${file}: it has no tokenizer (no tokenizer.ggml.model in its metadata).`, {
      hint: "Name another model's tokenizer, or convert the model again with its tokenizer.",
    });
  if (kind !== "gpt2" && kind !== "llama")
    throw new SparError(
      "tokenizer/unsupported",
      `Reading ${file}: a tokenizer of kind ${JSON.stringify(kind)} cannot be used, expected "gpt2" or "llama".`,
      { hint: "Use the model's safetensors folder, which has the tokenizer itself." },
    );
  const vocabulary = readVocabulary(read, file);
  const special = readSpecialIds(read, vocabulary, file);
  const parts = kind === "gpt2" ? createByteLevel(read, vocabulary, file) : createSentencePiece(read, vocabulary, special, file);
  const addsBos = readFlag(read("add_bos_token"), parts.addsBos) && special["bos_token"] !== undefined;
  const addsEos = readFlag(read("add_eos_token"), false) && special["eos_token"] !== undefined;
  const nameOf = (name: string) => vocabulary.tokens[special[name]!]!;
  const json: TokenizerJson = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: listAddedTokens(vocabulary, special),
    normalizer: parts.normalizer,
    pre_tokenizer: parts.preTokenizer,
    post_processor:
      addsBos || addsEos
        ? createTemplate(addsBos ? nameOf("bos_token") : undefined, addsEos ? nameOf("eos_token") : undefined, special)
        : null,
    decoder: parts.decoder,
    model: parts.model,
  };
  const config: { [key: string]: unknown } = {
    tokenizer_class: "PreTrainedTokenizerFast",
    ...Object.fromEntries(Object.keys(special).map((name) => [name, nameOf(name)])),
    add_bos_token: addsBos,
    add_eos_token: addsEos,
    clean_up_tokenization_spaces: false,
  };
  const context = metadata.get(`${String(metadata.get("general.architecture"))}.context_length`);
  if (typeof context === "number") config["model_max_length"] = context;
  const template = readChatTemplates(metadata);
  if (template !== undefined) config["chat_template"] = template;
  return { "tokenizer.json": JSON.stringify(json), "tokenizer_config.json": `${JSON.stringify(config, null, 2)}\n` };
}

type Read = (key: string) => GgufValue | undefined;
type Parts = {
  model: ModelJson;
  normalizer: ComponentJson | null;
  preTokenizer: ComponentJson | null;
  decoder: ComponentJson;
  addsBos: boolean;
};

function readVocabulary(read: Read, file: string): Vocabulary {
  const tokens = read("tokens");
  if (!isTexts(tokens) || tokens.length === 0) throw refuse(file, "tokenizer.ggml.tokens is not a list of tokens");
  const types = read("token_type");
  if (types !== undefined && (!(types instanceof Float64Array) || types.length !== tokens.length))
    throw refuse(file, `tokenizer.ggml.token_type does not have one entry for each of ${tokens.length} tokens`);
  const ids = new Map<string, number>();
  // A text that stands there twice belongs to its first id, as in llama.cpp.
  for (const [id, token] of tokens.entries()) if (!ids.has(token)) ids.set(token, id);
  return { tokens, ids, types: types as Float64Array | undefined };
}

function readSpecialIds(read: Read, { tokens }: Vocabulary, file: string): { [name: string]: number } {
  const special: { [name: string]: number } = {};
  for (const [name, key] of Object.entries(SPECIAL_KEYS)) {
    const id = read(key);
    if (id === undefined) continue;
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0) throw refuse(file, `tokenizer.ggml.${key} is ${JSON.stringify(id)}`);
    // Converters write 2^32 − 1 for "none".
    if (id < tokens.length) special[name] = id;
    else if (id !== 0xffffffff) throw refuse(file, `tokenizer.ggml.${key} is ${id}, but there are ${tokens.length} tokens`);
  }
  return special;
}

function createByteLevel(read: Read, vocabulary: Vocabulary, file: string): Parts {
  const { preTokenizer, normalizer, ignoreMerges, addsBos } = findGgufPreTokenizer(String(read("pre") ?? "default"), file);
  const merges = read("merges");
  if (!isTexts(merges)) throw refuse(file, "tokenizer.ggml.merges is not a list of texts");
  return {
    model: createBPE(
      vocabulary,
      merges.map((merge) => {
        const space = merge.indexOf(" ", 1);
        if (space < 0) throw refuse(file, `the merge ${JSON.stringify(merge)} does not name two tokens`);
        return [merge.slice(0, space), merge.slice(space + 1)];
      }),
      { unk_token: null, byte_fallback: false, fuse_unk: false, ignore_merges: ignoreMerges },
    ),
    normalizer,
    preTokenizer,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    addsBos,
  };
}

/** Words begin with ▁, unknown characters are bytes, and merges follow from the tokens' scores. */
function createSentencePiece(read: Read, vocabulary: Vocabulary, special: { [name: string]: number }, file: string): Parts {
  const { tokens, types } = vocabulary;
  const scores = read("scores");
  if (!(scores instanceof Float64Array) || scores.length !== tokens.length)
    throw refuse(file, `tokenizer.ggml.scores does not have one entry for each of ${tokens.length} tokens`);
  const given = read("merges");
  const merges = isTexts(given)
    ? given.map((merge) => merge.split(" ") as [string, string])
    : deriveMerges(vocabulary, scores, (id) => types !== undefined && (types[id] === CONTROL || types[id] === UNKNOWN || types[id] === 6));
  const unknown = special["unk_token"] ?? types?.findIndex((type) => type === UNKNOWN) ?? -1;
  const prefix = readFlag(read("add_space_prefix"), true);
  const replace: ComponentJson = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const decoders: ComponentJson[] = [
    { type: "Replace", pattern: { String: "▁" }, content: " " },
    { type: "ByteFallback" },
    { type: "Fuse" },
    ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
  ];
  return {
    model: createBPE(vocabulary, merges, {
      unk_token: unknown >= 0 ? tokens[unknown]! : null,
      byte_fallback: true,
      fuse_unk: true,
      ignore_merges: false,
    }),
    normalizer: prefix ? { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, replace] } : replace,
    preTokenizer: null,
    decoder: { type: "Sequence", decoders },
    addsBos: true,
  };
}

function createBPE(
  { ids }: Vocabulary,
  merges: [string, string][],
  settings: { unk_token: string | null; byte_fallback: boolean; fuse_unk: boolean; ignore_merges: boolean },
): ModelJson {
  const common = { type: "BPE", dropout: null, continuing_subword_prefix: null, end_of_word_suffix: null };
  return { ...common, ...settings, vocab: Object.fromEntries(ids), merges };
}

/** Every way to put a token together from two others; better scores first, as SentencePiece merges. */
function deriveMerges({ tokens, ids }: Vocabulary, scores: Float64Array, isLeftOut: (id: number) => boolean): [string, string][] {
  const found: { left: string; right: string; score: number; sizes: [number, number] }[] = [];
  for (const [id, token] of tokens.entries()) {
    if (isLeftOut(id) || ids.get(token) !== id) continue;
    const chars = Array.from(token);
    const ways: { left: number; right: number; at: number }[] = [];
    for (let at = 1; at < chars.length; at++) {
      const left = ids.get(chars.slice(0, at).join(""));
      const right = ids.get(chars.slice(at).join(""));
      if (left !== undefined && right !== undefined && !isLeftOut(left) && !isLeftOut(right)) ways.push({ left, right, at });
    }
    ways.sort((a, b) => a.left - b.left || a.right - b.right);
    for (const { left, right, at } of ways)
      found.push({ left: tokens[left]!, right: tokens[right]!, score: scores[id]!, sizes: [at, chars.length - at] });
  }
  found.sort((a, b) => b.score - a.score || b.sizes[0] - a.sizes[0] || b.sizes[1] - a.sizes[1]);
  return found.map(({ left, right }) => [left, right]);
}

function listAddedTokens({ tokens, ids, types }: Vocabulary, special: { [name: string]: number }): AddedTokenJson[] {
  const named = new Set(Object.values(special));
  const added: AddedTokenJson[] = [];
  for (const [id, content] of tokens.entries()) {
    const type = types?.[id];
    const isSpecial = type === CONTROL || type === UNKNOWN || named.has(id);
    if ((!isSpecial && type !== USER_DEFINED) || ids.get(content) !== id || content === "") continue;
    added.push({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: isSpecial });
  }
  return added;
}

function createTemplate(bos: string | undefined, eos: string | undefined, special: { [name: string]: number }): ComponentJson {
  const frame = (pieces: readonly { [kind: string]: { id: string; type_id: number } }[], type: number) => [
    ...(bos === undefined ? [] : [{ SpecialToken: { id: bos, type_id: type } }]),
    ...pieces,
    ...(eos === undefined ? [] : [{ SpecialToken: { id: eos, type_id: type } }]),
  ];
  const [a, b] = [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }];
  const specialTokens: { [token: string]: unknown } = {};
  if (bos !== undefined) specialTokens[bos] = { id: bos, ids: [special["bos_token"]], tokens: [bos] };
  if (eos !== undefined) specialTokens[eos] = { id: eos, ids: [special["eos_token"]], tokens: [eos] };
  return { type: "TemplateProcessing", single: frame([a], 0), pair: [...frame([a], 0), ...frame([b], 1)], special_tokens: specialTokens };
}

/** One template, or the list of named ones that tokenizer_config.json has where there are several. */
function readChatTemplates(metadata: GgufMetadata): unknown {
  const main = metadata.get("tokenizer.chat_template");
  const others = [...metadata].flatMap(([key, value]) => {
    const name = /^tokenizer\.chat_template\.(.+)$/.exec(key)?.[1];
    return name !== undefined && typeof value === "string" ? [{ name, template: value }] : [];
  });
  if (typeof main !== "string") return others.length > 0 ? others : undefined;
  return others.length > 0 ? [{ name: "default", template: main }, ...others] : main;
}

function isTexts(value: GgufValue | undefined): value is readonly string[] {
  return Array.isArray(value);
}

function readFlag(value: GgufValue | undefined, fallback: boolean): boolean {
  return typeof value === "boolean" ? value : fallback;
}

function refuse(file: string, reason: string): SparError {
  return new SparError("tokenizer/malformed", `Reading ${file}: ${reason}.`, {
    hint: "The file is damaged or was converted without its tokenizer; download or convert it again.",
  });
}
