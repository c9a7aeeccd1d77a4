/** Labels as `spar label` stores them, as comparisons and grades of a judge: undone and revised ones left out, a task's annotators together. */
import { groupCurrentLabels, type LabelRow, listPreferences } from "../../data/index.ts";
import type { Verdict } from "../judge.ts";
import type { HumanLabels } from "./human-judge.ts";
import type { LabelledAnswer, LabelledComparison } from "./labelled-row.ts";

/** Each two answers of a task are a comparison with the verdicts of all who compared them; ratings are grades of single answers too. */
export function readHumanLabels(labels: readonly LabelRow[]): HumanLabels {
  const comparisons: LabelledComparison[] = [];
  const answers: LabelledAnswer[] = [];
  for (const group of groupCurrentLabels(labels)) {
    const { prompt, candidates, task } = group[0];
    const verdicts = new Map<string, { a: number; b: number; labels: Verdict[] }>();
    for (const { first, second, verdict } of group.flatMap((label) => listPreferences(label))) {
      const key = `${first} ${second}`;
      const known = verdicts.get(key) ?? { a: first, b: second, labels: [] };
      known.labels.push(verdict === "tie" ? "tie" : verdict === "first" ? "a" : "b");
      verdicts.set(key, known);
    }
    const columns = { task };
    for (const { a, b, labels: said } of verdicts.values())
      comparisons.push({ prompt, a: candidates[a].text, b: candidates[b].text, columns, labels: said, hasSides: true });
    for (const [index, { text }] of candidates.entries()) {
      const scores = group.flatMap(({ ratings }) => ratings?.[index] ?? []);
      if (scores.length > 0) answers.push({ prompt, answer: text, columns, scores });
    }
  }
  return { comparisons, answers };
}
