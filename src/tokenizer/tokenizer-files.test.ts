import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTokenizer, loadTokenizer, saveTokenizer } from "./hugging-face.ts";
import type { TokenizerJson } from "./tokenizer-json.ts";

const fixtures = fileURLToPath(new URL("../../test/fixtures/tokenizers/", import.meta.url));
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "spar-tokenizer-"));
});
afterAll(() => rm(root, { recursive: true }));

async function createFolder(files: { [name: string]: string }): Promise<string> {
  const folder = await mkdtemp(join(root, "case-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

describe("files", () => {
  test("special tokens of the byte-fallback model", async () => {
    const tokenizer = await loadTokenizer(join(fixtures, "byte-fallback"));
    expect(tokenizer).toMatchObject({ vocabSize: 512, bosId: 1, eosId: 2, unkId: 0, padId: 0, hasChatTemplate: false });
    expect(tokenizer.specialIds).toEqual(new Set([0, 1, 2]));
    expect(tokenizer.idToToken(1)).toBe("<s>");
    expect(tokenizer.tokenToId("</s>")).toBe(2);
    expect(tokenizer.decode([5000, -1, 1.5, 512])).toBe("");
    expect(tokenizer.decode([])).toBe("");
  });

  test("what cannot be used is told with its folder", async () => {
    const folder = await createFolder({ "tokenizer.json": '{"model": {}}' });
    await expect(loadTokenizer(folder)).rejects.toThrow(`Reading ${join(folder, "tokenizer.json")}: a model without a type cannot be used`);
  });

  test("pad = eos is no padding token; other places for special tokens", async () => {
    const json = await readFile(join(fixtures, "byte-level", "tokenizer.json"), "utf8");
    const load = async (files: { [name: string]: string }) => loadTokenizer(await createFolder({ "tokenizer.json": json, ...files }));
    const same = await load({ "tokenizer_config.json": '{"eos_token":"<|endoftext|>","pad_token":"<|endoftext|>"}' });
    expect(same.eosId).toBe(0);
    expect(same.padId).toBeUndefined();
    const map = await load({
      "special_tokens_map.json": '{"eos_token":{"content":"<|im_end|>"}}',
      "config.json": '{"bos_token_id":0,"eos_token_id":1}',
    });
    expect(map).toMatchObject({ bosId: 0, eosId: 2 });
    const list = await load({ "config.json": '{"eos_token_id":[2,0]}' });
    expect(list).toMatchObject({ eosId: 2, bosId: undefined, unkId: undefined });
  });

  test("saved byte for byte", async () => {
    const folder = await createFolder({
      "tokenizer.json": await readFile(join(fixtures, "byte-level", "tokenizer.json"), "utf8"),
      "tokenizer_config.json": '{ "eos_token":"<|im_end|>" }',
      "chat_template.jinja": "{{ 1 }}\n",
      "config.json": "{}",
    });
    const copy = join(root, "copy");
    await saveTokenizer(await loadTokenizer(folder), copy);
    expect((await readdir(copy)).sort()).toEqual(["chat_template.jinja", "tokenizer.json", "tokenizer_config.json"]);
    for (const name of await readdir(copy)) expect(await readFile(join(copy, name))).toEqual(await readFile(join(folder, name)));
  });

  test("GPT-2's older two files are the same tokenizer", async () => {
    const json = JSON.parse(await readFile(join(fixtures, "byte-level", "tokenizer.json"), "utf8")) as TokenizerJson;
    const merges = `#version: 0.2\n${json.model.merges!.map((merge) => (merge as string[]).join(" ")).join("\n")}\n`;
    const old = await loadTokenizer(await createFolder({ "vocab.json": JSON.stringify(json.model.vocab), "merges.txt": merges }));
    const text = "Reading a file: tensor 日本 <|endoftext|>";
    expect(old.encode(text)).toEqual((await loadTokenizer(join(fixtures, "byte-level"))).encode(text));
    expect(old.encode(text).at(-1)).toBe(0);
  });

  test("what cannot be loaded says why", async () => {
    await expect(loadTokenizer(join(root, "nowhere"))).rejects.toMatchObject({ code: "tokenizer/missing" });
    await expect(loadTokenizer(await createFolder({ "tokenizer.model": "" }))).rejects.toMatchObject({
      code: "tokenizer/missing",
      message: expect.stringContaining("SentencePiece"),
    });
    await expect(loadTokenizer(await createFolder({ "tokenizer.json": "{" }))).rejects.toMatchObject({ code: "tokenizer/malformed" });
    await expect(loadTokenizer(await createFolder({ "tokenizer.json": "{}" }))).rejects.toThrow(/no model/);
    const bad = { model: { type: "BPE", vocab: { a: 0 }, merges: ["a b"] } };
    expect(() => createTokenizer({ "tokenizer.json": JSON.stringify(bad) })).toThrow(/merge 0/);
    const odd = { model: { type: "BPE", vocab: { a: 0 }, merges: [] }, pre_tokenizer: { type: "Nonsense" } };
    expect(() => createTokenizer({ "tokenizer.json": JSON.stringify(odd) })).toThrow(/pre_tokenizer of type "Nonsense"/);
  });

  test("other models run on the library", () => {
    const json = {
      added_tokens: [{ id: 0, content: "[UNK]", special: true }],
      normalizer: { type: "Lowercase" },
      pre_tokenizer: { type: "Whitespace" },
      post_processor: null,
      decoder: { type: "WordPiece", prefix: "##", cleanup: false },
      model: {
        type: "WordPiece",
        unk_token: "[UNK]",
        continuing_subword_prefix: "##",
        max_input_chars_per_word: 100,
        vocab: { "[UNK]": 0, film: 1, "##s": 2, good: 3 },
      },
    };
    const tokenizer = createTokenizer({ "tokenizer.json": JSON.stringify(json) });
    expect(tokenizer.encode("Good films")).toEqual([3, 1, 2]);
    expect(tokenizer.decode([3, 1, 2])).toBe("good films");
    const stream = tokenizer.createIncrementalDecoder();
    expect([3, 1, 2].map((id) => stream.push(id)).join("") + stream.flush()).toBe("good films");
  });
});

describe("streaming", () => {
  const collect = (tokenizer: Awaited<ReturnType<typeof loadTokenizer>>, ids: number[], skipSpecialTokens = false) => {
    const stream = tokenizer.createIncrementalDecoder({ skipSpecialTokens });
    const pieces = ids.map((id) => stream.push(id));
    return { pieces: [...pieces, stream.flush()], text: [...pieces, ""].join("") };
  };

  test.each(["byte-level", "byte-fallback"])("%s: pieces add up to decode, without half characters", async (name) => {
    const tokenizer = await loadTokenizer(join(fixtures, name));
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (text) => {
        const ids = tokenizer.encode(text);
        const { pieces } = collect(tokenizer, ids);
        expect(pieces.join("")).toBe(tokenizer.decode(ids));
        if (!text.includes("\ufffd")) for (const piece of pieces) expect(piece).not.toContain("\ufffd");
      }),
      { numRuns: 300 },
    );
  });

  test("an emoji comes whole, at its last byte; a broken one at the end", async () => {
    const tokenizer = await loadTokenizer(join(fixtures, "byte-fallback"));
    const ids = tokenizer.encode("a😀");
    const { pieces } = collect(tokenizer, ids);
    expect(pieces.filter((piece) => piece !== "").join("|")).toBe("a|😀");
    const cut = collect(tokenizer, ids.slice(0, -1));
    expect(cut.text).toBe("a");
    expect(cut.pieces.at(-1)).toBe("\ufffd");
  });

  test("special and unknown ids", async () => {
    const tokenizer = await loadTokenizer(join(fixtures, "byte-fallback"));
    const ids = [1, ...tokenizer.encode("Hi there"), 9999, 2];
    expect(collect(tokenizer, ids, true).text).toBe(tokenizer.decode(ids, { skipSpecialTokens: true }));
    expect(collect(tokenizer, ids).text).toBe(tokenizer.decode(ids));
  });
});
