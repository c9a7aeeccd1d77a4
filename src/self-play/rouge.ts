/** ROUGE-L (Lin 2004): how much of two texts is the same words in the same order. */
import { splitWords } from "../rewards/index.ts";

/** F-measure of the longest common subsequence of words, 0 to 1; two texts without words are equal. */
export function measureRougeL(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return a.length === b.length ? 1 : 0;
  return (2 * longestCommon(a, b)) / (a.length + b.length);
}

function longestCommon(a: readonly string[], b: readonly string[]): number {
  let row = new Uint32Array(b.length + 1);
  for (const word of a) {
    const next = new Uint32Array(b.length + 1);
    for (let j = 0; j < b.length; j++) next[j + 1] = word === b[j] ? row[j] + 1 : Math.max(row[j + 1], next[j]);
    row = next;
  }
  return row[b.length];
}

/** Tells whether a text is too near to one that was let through before; what is not is remembered. */
export function createDuplicateFilter(limit: number, known: Iterable<string> = []): (text: string) => boolean {
  const seen = [...known].map(splitWords);
  return (text) => {
    const words = splitWords(text);
    // F ≤ 2·min ÷ (sum): most others need no look.
    const isNear = (other: readonly string[]): boolean =>
      2 * Math.min(words.length, other.length) > limit * (words.length + other.length) && measureRougeL(words, other) > limit;
    const isDuplicate = seen.some(isNear);
    if (!isDuplicate) seen.push(words);
    return isDuplicate;
  };
}
