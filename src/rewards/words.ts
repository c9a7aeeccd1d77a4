/** Words and their sequences: what rules and evaluation both count. */

/** Lower-case words: letters, digits and inner apostrophes; everything else separates. */
export function splitWords(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*/gu) ?? [];
}

/** The n-grams of a list, as strings that are equal where the n-grams are. */
export function listNGrams(words: readonly (string | number)[], n: number): string[] {
  return Array.from({ length: Math.max(0, words.length - n + 1) }, (_, i) => words.slice(i, i + n).join("\u0000"));
}

/** Different n-grams ÷ n-grams, of all lists together (distinct-n, Li et al. 2016, arXiv 1510.03055); undefined where there are none. */
export function measureDistinct(lists: readonly (readonly (string | number)[])[], n: number): number | undefined {
  const all = lists.flatMap((words) => listNGrams(words, n));
  return all.length === 0 ? undefined : new Set(all).size / all.length;
}
