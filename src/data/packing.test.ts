import { readFileSync } from "node:fs";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { packTexts } from "./packing.ts";
import type { TokenizedText } from "./tokenise-text.ts";

type Case = { seq: number; lens: number[]; bfd: [number[][], number[][]]; bfd_split: [number[][], number[][]]; wrapped: number[][] };
const cases = JSON.parse(readFileSync(new URL("../../test/fixtures/data/packing.json", import.meta.url), "utf8")) as Case[];

function makeTexts(lengths: readonly number[]): TokenizedText[] {
  let next = 0;
  return lengths.map((length) => ({ inputIds: Array.from({ length }, () => next++), completionMask: new Uint8Array(length).fill(1) }));
}

describe("packTexts", () => {
  it.each(cases.map((c) => [c.seq, c.lens.length, c] as const))("gives TRL's rows in TRL's order (max_length %i, %i texts)", (_, __, c) => {
    for (const strategy of ["bfd", "bfd_split"] as const) {
      const packed = packTexts(makeTexts(c.lens), { maxLength: c.seq, strategy });
      expect(packed.map((row) => row.inputIds)).toEqual(c[strategy][0]);
      expect(packed.map((row) => row.seqLengths)).toEqual(c[strategy][1]);
    }
    expect(packTexts(makeTexts(c.lens), { maxLength: c.seq, strategy: "wrapped" }).map((row) => row.inputIds)).toEqual(c.wrapped);
  });

  it("masks the first token of each text, and keeps the texts' own masks", () => {
    const texts = [
      { inputIds: [1, 2, 3], completionMask: Uint8Array.of(0, 0, 1) },
      { inputIds: [4, 5], completionMask: Uint8Array.of(1, 1) },
    ];
    expect(packTexts(texts, { maxLength: 8 })).toEqual([
      { inputIds: [1, 2, 3, 4, 5], completionMask: Uint8Array.of(0, 0, 1, 0, 1), seqLengths: [3, 2] },
    ]);
    expect(texts[1]!.completionMask).toEqual(Uint8Array.of(1, 1));
  });

  it("never loses or repeats a token when it splits, and never exceeds max_length", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 40 }), fc.integer({ min: 1, max: 12 }), (lengths, maxLength) => {
        const texts = makeTexts(lengths);
        for (const strategy of ["bfd_split", "wrapped"] as const) {
          const packed = packTexts(texts, { maxLength, strategy, chunk: 7 });
          expect(packed.every((row) => row.inputIds.length <= maxLength && row.inputIds.length > 0)).toBe(true);
          expect(packed.flatMap((row) => row.inputIds).sort((a, b) => a - b)).toEqual(texts.flatMap((text) => text.inputIds));
        }
      }),
    );
  });

  it("refuses a row of no length", () => {
    expect(() => packTexts([], { maxLength: 0 })).toThrow(/max_length/);
  });
});
