import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatGguf, tokenizerMetadata, type MetadataToWrite } from "../../test/fixtures/write-gguf.ts";
import { createTokenizer, loadTokenizer, saveTokenizer, type Tokenizer } from "./hugging-face.ts";

const fixtures = fileURLToPath(new URL("../../test/fixtures/tokenizers/", import.meta.url));
const texts = [
  "",
  " ",
  "Hello world",
  "  two spaces, and\ttabs\n\n\nlines ",
  "In 2024 there were 1,234,567 cats; ½ of them 日本の猫 😀",
  "naïve café — „quoted“",
  "def f(x):\n    return x ** 2  # done\n",
  "a<|im_end|>b",
  "x <s> y</s>",
];

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "spar-gguf-tokenizer-"));
});
afterAll(() => rm(root, { recursive: true }));

let count = 0;
async function write(metadata: MetadataToWrite): Promise<string> {
  const path = join(root, `${count++}.gguf`);
  await writeFile(path, formatGguf({ metadata }));
  return path;
}

const load = async (metadata: MetadataToWrite): Promise<Tokenizer> => loadTokenizer(await write(metadata));
const byteLevel = (pre?: string) => tokenizerMetadata(join(fixtures, "byte-level"), "gpt2", pre);
const byteFallback = () => tokenizerMetadata(join(fixtures, "byte-fallback"), "llama");

