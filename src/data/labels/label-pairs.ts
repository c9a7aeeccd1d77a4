/** Labels → preference pairs, in TRL's columns. */

import type { Content } from "../formats/example.ts";
import { groupCurrentLabels } from "./current-labels.ts";
import type { LabelRow } from "./label-row.ts";
import { listPreferences, type RankedPairs } from "./preferences.ts";

export interface LabelPairsOptions {
  /**
   * `majority` (default): one row for each two answers of a task, where more annotators prefer the one than the other, and than those who
   * see no difference. `each`: a row for every annotator's preference.
   */
  readonly rows?: "majority" | "each";
  /** Default `all`: the K·(K−1)/2 comparisons of a ranking of K, as InstructGPT trains on (Ouyang et al. 2022, section 3.5). */
  readonly rankedPairs?: RankedPairs;
}

/** Prompt and answers are both text or both messages. */
export interface PairRow {
  readonly prompt: Content;
  readonly chosen: Content;
  readonly rejected: Content;
  /**
   * 0 … 1, where any label says how much better: strength 1, 2, 3 → 1/3, 2/3, 1 (the small margins of Llama 2: Touvron et al. 2023,
   * table 27); not said: 0.
   */
  readonly margin?: number;
  readonly task: string;
  readonly chosen_model?: string;
  readonly rejected_model?: string;
  /** Annotators who prefer it; and those who prefer the other, or see no difference. */
  readonly votes: readonly [number, number];
  /** Where people chose, where they rewrote an answer. */
  readonly source: "label" | "edit";
}

type Pair = Omit<PairRow, "margin"> & { readonly strength: number | null };

/** Pairs of the labels that count (see `groupCurrentLabels`), in the order in which their tasks were first labelled. */
export function makeLabelPairs(labels: Iterable<LabelRow>, options: LabelPairsOptions = {}): PairRow[] {
  return finishPairs(groupCurrentLabels(labels).flatMap((group) => makeTaskPairs(group, options)));
}

/** The same without holding others up: thousands of labels at a time, and what else waits in between. */
export async function makeLabelPairsInTurns(
  labels: Iterable<LabelRow>,
  options: LabelPairsOptions,
  giveWay: () => Promise<unknown>,
): Promise<PairRow[]> {
  const groups = groupCurrentLabels(labels);
  const pairs: Pair[] = [];
  for (const [i, group] of groups.entries()) {
    if (i % turnLength === turnLength - 1) await giveWay();
    pairs.push(...makeTaskPairs(group, options));
  }
  return finishPairs(pairs);
}

/** Tasks, a few milliseconds. */
const turnLength = 1000;

function makeTaskPairs(group: readonly LabelRow[], { rows = "majority", rankedPairs = "all" }: LabelPairsOptions): Pair[] {
  const votings = rows === "majority" ? [group] : group.map((label) => [label]);
  return [...votings.flatMap((voting) => countVotes(voting, rankedPairs)), ...group.flatMap(makeEditPair)];
}

function finishPairs(pairs: readonly Pair[]): PairRow[] {
  // A column that some rows lack is read as null by other programs.
  const hasMargins = pairs.some(({ strength }) => strength !== null);
  return pairs.map(({ strength, prompt, chosen, rejected, ...rest }) => ({
    prompt,
    chosen,
    rejected,
    ...(hasMargins ? { margin: round(strength ?? 0) } : {}),
    ...rest,
  }));
}

function countVotes(labels: readonly LabelRow[], rankedPairs: RankedPairs): Pair[] {
  const label = labels[0];
  const counts = new Map<string, { first: number; second: number; tie: number; strengths: { first: number[]; second: number[] } }>();
  for (const { first, second, verdict, strength } of labels.flatMap((given) => listPreferences(given, rankedPairs))) {
    const key = `${first} ${second}`;
    const count = counts.get(key) ?? { first: 0, second: 0, tie: 0, strengths: { first: [], second: [] } };
    counts.set(key, count);
    count[verdict]++;
    if (verdict !== "tie" && strength !== null) count.strengths[verdict].push(strength);
  }
  return [...counts].flatMap(([key, { first, second, tie, strengths }]) => {
    const side = first > second ? "first" : "second";
    const [most, other] = [Math.max(first, second), Math.min(first, second)];
    if (most <= other || most <= tie) return [];
    const positions = key.split(" ").map(Number);
    const [chosen, rejected] = side === "first" ? positions : positions.toReversed();
    const said = strengths[side];
    const strength = said.length === 0 ? null : said.reduce((sum, value) => sum + value, 0) / most;
    return makePair(label, label.candidates[chosen], label.candidates[rejected], { strength, votes: [most, other + tie], source: "label" });
  });
}

function makeEditPair(label: LabelRow): Pair[] {
  const { edit, choice } = label;
  if (edit === undefined || choice === "skip" || choice === "flag") return [];
  const before = label.candidates[edit.candidate];
  return makePair(label, { text: edit.text }, before, { strength: null, votes: [1, 0], source: "edit" });
}

type Answer = LabelRow["candidates"][number];

function makePair(label: LabelRow, chosen: Answer, rejected: Answer, rest: Pick<Pair, "strength" | "votes" | "source">): Pair[] {
  // Nothing to learn from: a reward model can only answer 0.
  if (chosen.text === rejected.text) return [];
  const { prompt, task } = label;
  const wrap = (text: string): Content => (typeof prompt === "string" ? text : [{ role: "assistant", content: text }]);
  return [
    {
      prompt,
      chosen: wrap(chosen.text),
      rejected: wrap(rejected.text),
      task,
      ...(chosen.model === undefined ? {} : { chosen_model: chosen.model }),
      ...(rejected.model === undefined ? {} : { rejected_model: rejected.model }),
      ...rest,
    },
  ];
}

const round = (value: number): number => Math.round(value * 1e4) / 1e4;
