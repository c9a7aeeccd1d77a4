import type { TokenizerConfig, TokenizerJson } from "./tokenizer-json.ts";

const NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"] as const;

/** Special tokens by name (`bos_token` …), as chat templates see them; and the ids spar needs. */
export type SpecialTokens = {
  named: { [name: string]: string };
  bosId: number | undefined;
  eosId: number | undefined;
  unkId: number | undefined;
  /** Undefined where the tokenizer has no padding token, or one that is also EOS: training on EOS needs them apart. */
  padId: number | undefined;
};

/** Sources in order: tokenizer_config.json, special_tokens_map.json, then the ids in the model's config.json. */
export function readSpecialTokens(
  sources: { config: TokenizerConfig; map: TokenizerConfig; model: TokenizerConfig },
  tokenToId: ReadonlyMap<string, number>,
  idToToken: (id: number) => string | undefined,
): SpecialTokens {
  const named: { [name: string]: string } = {};
  for (const name of NAMES) {
    const token = readToken(sources.config[name]) ?? readToken(sources.map[name]) ?? readModelToken(sources.model[`${name}_id`], idToToken);
    if (token !== undefined) named[name] = token;
  }
  const find = (name: string) => (named[name] === undefined ? undefined : tokenToId.get(named[name]));
  const [eosId, padId] = [find("eos_token"), find("pad_token")];
  return { named, bosId: find("bos_token"), eosId, unkId: find("unk_token"), padId: padId === eosId ? undefined : padId };
}

/** A token is written as text or, by older versions, as an object with `content`. */
function readToken(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && "content" in value && typeof value.content === "string") return value.content;
  return undefined;
}

function readModelToken(value: unknown, idToToken: (id: number) => string | undefined): string | undefined {
  const id: unknown = Array.isArray(value) ? value[0] : value;
  return typeof id === "number" ? idToToken(id) : undefined;
}

/** As Transformers does: a token named special that tokenizer.json knows only as vocabulary is cut out of text too. */
export function addNamedTokens(
  json: TokenizerJson,
  named: { [name: string]: string },
  tokenToId: ReadonlyMap<string, number>,
): TokenizerJson {
  const known = new Set((json.added_tokens ?? []).map(({ content }) => content));
  const missing = [...new Set(Object.values(named))].filter((token) => !known.has(token) && tokenToId.has(token));
  if (missing.length === 0) return json;
  const added = missing.map((content) => ({ id: tokenToId.get(content)!, content, special: true, normalized: false }));
  return { ...json, added_tokens: [...(json.added_tokens ?? []), ...added] };
}
