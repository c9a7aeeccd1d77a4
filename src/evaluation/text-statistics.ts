/** What completions look like in numbers: the first signs of a policy that games its reward. */
import { listNGrams, measureDistinct, splitWords } from "../rewards/index.ts";
import { mean } from "./interval.ts";

export interface TextStatistics {
  /** Words a text. */
  readonly meanWords: number;
  /** Different unigrams and bigrams ÷ all, over all texts together; 0 where there are none. Comparable for equally many texts of equal length only. */
  readonly distinct1: number;
  readonly distinct2: number;
  /** Share of words that only repeat the word before them ("great great great" has 2/3). */
  readonly repetition: number;
  /** Share of trigrams that were there before in the same text. */
  readonly repeatedTrigrams: number;
  /** Share of texts without any word. */
  readonly empty: number;
}

export function measureTexts(texts: readonly string[]): TextStatistics {
  const lists = texts.map(splitWords);
  const words = lists.reduce((sum, list) => sum + list.length, 0);
  const repeats = lists.reduce((sum, list) => sum + list.filter((word, i) => i > 0 && word === list[i - 1]).length, 0);
  const trigrams = lists.map((list) => listNGrams(list, 3));
  const allTrigrams = trigrams.reduce((sum, list) => sum + list.length, 0);
  const newTrigrams = trigrams.reduce((sum, list) => sum + new Set(list).size, 0);
  return {
    meanWords: mean(lists.map((list) => list.length)),
    distinct1: measureDistinct(lists, 1) ?? 0,
    distinct2: measureDistinct(lists, 2) ?? 0,
    repetition: words === 0 ? 0 : repeats / words,
    repeatedTrigrams: allTrigrams === 0 ? 0 : 1 - newTrigrams / allTrigrams,
    empty: mean(lists.map((list) => (list.length === 0 ? 1 : 0))),
  };
}
