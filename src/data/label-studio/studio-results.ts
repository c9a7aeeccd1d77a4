/** What one annotation of Label Studio says, found by the type of its results: names of controls are everybody's own. */

import { RowProblem } from "../formats/read-values.ts";
import { isRow, type Row } from "../row.ts";

/** What `value.selected` may call the two sides besides `left` and `right`. */
export interface SideNames {
  readonly left: readonly string[];
  readonly right: readonly string[];
  /** Columns of the data that are on the left and on the right, where the configuration says so. */
  readonly columns?: readonly [left: string, right: string] | undefined;
}

export interface StudioVerdict {
  /** Null: nothing was chosen, or a ranking or ratings say more. */
  readonly choice: "left" | "right" | "tie" | "both_bad" | "skip" | "flag" | null;
  /** Ids of a list's items, best first. */
  readonly ranking?: readonly string[];
  /** Names of the objects that were rated, and their numbers. */
  readonly ratings?: ReadonlyMap<string, number>;
  readonly comment?: string;
  /** It chose both sides. */
  readonly isContradiction?: true;
}

const verdicts: { readonly [value: string]: "tie" | "both_bad" | "skip" | "flag" } = {
  tie: "tie",
  equal: "tie",
  same: "tie",
  draw: "tie",
  both_good: "tie",
  both_bad: "both_bad",
  neither: "both_bad",
  skip: "skip",
  flag: "flag",
};

/** `Both bad` and `both-bad` are `both_bad`; undefined for any other word. */
export function parseVerdict(value: string): "tie" | "both_bad" | "skip" | "flag" | undefined {
  const word = value
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, "_");
  return Object.hasOwn(verdicts, word) ? verdicts[word] : undefined;
}

/**
 * Reads an annotation's list of results. A verdict of `Choices` (tie, both bad) counts more than a side that is selected too: whoever
 * ticks it says that the difference is not worth a pair.
 * @throws {RowProblem} a side that is neither
 */
export function readStudioResults(results: readonly unknown[], sides: SideNames): StudioVerdict {
  const chosen = new Set<"left" | "right">();
  let verdict: "tie" | "both_bad" | "skip" | "flag" | undefined;
  let ranking: string[] | undefined;
  const ratings = new Map<string, number>();
  const comments: string[] = [];
  for (const result of results) {
    if (!isRow(result)) continue;
    const value = isRow(result["value"]) ? result["value"] : {};
    switch (result["type"]) {
      case "pairwise":
        chosen.add(readSide(value["selected"], sides));
        break;
      case "choices":
        for (const word of listTexts(value["choices"])) {
          verdict ??= parseVerdict(word);
          const side = findSide(word, sides);
          if (side !== undefined) chosen.add(side);
        }
        break;
      case "ranker":
        ranking = readRanking(value["ranker"]) ?? ranking;
        break;
      case "rating":
        if (typeof value["rating"] === "number") ratings.set(String(result["to_name"]), value["rating"]);
        break;
      case "textarea":
        comments.push(...listTexts(value["text"]));
        break;
    }
  }
  const [side] = chosen;
  const said = comments.join("\n").trim();
  return {
    choice: verdict ?? (chosen.size === 1 && side !== undefined ? side : null),
    ...(ranking === undefined ? {} : { ranking }),
    ...(ratings.size === 0 ? {} : { ratings }),
    ...(said === "" ? {} : { comment: said }),
    ...(chosen.size > 1 && verdict === undefined ? { isContradiction: true } : {}),
  };
}

function readSide(selected: unknown, sides: SideNames): "left" | "right" {
  // Other labels are lists of one.
  const value: unknown = Array.isArray(selected) && selected.length === 1 ? selected[0] : selected;
  const side = typeof value === "string" ? findSide(value, sides) : undefined;
  if (side !== undefined) return side;
  throw new RowProblem(`expected left or right as the selected side, found ${JSON.stringify(selected) ?? "nothing"}`);
}

function findSide(value: string, { left, right }: SideNames): "left" | "right" | undefined {
  if (value === "left" || left.includes(value)) return "left";
  return value === "right" || right.includes(value) ? "right" : undefined;
}

/** Items in buckets have no order between the buckets: only a single list is a ranking. */
function readRanking(ranker: unknown): string[] | undefined {
  const lists = isRow(ranker) ? Object.values(ranker) : [ranker];
  const [list] = lists;
  return lists.length === 1 && Array.isArray(list) ? list.map(String) : undefined;
}

function listTexts(value: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((item) => typeof item === "string");
}

/** Label Studio's annotations; `completions` before 2021. Undefined where the row has neither. */
export function listAnnotations(row: Row): readonly unknown[] | undefined {
  const list = row["annotations"] ?? row["completions"];
  return Array.isArray(list) ? list : undefined;
}
