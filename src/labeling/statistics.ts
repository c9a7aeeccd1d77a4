/** What the labels of a project say together: how many of what, how far people agree, and where they do not. */

import { type LabelChoice, type LabelRow, listPreferences } from "../data/index.ts";
import { measureDivision, measureKrippendorffAlpha, measurePairAgreement, measureRawAgreement, type Unit } from "./agreement.ts";
import { type LabelBias, measureBias } from "./bias.ts";

export interface LabelStatistics {
  readonly labels: number;
  /** By choice as shown: pairs only. */
  readonly choices: { readonly left: number; readonly right: number } & { readonly [choice in Exclude<LabelChoice, "a" | "b">]: number };
  readonly agreement: LabelAgreement;
  readonly bias: readonly LabelBias[];
}

export interface LabelAgreement {
  /** Tasks that at least two people have labelled. */
  readonly tasks: number;
  readonly raw: number | null;
  readonly rawWithoutTies: number | null;
  readonly krippendorffAlpha: number | null;
  readonly krippendorffAlphaWithoutTies: number | null;
  readonly cohen: readonly {
    readonly a: string;
    readonly b: string;
    readonly tasks: number;
    readonly raw: number;
    readonly kappa: number | null;
  }[];
}

export interface DividedTask {
  readonly task: string;
  readonly labels: readonly LabelRow[];
  /** 0: all agree, 1: as divided as can be. */
  readonly entropy: number;
}

/** a, b, tie. */
const verdictKinds = 3;
/** More would be a table that nobody reads, and a square of the annotators. */
const mostPairsOfAnnotators = 200;

/** Of the labels that count. */
export function measureLabels(labels: readonly LabelRow[]): LabelStatistics {
  const choices = { left: 0, right: 0, tie: 0, both_bad: 0, skip: 0, flag: 0 };
  for (const { choice, order } of labels) {
    if (choice === null) continue;
    if (choice === "a" || choice === "b") choices[order[0] === (choice === "a" ? 0 : 1) ? "left" : "right"]++;
    else choices[choice]++;
  }
  const annotators = groupBy(labels, ({ annotator }) => annotator);
  const bias = [measureBias(labels, null), ...[...annotators].map(([name, given]) => measureBias(given, name))];
  return { labels: labels.length, choices, agreement: measureAgreement(labels), bias };
}

function measureAgreement(labels: readonly LabelRow[]): LabelAgreement {
  const shared = listUnits(labels).filter(({ unit }) => unit.size > 1);
  const units = shared.map(({ unit }) => unit);
  // Without the ties, not without the units that have one.
  const decided = units.map((unit) => new Map([...unit].filter(([, verdict]) => verdict !== "tie")));
  const together = new Map<string, Set<string>>();
  for (const { task, unit } of shared) {
    const names = [...unit.keys()].sort();
    for (const [i, a] of names.entries()) {
      for (const b of names.slice(i + 1)) {
        const key = JSON.stringify([a, b]);
        const tasks = together.get(key) ?? new Set();
        together.set(key, tasks.add(task));
      }
    }
  }
  const most = [...together].sort((a, b) => b[1].size - a[1].size).slice(0, mostPairsOfAnnotators);
  return {
    tasks: new Set(shared.map(({ task }) => task)).size,
    raw: measureRawAgreement(units),
    rawWithoutTies: measureRawAgreement(decided),
    krippendorffAlpha: measureKrippendorffAlpha(units),
    krippendorffAlphaWithoutTies: measureKrippendorffAlpha(decided),
    cohen: most.flatMap(([key, tasks]) => {
      const [a, b] = JSON.parse(key) as [string, string];
      const agreement = measurePairAgreement(units, a, b);
      return agreement === null ? [] : [{ a, b, tasks: tasks.size, raw: agreement.raw, kappa: agreement.kappa }];
    }),
  };
}

/** Tasks about which at least two people say different things, the most divided first. */
export function listDividedTasks(labels: readonly LabelRow[]): DividedTask[] {
  const byTask = groupBy(labels, ({ task }) => task);
  const divisions = new Map<string, number[]>();
  for (const { task, unit } of listUnits(labels)) {
    if (unit.size < 2) continue;
    const known = divisions.get(task) ?? [];
    divisions.set(task, known);
    known.push(measureDivision(unit, verdictKinds));
  }
  return [...divisions]
    .map(([task, all]) => ({ task, labels: byTask.get(task) ?? [], entropy: all.reduce((sum, value) => sum + value, 0) / all.length }))
    .filter(({ entropy }) => entropy > 0)
    .sort((a, b) => b.entropy - a.entropy || b.labels.length - a.labels.length);
}

/** A unit is two answers of a task; its values say which is the better one. */
function listUnits(labels: readonly LabelRow[]): { task: string; unit: Unit }[] {
  const units = new Map<string, { task: string; unit: Map<string, string> }>();
  for (const label of labels) {
    for (const { first, second, verdict } of listPreferences(label)) {
      const key = `${first} ${second} ${label.task}`;
      const known = units.get(key) ?? { task: label.task, unit: new Map<string, string>() };
      units.set(key, known);
      known.unit.set(label.annotator, verdict);
    }
  }
  return [...units.values()];
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
