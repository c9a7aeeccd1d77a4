import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { trainBPE } from "./bpe-trainer.ts";
import { createBPEModel } from "./bpe-model.ts";
import { createTokenizer } from "./hugging-face.ts";

const source = readFileSync(new URL("hugging-face.ts", import.meta.url), "utf8");
const train = (texts: Iterable<string> | AsyncIterable<string>, vocabSize: number, more = {}) =>
  trainBPE(texts, { vocabSize, specialTokens: ["<|endoftext|>"], ...more });
const tokensOf = (json: Awaited<ReturnType<typeof trainBPE>>) => Object.keys(json.model.vocab as object);

describe("trainBPE", () => {
  test("a case by hand: low, lower, newest, widest (Sennrich et al. 2016)", async () => {
    const texts = ["low ".repeat(5), "lower ".repeat(2), "newest ".repeat(6), "widest ".repeat(3)].map((text) => text.trimEnd());
    const json = await train(texts, 257 + 4);
    // " newest" 5 and "newest" 1 and so on: e+s 9, then es+t 9, then l+o 7, then lo+w 7.
    expect(json.model.merges).toEqual([
      ["e", "s"],
      ["es", "t"],
      ["l", "o"],
      ["lo", "w"],
    ]);
  });

  test("ids: special tokens, bytes, merges; the same from any stream", async () => {
    const json = await train([source], 400);
    const vocab = json.model.vocab as { [token: string]: number };
    expect(vocab["<|endoftext|>"]).toBe(0);
    expect(vocab["!"]).toBe(1);
    expect(Object.values(vocab).sort((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, i) => i));
    async function* stream() {
      yield source;
    }
    expect(JSON.stringify(await train(stream(), 400))).toBe(JSON.stringify(json));
  });

  test("any text comes back", async () => {
    const tokenizer = createTokenizer({ "tokenizer.json": JSON.stringify(await train([source], 500)) });
    expect(tokenizer.encode(source).length).toBeLessThan(source.length / 2);
    expect(tokenizer.decode(tokenizer.encode(source))).toBe(source);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), fc.string()), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test("repeats inside a word: a+a in aaaa", async () => {
    const json = await train(["aaaa aaaa"], 257 + 2);
    expect(json.model.merges).toEqual([
      ["a", "a"],
      ["aa", "aa"],
    ]);
  });

  test("stops where pairs are too rare; BOS by the post-processor", async () => {
    const json = await train(["ab ab cd"], 1000, { bosToken: "<|endoftext|>" });
    expect(tokensOf(json)).toHaveLength(257 + 1);
    expect(createTokenizer({ "tokenizer.json": JSON.stringify(json) }).encode("ab")).toEqual([0, 257]);
    expect(createTokenizer({ "tokenizer.json": JSON.stringify(json) }).encode("ab", { addSpecialTokens: false })).toEqual([257]);
  });

  test("wrong options and empty text", async () => {
    await expect(train(["a"], 256)).rejects.toThrow(/at least 257/);
    await expect(train([], 300)).rejects.toMatchObject({ code: "tokenizer/empty" });
    await expect(train([""], 300)).rejects.toThrow(/empty/);
    await expect(train(["a"], 300, { bosToken: "<s>" })).rejects.toThrow(/"<s>" is not among/);
  });
});

test("long words by heap and short ones by scanning agree", async () => {
  const json = await train([source], 600);
  const model = createBPEModel(json.model, true);
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("a", "e", "t", "th", "in", "token", "er", "\n", " "), { minLength: 33, maxLength: 200 }),
      (pieces) => {
        const word = pieces.join("");
        const byHeap: number[] = [];
        model.encodeWord(word, byHeap);
        expect(byHeap).toEqual(encodeSlowly(word, json));
      },
    ),
  );
});

/** The definition: apply each merge in order of rank, everywhere, from the left. */
function encodeSlowly(word: string, { model }: Awaited<ReturnType<typeof trainBPE>>): number[] {
  const vocab = model.vocab as { [token: string]: number };
  let symbols = Array.from(word, (char) => (char === " " ? "Ġ" : char === "\n" ? "Ċ" : char));
  for (const [left, right] of model.merges as [string, string][]) {
    const merged: string[] = [];
    for (let i = 0; i < symbols.length; i++) {
      if (symbols[i] === left && symbols[i + 1] === right) merged.push(left + symbols[++i]!);
      else merged.push(symbols[i]!);
    }
    symbols = merged;
  }
  return symbols.map((token) => vocab[token]!);
}
