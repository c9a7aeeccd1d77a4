/**
 * A byte trigram model with Witten–Bell smoothing (Witten & Bell 1991): the yardstick that a language model
 * has to beat to have learnt more than spelling.
 */
export interface TrigramModel {
  /** Bits a byte of the text. */
  bitsPerByte(texts: Iterable<Uint8Array>): number;
}

export function trainTrigram(texts: Iterable<Uint8Array>): TrigramModel {
  const counts = [new Float64Array(256), new Uint32Array(1 << 16), new Uint32Array(1 << 24)] as const;
  for (const text of texts) {
    let context = 0;
    for (const [i, byte] of text.entries()) {
      counts[0][byte]++;
      context = ((context << 8) | byte) & 0xffffff;
      if (i >= 1) counts[1][context & 0xffff]++;
      if (i >= 2) counts[2][context]++;
    }
  }
  const after = [summarize(counts[0], 1), summarize(counts[1], 256), summarize(counts[2], 1 << 16)];

  const probability = (order: 0 | 1 | 2, context: number, byte: number): number => {
    const lower = order === 0 ? 1 / 256 : probability((order - 1) as 0 | 1, context & 0xff, byte);
    const { total, distinct } = after[order];
    const history = order === 0 ? 0 : context;
    if (total[history] === 0) return lower;
    const seen = counts[order][order === 0 ? byte : context * 256 + byte];
    return (seen + distinct[history] * lower) / (total[history] + distinct[history]);
  };

  return {
    bitsPerByte(held) {
      let bits = 0;
      let bytes = 0;
      for (const text of held) {
        let context = 0;
        for (const [i, byte] of text.entries()) {
          const order = Math.min(i, 2) as 0 | 1 | 2;
          bits -= Math.log2(probability(order, order === 2 ? context : context & 0xff, byte));
          context = ((context << 8) | byte) & 0xffff;
        }
        bytes += text.length;
      }
      return bits / bytes;
    },
  };
}

/** For each history: how often it was followed by anything, and by how many different bytes. */
function summarize(counts: ArrayLike<number>, histories: number): { total: Float64Array; distinct: Float64Array } {
  const total = new Float64Array(histories);
  const distinct = new Float64Array(histories);
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] === 0) continue;
    total[i >> 8] += counts[i];
    distinct[i >> 8]++;
  }
  return { total, distinct };
}
