import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { namePath, SparError } from "../internal/errors.ts";
import { isGgufFile, loadGgufHeader } from "../internal/gguf-file.ts";
import { createChatTemplate, type ChatMessage, type ChatTemplateOptions } from "./chat-template.ts";
import { createDecoder } from "./decoder.ts";
import { createEncoder } from "./encoder.ts";
import { convertGgufTokenizer } from "./gguf-tokenizer.ts";
import { createIncrementalDecoder, type IncrementalDecoder } from "./incremental-decoder.ts";
import { addNamedTokens, readSpecialTokens } from "./special-tokens.ts";
import type { TokenizerConfig, TokenizerJson } from "./tokenizer-json.ts";

/** A tokenizer's files by name, as texts: they are saved byte for byte as they were read. */
export type TokenizerFiles = { readonly "tokenizer.json": string; readonly [name: string]: string };

export interface Tokenizer {
  /** One more than the highest id, added tokens included. */
  readonly vocabSize: number;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly unkId: number | undefined;
  /** Undefined where the tokenizer has no padding token or one that is also EOS. */
  readonly padId: number | undefined;
  /** Ids that `skipSpecialTokens` leaves out. */
  readonly specialIds: ReadonlySet<number>;
  /** `bos_token`, `eos_token` … as texts. */
  readonly specialTokens: { readonly [name: string]: string };
  readonly hasChatTemplate: boolean;
  readonly files: TokenizerFiles;
  /** Ids of a text. By default with what tokenizer.json's own post-processor adds (a BOS, or nothing). */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  /** Text of ids; ids beyond the vocabulary are nothing. */
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string;
  createIncrementalDecoder(options?: { skipSpecialTokens?: boolean }): IncrementalDecoder;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
  /** Messages as text. Throws `tokenizer/no-chat-template` where there is none. */
  applyChatTemplate(messages: readonly ChatMessage[], options?: ChatTemplateOptions): string;
  /** Messages as ids; the template writes the BOS itself, no second one is added. */
  encodeChat(messages: readonly ChatMessage[], options?: ChatTemplateOptions): number[];
  /** Also which ids (1) the assistant wrote: by {% generation %}, or by rendering ever longer beginnings. */
  encodeChatWithMask(messages: readonly ChatMessage[], options?: ChatTemplateOptions): { ids: number[]; assistantMask: Uint8Array };
}

const FILES = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "chat_template.json"];
const MORE_TEMPLATES = "additional_chat_templates";

/** Loads the tokenizer of a model folder: tokenizer.json, or GPT-2's older vocab.json and merges.txt; or of a .gguf file. */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  if (await isGgufFile(folder)) return loadGgufTokenizer(folder);
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new SparError("tokenizer/missing", `Loading a tokenizer: the folder ${folder} cannot be read.`, {
      hint: "Check the path.",
      cause,
    });
  });
  const files: { [name: string]: string } = {};
  for (const name of FILES) if (names.includes(name)) files[name] = await readFile(join(folder, name), "utf8");
  if (names.includes(MORE_TEMPLATES)) {
    for (const name of (await readdir(join(folder, MORE_TEMPLATES))).sort())
      if (name.endsWith(".jinja")) files[`${MORE_TEMPLATES}/${name}`] = await readFile(join(folder, MORE_TEMPLATES, name), "utf8");
  }
  let tokenizerJson = files["tokenizer.json"];
  if (tokenizerJson === undefined && names.includes("vocab.json") && names.includes("merges.txt")) {
    const [vocab, merges] = await Promise.all([readFile(join(folder, "vocab.json"), "utf8"), readFile(join(folder, "merges.txt"), "utf8")]);
    tokenizerJson = convertGPT2Files(vocab, merges, folder);
  }
  if (tokenizerJson === undefined)
    throw new SparError(
      "tokenizer/missing",
      `Loading a tokenizer: ${folder} has no tokenizer.json${names.includes("tokenizer.model") ? " (only SentencePiece's tokenizer.model)" : ""}.`,
      {
        hint: names.includes("tokenizer.model")
          ? "Convert it once with Python: AutoTokenizer.from_pretrained(folder).save_pretrained(folder)."
          : "Copy the tokenizer's files into the model's folder.",
      },
    );
  const model = names.includes("config.json")
    ? parseJson(await readFile(join(folder, "config.json"), "utf8"), join(folder, "config.json"))
    : {};
  return createTokenizer({ ...files, "tokenizer.json": tokenizerJson }, { modelConfig: model, folder });
}

