import { describe, expect, it } from "vitest";
import { trainTrigram } from "./trigram.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("trainTrigram", () => {
  it("knows nothing: eight bits a byte", () => {
    expect(trainTrigram([]).bitsPerByte([bytes("anything")])).toBe(8);
  });

  it("sums to one over the next byte", () => {
    const model = trainTrigram([bytes("abracadabra, abracadabra")]);
    let total = 0;
    for (let next = 0; next < 256; next++) {
      const withNext = model.bitsPerByte([Uint8Array.of(97, 98, next)]) * 3;
      const without = model.bitsPerByte([Uint8Array.of(97, 98)]) * 2;
      total += 2 ** -(withNext - without);
    }
    expect(total).toBeCloseTo(1, 9);
  });

  it("has learnt what it has seen often", () => {
    const model = trainTrigram([bytes("the cat ".repeat(200))]);
    expect(model.bitsPerByte([bytes("the cat the cat ")])).toBeLessThan(0.7);
    expect(model.bitsPerByte([bytes("zqxj wvkp")])).toBeGreaterThan(8);
  });
});
