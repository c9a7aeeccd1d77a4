import type { LabelRow } from "./label-row.ts";

/** What a label says of two candidates, first < second. */
export interface Preference {
  readonly first: number;
  readonly second: number;
  readonly verdict: "first" | "second" | "tie";
  /** How much better, 0 … 1; null: not said. */
  readonly strength: number | null;
}

/** Which candidates of a ranking are compared: each with each, or only neighbours. */
export type RankedPairs = "all" | "adjacent";

/**
 * What a label says of each two candidates. Skips, flags and undos say nothing; both bad is a tie. A ranking says nothing of how much
 * better; of ratings it is their difference, as a share of the largest that is possible.
 */
export function listPreferences(label: LabelRow, rankedPairs: RankedPairs = "all"): Preference[] {
  const { choice, candidates, ranking, ratings, strength } = label;
  if (label.undoes !== undefined || choice === "skip" || choice === "flag") return [];
  const preferences: Preference[] = [];
  const place = ranking === undefined ? undefined : candidates.map((_, i) => ranking.findIndex((group) => group.includes(i)));
  for (let first = 0; first < candidates.length; first++) {
    for (let second = first + 1; second < candidates.length; second++) {
      const preference = compare(first, second);
      if (preference !== undefined) preferences.push({ first, second, ...preference });
    }
  }
  return preferences;

  function compare(first: number, second: number): Pick<Preference, "verdict" | "strength"> | undefined {
    if (choice === "a" || choice === "b")
      return { verdict: choice === "a" ? "first" : "second", strength: strength === undefined ? null : strength / 3 };
    if (choice !== null) return { verdict: "tie", strength: null };
    if (place !== undefined) {
      const behind = place[second] - place[first];
      if (rankedPairs === "adjacent" && Math.abs(behind) > 1) return undefined;
      return { verdict: nameSide(behind), strength: null };
    }
    const [one, other] = [ratings?.[first] ?? null, ratings?.[second] ?? null];
    if (one === null || other === null) return undefined;
    const range = (label.rating_max ?? Math.max(5, ...(ratings ?? []).map((rating) => rating ?? 0))) - 1;
    return { verdict: nameSide(one - other), strength: Math.min(1, Math.abs(one - other) / range) };
  }
}

function nameSide(lead: number): Preference["verdict"] {
  if (lead === 0) return "tie";
  return lead > 0 ? "first" : "second";
}
