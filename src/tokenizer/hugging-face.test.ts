import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createTokenizer } from "./hugging-face.ts";
import type { TokenizerJson } from "./tokenizer-json.ts";

const fixtures = new URL("../../test/fixtures/tokenizers/", import.meta.url);
const readFixture = (path: string) => readFileSync(new URL(path, fixtures), "utf8");

type Golden = {
  texts: string[];
  cases: {
    name: string;
    base: string;
    patch: { [component: string]: unknown };
    ids: number[][];
    plain?: number[][];
    decoded: string[];
    random: { ids: number[]; text: string; skipped: string }[];
  }[];
};
const golden = JSON.parse(readFixture("golden.json")) as Golden;

function createCase({ base, patch }: Golden["cases"][number]) {
  const json = JSON.parse(readFixture(`${base}/tokenizer.json`)) as TokenizerJson;
  for (const [key, value] of Object.entries(patch)) {
    if (key in json.model || key === "ignore_merges") json.model[key] = value;
    else Object.assign(json, { [key]: value });
  }
  return createTokenizer({ "tokenizer.json": JSON.stringify(json) });
}

describe.each(golden.cases)("$name agrees with Python's tokenizers", (item) => {
  const tokenizer = createCase(item);
  test("ids", () => {
    const ids = golden.texts.map((text) => [text, tokenizer.encode(text)]);
    expect(ids).toEqual(golden.texts.map((text, i) => [text, item.ids[i]]));
    const plain = golden.texts.map((text) => tokenizer.encode(text, { addSpecialTokens: false }));
    expect(plain).toEqual(item.plain ?? item.ids);
  });
  test("texts", () => {
    expect(item.ids.map((ids) => tokenizer.decode(ids))).toEqual(item.decoded);
    for (const { ids, text, skipped } of item.random) {
      expect(tokenizer.decode(ids)).toBe(text);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(skipped);
    }
  });
  test("a second time, from the cache", () => {
    expect(golden.texts.map((text) => tokenizer.encode(text))).toEqual(item.ids);
  });
});
