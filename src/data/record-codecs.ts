import type { PackedText } from "./packing.ts";
import type { RecordCodec } from "./record-store.ts";
import type { TokenizedCompletion, TokenizedPair } from "./tokenise-pair.ts";

/** `[ids, runs, sequences, run lengths (0s first, then 1s, …) …, sequence lengths …, ids …]` */
export const textCodec: RecordCodec<PackedText> = {
  pack({ inputIds, completionMask, seqLengths = [] }) {
    const runs: number[] = [];
    let current = 0;
    let length = 0;
    for (const bit of completionMask) {
      if (bit === current) length++;
      else {
        runs.push(length);
        current = bit;
        length = 1;
      }
    }
    runs.push(length);
    return join([inputIds.length, runs.length, seqLengths.length], runs, seqLengths, inputIds);
  },
  unpack(words) {
    const [ids, runs, sequences] = [words[0]!, words[1]!, words[2]!];
    const completionMask = new Uint8Array(ids);
    let at = 0;
    for (let r = 0; r < runs; r++) {
      const length = words[3 + r]!;
      if (r % 2 === 1) completionMask.fill(1, at, at + length);
      at += length;
    }
    const idsFrom = 3 + runs + sequences;
    const text = { inputIds: Array.from(words.subarray(idsFrom, idsFrom + ids)), completionMask };
    return sequences === 0 ? text : { ...text, seqLengths: Array.from(words.subarray(3 + runs, idsFrom)) };
  },
};

/** `[prompt, chosen, rejected, has margin, margin (64 bits), ids …]` */
export const pairCodec: RecordCodec<TokenizedPair> = {
  pack({ promptIds, chosenIds, rejectedIds, margin }) {
    const bits = new Int32Array(Float64Array.of(margin ?? 0).buffer);
    const head = [promptIds.length, chosenIds.length, rejectedIds.length, margin === undefined ? 0 : 1, bits[0]!, bits[1]!];
    return join(head, promptIds, chosenIds, rejectedIds);
  },
  unpack(words) {
    const chosenFrom = 6 + words[0]!;
    const rejectedFrom = chosenFrom + words[1]!;
    const pair = {
      promptIds: Array.from(words.subarray(6, chosenFrom)),
      chosenIds: Array.from(words.subarray(chosenFrom, rejectedFrom)),
      rejectedIds: Array.from(words.subarray(rejectedFrom, rejectedFrom + words[2]!)),
    };
    return words[3] === 0 ? pair : { ...pair, margin: new Float64Array(Int32Array.of(words[4]!, words[5]!).buffer)[0]! };
  },
};

/** `[prompt, label, ids …]` */
export const completionCodec: RecordCodec<TokenizedCompletion> = {
  pack: ({ promptIds, completionIds, label }) => join([promptIds.length, label ? 1 : 0], promptIds, completionIds),
  unpack: (words) => ({
    promptIds: Array.from(words.subarray(2, 2 + words[0]!)),
    completionIds: Array.from(words.subarray(2 + words[0]!)),
    label: words[1] === 1,
  }),
};

export const idsCodec: RecordCodec<number[]> = { pack: (ids) => Int32Array.from(ids), unpack: (words) => Array.from(words) };

function join(...lists: readonly (readonly number[])[]): Int32Array {
  let length = 0;
  for (const list of lists) length += list.length;
  const words = new Int32Array(length);
  let at = 0;
  for (const list of lists) {
    words.set(list, at);
    at += list.length;
  }
  return words;
}
