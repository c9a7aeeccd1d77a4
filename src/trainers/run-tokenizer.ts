/** The tokenizer of a run: its model's, with what the recipe changes; and those changes where the model is saved. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SparError } from "../internal/errors.ts";
import { createTokenizer, loadTokenizer, saveTokenizer, type Tokenizer } from "../tokenizer/index.ts";

/** Keys of the recipe; a method may lack some. */
export interface TokenizerKeys {
  readonly chat_template_path?: string | null;
  readonly eos_token?: string | null;
  readonly pad_token?: string | null;
}

export interface RunTokenizer {
  readonly tokenizer: Tokenizer;
  /** Writes what the recipe changed over the files of a model that was just saved in `folder`. */
  writeChanges(folder: string): Promise<void>;
}

/** A model's folder by its hub id or path. */
type FindModel = (idOrPath: string) => Promise<string>;

/** @throws SparError `tokenizer/unknown-token`, `tokenizer/no-chat-template`, `tokenizer/missing` */
export async function loadRunTokenizer(folder: string, keys: TokenizerKeys, findModel: FindModel): Promise<RunTokenizer> {
  const original = await loadTokenizer(folder);
  const { chat_template_path: templatePath = null, eos_token: eos = null, pad_token: pad = null } = keys;
  if (templatePath === null && eos === null && pad === null) return { tokenizer: original, writeChanges: async () => {} };

  for (const [key, token] of Object.entries({ eos_token: eos, pad_token: pad })) {
    if (token !== null && original.tokenToId(token) === undefined) {
      throw new SparError(
        "tokenizer/unknown-token",
        `${key}: expected a token of the tokenizer in ${folder}, found ${JSON.stringify(token)}`,
        {
          hint: `It has ${
            Object.entries(original.specialTokens)
              .map(([name, text]) => `${name} ${JSON.stringify(text)}`)
              .join(", ") || "no named special tokens"
          }.`,
        },
      );
    }
  }
  const settings = JSON.parse((original.files["tokenizer_config.json"] ?? "{}").replace(/^\ufeff/, "")) as { [key: string]: unknown };
  if (eos !== null) settings["eos_token"] = eos;
  if (pad !== null) settings["pad_token"] = pad;
  // A template in the old place would contradict the one in chat_template.jinja.
  const template = templatePath === null ? undefined : await readTemplate(templatePath, findModel);
  if (template !== undefined) delete settings["chat_template"];
  const files = {
    ...original.files,
    "tokenizer_config.json": `${JSON.stringify(settings, null, 2)}\n`,
    ...(template === undefined ? {} : { "chat_template.jinja": template }),
  };
  // special_tokens_map.json and config.json of the folder stand below tokenizer_config.json.
  const named = original.specialTokens;
  const ids = {
    bos_token_id: original.bosId,
    eos_token_id: original.eosId,
    unk_token_id: original.unkId,
    pad_token_id: named["pad_token"] === undefined ? undefined : original.tokenToId(named["pad_token"]),
  };
  const tokenizer = createTokenizer(files, { modelConfig: ids, folder });
  return {
    tokenizer,
    async writeChanges(saved) {
      await saveTokenizer(tokenizer, saved);
      if (eos === null) return;
      // Generation, here and elsewhere, ends where these say.
      for (const name of ["config.json", "generation_config.json"]) await replaceEndToken(join(saved, name), tokenizer.eosId);
    },
  };
}

async function readTemplate(path: string, findModel: FindModel): Promise<string> {
  if (/\.(jinja2?|j2)$/.test(path)) {
    try {
      return await readFile(path, "utf8");
    } catch (cause) {
      throw new SparError("tokenizer/no-chat-template", `chat_template_path: ${path} cannot be read: ${(cause as Error).message}`, {
        hint: "Name a jinja file, or a model whose template to take.",
        cause,
      });
    }
  }
  const source = await loadTokenizer(await findModel(path));
  const {
    "chat_template.jinja": jinja,
    "chat_template.json": old,
    "tokenizer_config.json": config,
  } = source.files as { readonly [name: string]: string | undefined };
  if (jinja !== undefined) return jinja;
  for (const text of [old, config]) {
    if (text === undefined) continue;
    const value = (JSON.parse(text) as { chat_template?: unknown }).chat_template;
    if (typeof value === "string") return value;
    const main = Array.isArray(value)
      ? (value as { name?: unknown; template?: unknown }[]).find(({ name }) => name === "default")
      : undefined;
    if (typeof main?.template === "string") return main.template;
  }
  throw new SparError("tokenizer/no-chat-template", `chat_template_path: the model ${path} has no chat template`, {
    hint: "Name a jinja file, or a model whose template to take.",
  });
}

async function replaceEndToken(path: string, id: number | undefined): Promise<void> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    return; // Not every model has a generation_config.json.
  }
  await writeFile(path, `${JSON.stringify({ ...(JSON.parse(text) as object), eos_token_id: id }, null, 2)}\n`);
}