async function loadGgufTokenizer(path: string): Promise<Tokenizer> {
  const { metadata } = await loadGgufHeader(path).catch((cause: unknown) => {
    if (cause instanceof SparError) throw cause;
    throw new SparError("tokenizer/missing", `Loading a tokenizer: the file ${path} cannot be read.`, { hint: "Check the path.", cause });
  });
  return createTokenizer(convertGgufTokenizer(metadata, path), { folder: path });
}

/** Writes the tokenizer's files, as they were read. Call it inside a folder that is written atomically. */
export async function saveTokenizer(tokenizer: Tokenizer, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(tokenizer.files)) {
    if (name.startsWith(`${MORE_TEMPLATES}/`)) await mkdir(join(folder, MORE_TEMPLATES), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

/**
 * A tokenizer from its files' texts. `createTokenizer({ ...tokenizer.files, "chat_template.jinja": text })` gives one
 * with another chat template.
 */
export function createTokenizer(
  files: TokenizerFiles,
  options: { modelConfig?: { [key: string]: unknown }; folder?: string } = {},
): Tokenizer {
  const where = (name: string) => (options.folder === undefined ? name : join(options.folder, name));
  const parse = (name: string): TokenizerConfig => parseJson(files[name] ?? "{}", where(name));
  const raw = parseJson(files["tokenizer.json"], where("tokenizer.json")) as TokenizerJson;
  if (typeof raw.model !== "object" || raw.model === null)
    throw new SparError("tokenizer/malformed", `Reading ${where("tokenizer.json")}: it has no model.`, {
      hint: "Download or export the tokenizer again.",
    });
  const config = parse("tokenizer_config.json");

  const tokens = listTokens(raw);
  const tokenToId = new Map<string, number>();
  tokens.forEach((token, id) => token !== undefined && tokenToId.set(token, id));
  const idToToken = (id: number) => tokens[id];
  const special = readSpecialTokens(
    { config, map: parse("special_tokens_map.json"), model: options.modelConfig ?? {} },
    tokenToId,
    idToToken,
  );
  const json = addNamedTokens(raw, special.named, tokenToId);
  const specialIds = new Set((json.added_tokens ?? []).filter((token) => token.special).map(({ id }) => id));

  const path = where("tokenizer.json");
  const encoder = namePath("tokenizer.json", path, () => createEncoder(json, config, tokenToId));
  const decoder = namePath("tokenizer.json", path, () => createDecoder(json.decoder));
  const templates = readChatTemplates(files, config, parse("chat_template.json"));
  const chat = createChatTemplate(templates, special.named);
  // Transformers cleans up spaces only where the model is not BPE.
  const cleans = config.clean_up_tokenization_spaces === true && json.model.type !== "BPE";

  const encode: Tokenizer["encode"] = (text, { addSpecialTokens = true } = {}) => encoder(text, addSpecialTokens);
  return {
    vocabSize: tokens.length,
    bosId: special.bosId,
    eosId: special.eosId,
    unkId: special.unkId,
    padId: special.padId,
    specialIds,
    specialTokens: special.named,
    hasChatTemplate: Object.keys(templates).length > 0,
    files,
    encode,
    decode(ids, { skipSpecialTokens = false } = {}) {
      const list: string[] = [];
      for (let i = 0; i < ids.length; i++) {
        const token = tokens[ids[i]!];
        if (token !== undefined && !(skipSpecialTokens && specialIds.has(ids[i]!))) list.push(token);
      }
      const text = list.length === 0 ? "" : decoder.decode(list);
      return cleans ? cleanUpSpaces(text) : text;
    },
    createIncrementalDecoder: ({ skipSpecialTokens = false } = {}) =>
      createIncrementalDecoder(decoder, (id) => (skipSpecialTokens && specialIds.has(id) ? undefined : tokens[id])),
    tokenToId: (token) => tokenToId.get(token),
    idToToken,
    applyChatTemplate: (messages, chatOptions) => chat.render(messages, chatOptions),
    encodeChat: (messages, chatOptions) => encoder(chat.render(messages, chatOptions), false),
    encodeChatWithMask(messages, chatOptions) {
      const { text, assistantSpans } = chat.renderWithSpans(messages, chatOptions);
      const ids = encoder(text, false);
      const assistantMask = new Uint8Array(ids.length);
      for (const [start, end] of assistantSpans) {
        const from = countCommon(ids, encoder(text.slice(0, start), false));
        const upTo = encoder(text.slice(0, end), false);
        const common = countCommon(ids, upTo);
        // A token that reaches over the end still holds the assistant's text.
        if (end > start) assistantMask.fill(1, from, common === upTo.length ? common : common + 1);
      }
      return { ids, assistantMask };
    },
  };
}

function countCommon(a: readonly number[], b: readonly number[]): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
}

/** Tokens by id; holes stay undefined and decode to nothing. */
function listTokens(json: TokenizerJson): (string | undefined)[] {
  const tokens: (string | undefined)[] = [];
  const { vocab } = json.model;
  // Unigram lists [token, score], the others map token to id.
  if (Array.isArray(vocab)) vocab.forEach((entry: [string, number], id) => (tokens[id] = entry[0]));
  else for (const [token, id] of Object.entries((vocab ?? {}) as { [token: string]: number })) tokens[id] = token;
  for (const { id, content } of json.added_tokens ?? []) tokens[id] = content;
  return tokens;
}

function readChatTemplates(files: TokenizerFiles, config: TokenizerConfig, old: TokenizerConfig): { [name: string]: string } {
  const templates: { [name: string]: string } = {};
  for (const value of [config.chat_template, old.chat_template]) {
    if (typeof value === "string") templates.default = value;
    else if (Array.isArray(value))
      for (const { name, template } of value as { name?: unknown; template?: unknown }[])
        if (typeof name === "string" && typeof template === "string") templates[name] = template;
  }
  for (const [file, text] of Object.entries(files)) {
    if (file === "chat_template.jinja") templates.default = text;
    else if (file.startsWith(`${MORE_TEMPLATES}/`)) templates[file.slice(MORE_TEMPLATES.length + 1, -".jinja".length)] = text;
  }
  return templates;
}

function parseJson(text: string, path: string): { [key: string]: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (cause) {
    throw new SparError(
      "tokenizer/malformed",
      `Reading ${path}: not valid JSON (${cause instanceof Error ? cause.message : String(cause)}).`,
      { hint: "Download or export that file again." },
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new SparError("tokenizer/malformed", `Reading ${path}: expected a JSON object.`);
  return value as { [key: string]: unknown };
}

/** GPT-2 as published before tokenizer.json: the same tokenizer in two files. */
function convertGPT2Files(vocabText: string, mergesText: string, folder: string): string {
  const vocab = parseJson(vocabText, join(folder, "vocab.json")) as { [token: string]: number };
  const merges = mergesText.split(/\r?\n/).filter((line) => line.length > 0 && !line.startsWith("#version"));
  const end = "<|endoftext|>";
  const json: TokenizerJson = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: Object.hasOwn(vocab, end)
      ? [{ id: vocab[end]!, content: end, single_word: false, lstrip: false, rstrip: false, normalized: true, special: true }]
      : [],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: "BPE", vocab, merges },
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

function cleanUpSpaces(text: string): string {
  return text
    .replace(/ ([.?!,])/g, "$1")
    .replaceAll(" ' ", "'")
    .replace(/ (n't|'m|'s|'ve|'re)/g, "$1");
}
