/**
 * How text is cut into words before byte-level BPE, by the name in `tokenizer.ggml.pre`: the pre-tokenizers of the
 * tokenizer.json files that those models were published with. GGUF files hold only the name.
 */
import { SparError } from "../internal/errors.ts";
import type { ComponentJson } from "./tokenizer-json.ts";

export type PreTokenizerOfGguf = {
  preTokenizer: ComponentJson;
  normalizer: ComponentJson | null;
  /** A word that is a token is not merged out of smaller ones. */
  ignoreMerges: boolean;
  /** Where the file does not say whether a BOS is added. */
  addsBos: boolean;
};

const LLAMA3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const QWEN2 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const TEKKEN =
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const BYTE_LEVEL: ComponentJson = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };

function splitBy(pattern: string): ComponentJson {
  return {
    type: "Sequence",
    pretokenizers: [
      { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
      { ...BYTE_LEVEL, use_regex: false },
    ],
  };
}

const gpt2: PreTokenizerOfGguf = { preTokenizer: BYTE_LEVEL, normalizer: null, ignoreMerges: false, addsBos: false };
const digits: PreTokenizerOfGguf = {
  ...gpt2,
  preTokenizer: { type: "Sequence", pretokenizers: [{ type: "Digits", individual_digits: true }, BYTE_LEVEL] },
};
const llama3: PreTokenizerOfGguf = { preTokenizer: splitBy(LLAMA3), normalizer: null, ignoreMerges: true, addsBos: true };
const qwen2: PreTokenizerOfGguf = { ...gpt2, preTokenizer: splitBy(QWEN2), normalizer: { type: "NFC" } };
const tekken: PreTokenizerOfGguf = { ...llama3, preTokenizer: splitBy(TEKKEN) };

const byName: { readonly [name: string]: PreTokenizerOfGguf } = {
  default: gpt2,
  "gpt-2": gpt2,
  smollm: digits,
  starcoder: digits,
  refact: digits,
  codeshell: digits,
  "llama-bpe": llama3,
  "llama-v3": llama3,
  llama3,
  qwen2,
  "deepseek-r1-qwen": qwen2,
  tekken,
};

/** @throws SparError `tokenizer/unsupported` where the name is not known: a guess would give wrong ids in silence */
export function findGgufPreTokenizer(name: string, file: string): PreTokenizerOfGguf {
  const found = Object.hasOwn(byName, name) ? byName[name] : undefined;
  if (found !== undefined) return found;
  throw new SparError(
    "tokenizer/unsupported",
    `Reading ${file}: tokenizer.ggml.pre is ${JSON.stringify(name)}, which spar does not know; expected one of ${Object.keys(byName).join(", ")}.`,
    { hint: "Use the model's safetensors folder, which has the tokenizer itself." },
  );
}
