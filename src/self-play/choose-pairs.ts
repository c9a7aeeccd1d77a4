/** Graded answers → pairs of a better and a worse one. */

export interface GradedAnswer {
  readonly text: string;
  /** Tokens, the end token included. */
  readonly tokens: number;
  /** Null: void. */
  readonly score: number | null;
}

export interface ChosenPair {
  readonly chosen: GradedAnswer & { readonly score: number };
  readonly rejected: GradedAnswer & { readonly score: number };
}

export interface PairOptions {
  /** Best and worst whose scores differ by no more are a tie. */
  readonly tieWithin: number;
  /**
   * Length control after Wu et al. 2024 ("Meta-Rewarding Language Models", arXiv 2407.19594), their ρ: answers within this share of
   * the range of scores from the best are as good as the best, and the shortest of them is chosen; the longest of those as near to the
   * worst is rejected. 0: off.
   */
  readonly lengthTier: number;
}

/** Empty answers are in no pair: there is nothing to learn from them, and DPO refuses them. */
export const isEmptyAnswer = (text: string): boolean => text.trim() === "";

/**
 * The pair of one prompt, as Yuan et al. 2024 (arXiv 2401.10020) choose it: highest score against lowest; `tie` where these are equal, `void`
 * where fewer than two answers have words and a score. Of equally good ones the first counts. A tie says something about this prompt only.
 *
 * The same words with two scores (a sampled judge's) teach nothing: then it is the best against the worst of the others, or the best of
 * the others against the worst, whichever lie further apart.
 */
export function choosePair(answers: readonly GradedAnswer[], { tieWithin, lengthTier }: PairOptions): ChosenPair | "tie" | "void" {
  const graded = answers.filter((answer): answer is Graded => answer.score !== null && !isEmptyAnswer(answer.text));
  if (graded.length < 2) return "void";
  const scores = graded.map(({ score }) => score);
  const [low, high] = [Math.min(...scores), Math.max(...scores)];
  if (high - low <= tieWithin) return "tie";
  const tier = lengthTier * (high - low);
  const chosen = pickChosen(graded, tier);
  const rejected = pickRejected(graded, tier);
  if (chosen.text !== rejected.text) return { chosen, rejected };
  const others = graded.filter(({ text }) => text !== chosen.text);
  if (others.length === 0) return "tie";
  const pairs: ChosenPair[] = [
    { chosen, rejected: pickRejected(others, tier) },
    { chosen: pickChosen(others, tier), rejected },
  ];
  const gap = (pair: ChosenPair): number => pair.chosen.score - pair.rejected.score;
  const pair = pickBest(pairs, gap);
  return gap(pair) <= tieWithin ? "tie" : pair;
}

type Graded = ChosenPair["chosen"];

/** The best; with a tier, the shortest of those as good. */
function pickChosen(graded: readonly Graded[], tier: number): Graded {
  const high = Math.max(...graded.map(({ score }) => score));
  return pickBest(
    graded.filter(({ score }) => score >= high - tier),
    (answer) => (tier > 0 ? -answer.tokens : answer.score),
  );
}

/** The worst; with a tier, the longest of those as bad. */
function pickRejected(graded: readonly Graded[], tier: number): Graded {
  const low = Math.min(...graded.map(({ score }) => score));
  return pickBest(
    graded.filter(({ score }) => score <= low + tier),
    (answer) => (tier > 0 ? answer.tokens : -answer.score),
  );
}

function pickBest<T>(items: readonly T[], value: (item: T) => number): T {
  return items.reduce((best, item) => (value(item) > value(best) ? item : best));
}