describe("byte-level BPE", () => {
  test("the ids of the tokenizer.json it was converted from", async () => {
    const original = await loadTokenizer(join(fixtures, "byte-level"));
    const tokenizer = await load({ ...byteLevel(), "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.padding_token_id": 0 });
    expect(tokenizer).toMatchObject({ vocabSize: original.vocabSize, eosId: 2, padId: 0, bosId: undefined });
    for (const text of texts) {
      expect(tokenizer.encode(text), text).toEqual(original.encode(text));
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
    expect(tokenizer.specialIds.has(2)).toBe(true);
  });

  test("each name of pre cuts words as its models do", async () => {
    const pieces = async (pre: string, text: string) => {
      const tokenizer = await load(byteLevel(pre));
      return tokenizer.encode(text).map((id) => tokenizer.decode([id]));
    };
    // One token a digit, and the spaces before it stay together.
    expect(await pieces("smollm", "a   12")).toEqual(["a", "   ", "1", "2"]);
    expect((await pieces("gpt-2", "a   12")).join("|")).toBe("a|  | 1|2");
    for (const pre of ["qwen2", "llama-bpe", "tekken", "default"])
      expect((await pieces(pre, "It's 2024!\n")).join("")).toBe("It's 2024!\n");
    const json = async (pre: string) => JSON.parse((await load(byteLevel(pre))).files["tokenizer.json"]) as { [key: string]: unknown };
    expect(await json("qwen2")).toMatchObject({ normalizer: { type: "NFC" }, model: { ignore_merges: false } });
    expect(await json("llama-bpe")).toMatchObject({ normalizer: null, model: { ignore_merges: true } });
  });

  test("a name that is not known is refused, not guessed", async () => {
    await expect(load(byteLevel("nonsense"))).rejects.toMatchObject({
      code: "tokenizer/unsupported",
      message: expect.stringMatching(/tokenizer.ggml.pre is "nonsense".*smollm/),
    });
  });
});

describe("SentencePiece", () => {
  test("merges follow from the scores; bytes stand for unknown characters; a BOS is added", async () => {
    const original = await loadTokenizer(join(fixtures, "byte-fallback"));
    const tokenizer = await load({ ...byteFallback(), "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2 });
    expect(tokenizer).toMatchObject({ vocabSize: 512, bosId: 1, eosId: 2, unkId: 0 });
    for (const text of texts) {
      const ids = tokenizer.encode(text, { addSpecialTokens: false });
      expect(ids, text).toEqual(original.encode(text));
      expect(tokenizer.encode(text)).toEqual([1, ...ids]);
      expect(tokenizer.decode(ids)).toBe(original.decode(ids));
    }
  });

  test("add_bos_token and add_eos_token decide, add_space_prefix too", async () => {
    const tokenizer = await load({
      ...byteFallback(),
      "tokenizer.ggml.bos_token_id": 1,
      "tokenizer.ggml.eos_token_id": 2,
      "tokenizer.ggml.add_bos_token": false,
      "tokenizer.ggml.add_eos_token": true,
      "tokenizer.ggml.add_space_prefix": false,
    });
    const ids = tokenizer.encode("Hello");
    expect(ids.at(-1)).toBe(2);
    expect(ids[0]).not.toBe(1);
    expect(tokenizer.idToToken(ids[0]!)).not.toMatch(/^▁/);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("Hello");
  });
});

describe("chat templates", () => {
  const template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";
  test("one, and several by name", async () => {
    const one = await load({ ...byteLevel(), "tokenizer.chat_template": template });
    const messages = [{ role: "user", content: "Hi" }];
    expect(one.applyChatTemplate(messages)).toBe("<|im_start|>user\nHi<|im_end|>\n");
    const two = await load({
      ...byteLevel(),
      "tokenizer.chat_template": template,
      "tokenizer.chat_template.short": "{{ messages[0].content }}",
    });
    expect(two.applyChatTemplate(messages, { template: "short" })).toBe("Hi");
    expect(two.applyChatTemplate(messages)).toBe(one.applyChatTemplate(messages));
    expect((await load(byteLevel())).hasChatTemplate).toBe(false);
  });

  test("saved as a folder, it is the same tokenizer", async () => {
    const tokenizer = await load({ ...byteLevel("smollm"), "tokenizer.ggml.eos_token_id": 2, "tokenizer.chat_template": template });
    const folder = join(root, "saved");
    await saveTokenizer(tokenizer, folder);
    const again = await loadTokenizer(folder);
    const messages = [{ role: "user", content: texts[4] }];
    expect(again.encodeChat(messages)).toEqual(tokenizer.encodeChat(messages));
    expect(again).toMatchObject({ eosId: 2, vocabSize: tokenizer.vocabSize });
    expect(JSON.parse(await readFile(join(folder, "tokenizer_config.json"), "utf8"))).toMatchObject({
      tokenizer_class: "PreTrainedTokenizerFast",
      eos_token: "<|im_end|>",
      chat_template: template,
    });
  });
});

test("a token of an odd text, one that stands there twice, and ids for none", async () => {
  const tokenizer = await load({
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": ["a", "__proto__", "a", "7", "<end>", "a7"],
    "tokenizer.ggml.token_type": [1, 1, 1, 1, 3, 1],
    "tokenizer.ggml.merges": ["a 7"],
    "tokenizer.ggml.bos_token_id": 0xffffffff,
    "tokenizer.ggml.eos_token_id": 4,
  });
  expect(tokenizer.tokenToId("__proto__")).toBe(1);
  expect(tokenizer.tokenToId("a")).toBe(0);
  expect(tokenizer.tokenToId("7")).toBe(3);
  expect(tokenizer).toMatchObject({ bosId: undefined, eosId: 4, vocabSize: 6 });
  expect(createTokenizer(tokenizer.files).tokenToId("__proto__")).toBe(1);
});

describe("what cannot be a tokenizer", () => {
  const cases: [string, MetadataToWrite, string, RegExp][] = [
    ["none", { "general.architecture": "llama" }, "tokenizer/missing", /has no tokenizer/],
    ["another kind", { ...byteLevel(), "tokenizer.ggml.model": "bert" }, "tokenizer/unsupported", /kind "bert"/],
    ["no tokens", { "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.merges": ["a b"] }, "tokenizer/malformed", /tokens is not a list/],
    ["too few types", { ...byteLevel(), "tokenizer.ggml.token_type": [1, 2] }, "tokenizer/malformed", /token_type does not have one entry/],
    ["no scores", { ...byteFallback(), "tokenizer.ggml.scores": "none" }, "tokenizer/malformed", /scores does not have one entry/],
    ["no merges", { ...byteLevel(), "tokenizer.ggml.merges": 5 }, "tokenizer/malformed", /merges is not a list/],
    ["a merge of one", { ...byteLevel(), "tokenizer.ggml.merges": ["ab"] }, "tokenizer/malformed", /merge "ab" does not name two/],
    [
      "a merge of nothing known",
      { ...byteLevel(), "tokenizer.ggml.merges": ["qqqq zzzz"] },
      "tokenizer/malformed",
      /not in the vocabulary/,
    ],
    ["an end beyond the tokens", { ...byteLevel(), "tokenizer.ggml.eos_token_id": 99999 }, "tokenizer/malformed", /eos_token_id is 99999/],
  ];
  test.each(cases)("%s", async (_, metadata, code, message) => {
    await expect(load(metadata)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
