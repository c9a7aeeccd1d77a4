/** The parts of Hugging Face's tokenizer.json that spar reads by name; the rest is passed through. */
export type TokenizerJson = {
  version?: string;
  truncation?: unknown;
  padding?: unknown;
  added_tokens?: AddedTokenJson[];
  normalizer?: ComponentJson | null;
  pre_tokenizer?: ComponentJson | null;
  post_processor?: ComponentJson | null;
  decoder?: ComponentJson | null;
  model: ModelJson;
};

export type AddedTokenJson = {
  id: number;
  content: string;
  single_word?: boolean;
  lstrip?: boolean;
  rstrip?: boolean;
  normalized?: boolean;
  special?: boolean;
};

/** A normalizer, pre-tokenizer, post-processor or decoder: `type` and what belongs to that type. */
export type ComponentJson = { type: string; [key: string]: unknown };

export type ModelJson = {
  type?: string;
  vocab?: unknown;
  merges?: (string | [string, string])[];
  unk_token?: string | null;
  fuse_unk?: boolean;
  byte_fallback?: boolean;
  ignore_merges?: boolean;
  continuing_subword_prefix?: string | null;
  end_of_word_suffix?: string | null;
  [key: string]: unknown;
};

/** tokenizer_config.json: special tokens by name, the chat template, and much that concerns Python only. */
export type TokenizerConfig = { [key: string]: unknown };
