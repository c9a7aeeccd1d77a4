/** Which of several measured runs is better, where they were measured alike. */
import { SparError } from "../internal/errors.ts";
import { shortenName } from "./evaluation-report.ts";
import { bootstrapInterval, intervalOfDifference, mean, type Interval, type Measured } from "./interval.ts";
import type { LoadedResult, Measure } from "./load-result.ts";

export interface Difference {
  readonly measure: string;
  /** Groups: a path, a model, or a run. */
  readonly a: string;
  readonly b: string;
  /** Of the groups' means, a − b. */
  readonly difference: number;
  /** 95 %. Undefined where neither answers nor intervals are there. */
  readonly interval: Interval | undefined;
  /** Over the same prompts, pair by pair; otherwise from both intervals. */
  readonly paired: boolean;
  /** Null: chance could do it too, or neither direction is better. */
  readonly better: string | null;
}

export interface RunComparison {
  readonly kind: "comparison";
  readonly schema_version: 1;
  readonly runs: readonly {
    readonly name: string;
    readonly kind: LoadedResult["kind"];
    readonly group: string;
    readonly before: { readonly [measure: string]: number };
    readonly measures: { readonly [measure: string]: { readonly value: number; readonly interval: Interval | null } };
  }[];
  /** Of measures that all have, taken by the same scorer on the same prompts. */
  readonly differences: readonly Difference[];
  /** Why some figures cannot be set against each other, and which of those that are were not taken on the same prompts. */
  readonly notes: readonly string[];
  readonly headline: string;
  readonly reason: string;
}

/** Throws `evaluation/too-few` below two results, and where one is given twice. */
export function compareResults(results: readonly LoadedResult[]): RunComparison {
  if (results.length < 2) throw new SparError("evaluation/too-few", `eval --compare: expected at least two runs, got ${results.length}`);
  const twice = results.find(({ name }, i) => results.findIndex((other) => other.name === name) < i);
  if (twice !== undefined) throw new SparError("evaluation/too-few", `eval --compare: expected each run once, got ${twice.name} twice`);
  const byGroup = new Set(results.map(({ group }) => group));
  // Two runs of one group are compared with each other; otherwise they are repetitions of it.
  const groupOf = (result: LoadedResult): string => (byGroup.size > 1 ? result.group : result.name);
  const groups = [...new Set(results.map(groupOf))];
  const names = [...new Set(results.flatMap(({ measures }) => measures.map(({ name }) => name)))];
  const problems = new Map<string, string[]>();
  const draws = new Map<number, string[]>();
  const differences: Difference[] = [];
  for (const name of names) {
    const found = results.map(({ measures }) => measures.find((one) => one.name === name));
    if (found.some((one) => one === undefined)) continue;
    const all = found as Measure[];
    const problem = findMismatch(all);
    if (problem !== undefined) {
      problems.set(problem, [...(problems.get(problem) ?? []), name]);
      continue;
    }
    const members = groups.map((group) => all.filter((_, i) => groupOf(results[i]) === group));
    for (let j = 1; j < groups.length; j++)
      for (let i = 0; i < j; i++) differences.push(subtract(name, [groups[i], groups[j]], [members[i], members[j]]));
    // Seed by seed the draws are the same: then it does not matter that there are several.
    const drawn = countDraws(all);
    if (drawn > 1 && differences.some(({ measure, paired }) => measure === name && !paired))
      draws.set(drawn, [...(draws.get(drawn) ?? []), name]);
  }
  const unfit = [...problems].map(([problem, of]) => `${of.join(", ")}: ${problem}`);
  return {
    kind: "comparison",
    schema_version: 1,
    runs: results.map((result) => ({
      name: result.name,
      kind: result.kind,
      group: result.group,
      before: Object.fromEntries(result.before.map(({ name, value }) => [name, value])),
      measures: Object.fromEntries(result.measures.map(({ name, value, interval }) => [name, { value, interval: interval ?? null }])),
    })),
    differences,
    notes: [
      ...unfit.map((note) => `Not compared: ${note}`),
      ...[...draws].map(([count, of]) => `Compared on ${count} different draws of prompts, not prompt by prompt: ${of.join(", ")}`),
    ],
    ...conclude(results, groups, groupOf, differences, unfit),
  };
}

const countDraws = (all: readonly Measure[]): number => new Set(all.map(({ prompts }) => prompts)).size;

function findMismatch(all: readonly Measure[]): string | undefined {
  const isShared = (pick: (one: Measure) => string | undefined): boolean =>
    pick(all[0]) !== undefined && all.every((one) => pick(one) === pick(all[0]));
  if (!isShared(({ scorer }) => scorer))
    return `measured by different scorers (${[...new Set(all.map(({ scorer }) => scorer))].join("; ")})`;
  return isShared(({ prompts }) => prompts) || isShared(({ pool }) => pool) ? undefined : "measured on different prompts";
}

function subtract(
  name: string,
  [a, b]: readonly [string, string],
  [left, right]: readonly [readonly Measure[], readonly Measure[]],
): Difference {
  const valueOf = (members: readonly Measure[]): number => mean(members.map(({ value }) => value));
  const difference = valueOf(left) - valueOf(right);
  const pairs = pairAnswers(left, right);
  const interval = pairs === undefined ? joinIntervals(left, right) : bootstrapInterval(pairs, mean);
  const { direction } = left[0];
  const proven = direction !== 0 && interval !== undefined && (interval[0] > 0 || interval[1] < 0);
  return {
    measure: name,
    a,
    b,
    difference,
    interval,
    paired: pairs !== undefined,
    better: proven ? (difference * direction > 0 ? a : b) : null,
  };
}

/** Differences prompt by prompt, over runs of both groups that had the same prompts; undefined unless every run has such a partner. */
function pairAnswers(left: readonly Measure[], right: readonly Measure[]): number[] | undefined {
  const free = [...right];
  const differences: number[] = [];
  for (const one of left) {
    const at = free.findIndex(({ prompts, perPrompt }) => prompts === one.prompts && perPrompt?.length === one.perPrompt?.length);
    const partner = free.splice(at, at < 0 ? 0 : 1)[0]?.perPrompt;
    if (one.perPrompt === undefined || partner === undefined) return undefined;
    for (const [i, value] of one.perPrompt.entries()) differences.push(value - partner[i]);
  }
  return free.length === 0 ? differences : undefined;
}

function joinIntervals(left: readonly Measure[], right: readonly Measure[]): Interval | undefined {
  const [a, b] = [poolAnswers(left), poolAnswers(right)];
  return a === undefined || b === undefined ? undefined : intervalOfDifference(b, a);
}

/** One run's own interval, or that of the answers of several runs together. */
function poolAnswers(members: readonly Measure[]): Measured | undefined {
  const [first] = members;
  if (members.length === 1) return first.interval && { value: first.value, interval: first.interval };
  const lists = members.map(({ perPrompt }) => perPrompt);
  if (lists.includes(undefined)) return undefined;
  const all = lists.flatMap((list) => list ?? []);
  return { value: mean(all), interval: bootstrapInterval(all, mean) };
}

/** The first measure with a direction that all have is what the runs were for; undefined: none says which is better. */
export function findMainMeasure(results: readonly LoadedResult[], differences: readonly Difference[]): Measure | undefined {
  return results[0].measures.find(({ name, direction }) => direction !== 0 && differences.some((one) => one.measure === name));
}

function conclude(
  results: readonly LoadedResult[],
  groups: readonly string[],
  groupOf: (result: LoadedResult) => string,
  differences: readonly Difference[],
  unfit: readonly string[],
): Pick<RunComparison, "headline" | "reason"> {
  const main = findMainMeasure(results, differences);
  if (main === undefined)
    return {
      headline: "These runs cannot be set against each other.",
      reason: [
        ...(unfit.length === 0 ? ["They have no figure in common that says which is better."] : unfit.map((note) => `${note}.`)),
        "spar eval measures runs alike: the same prompts, the same scorer.",
      ].join(" "),
    };
  const show = (value: number): string => formatValue(value, main.format);
  const valueOf = (group: string): number =>
    mean(
      results
        .filter((result) => groupOf(result) === group)
        .flatMap(({ measures }) => measures.filter(({ name }) => name === main.name).map(({ value }) => value)),
    );
  const [best, second] = [...groups].sort((a, b) => main.direction * (valueOf(b) - valueOf(a)));
  const found = differences.find(
    ({ measure, a, b }) => measure === main.name && [a, b].includes(best) && [a, b].includes(second),
  ) as Difference;
  const sign = found.a === best ? 1 : -1;
  const range =
    found.interval === undefined
      ? undefined
      : ([sign * found.interval[sign > 0 ? 0 : 1], sign * found.interval[sign > 0 ? 1 : 0]] as const);
  const counts = results.length > groups.length ? ` (means over ${results.length} runs)` : "";
  const draws = countDraws(results.flatMap(({ measures }) => measures.filter(({ name }) => name === main.name)));
  const headline =
    found.better === null
      ? `Not proven: ${shortenName(best)} has ${show(valueOf(best))} and ${shortenName(second)} ${show(valueOf(second))} (${main.name}), which chance could do too.`
      : `${shortenName(best)} does better: ${main.name} ${show(valueOf(best))} against ${show(valueOf(second))} of ${shortenName(second)}.`;
  const reason = [
    `${main.name}, by ${main.scorer}${counts}: the difference is ${formatDifference(sign * found.difference, main.format)}${range === undefined ? "" : `, 95 % interval ${formatDifference(range[0], main.format)} to ${formatDifference(range[1], main.format)}`}${found.paired ? ", prompt by prompt" : draws > 1 ? `, on ${draws} different draws of prompts` : ""}.`,
    ...readability(results),
    ...unfit.map((note) => `Not compared: ${note}.`),
  ].join(" ");
  return { headline, reason };
}

/** A share of positive texts can be bought with nonsense: what it cost is said beside it. */
function readability(results: readonly LoadedResult[]): string[] {
  return results.flatMap(({ name, before, measures }) => {
    const ratioOf = (wanted: string): number | undefined => {
      const [was, is] = [before, measures].map((list) => list.find((one) => one.name === wanted)?.value);
      return was === undefined || is === undefined ? undefined : is / was;
    };
    const [perplexity, distinct] = [ratioOf("perplexity"), ratioOf("distinct bigrams")];
    if ((perplexity ?? 1) <= 1.5 && (distinct ?? 1) >= 0.5) return [];
    return [
      `Beware: the texts of ${shortenName(name)} suffered (perplexity ×${(perplexity ?? 1).toFixed(2)}, different bigrams ×${(distinct ?? 1).toFixed(2)}).`,
    ];
  });
}

export function formatValue(value: number, format: Measure["format"]): string {
  return format === "share" ? `${(100 * value).toFixed(1)} %` : Number(value.toPrecision(4)).toString().replaceAll("-", "−");
}

export function formatDifference(value: number, format: Measure["format"]): string {
  const shown =
    format === "share"
      ? `${Math.abs(100 * value).toFixed(1)} points`
      : Math.abs(Number(value.toPrecision(3)))
          .toString()
          .replace("-", "−");
  return `${value < 0 ? "−" : "+"}${shown}`;
}

/** Rows [figure, a value a run] of every table of a comparison; `–` where a run has no such figure. */
export function listComparison(results: readonly LoadedResult[]): string[][] {
  const names = [...new Set(results.flatMap(({ measures }) => measures.map(({ name }) => name)))];
  return names.map((name) => [
    name,
    ...results.map(({ before, measures }) => {
      const [was, is] = [before, measures].map((list) => list.find((one) => one.name === name));
      if (is === undefined) return "–";
      const range =
        is.interval === undefined ? "" : ` (${formatValue(is.interval[0], is.format)} to ${formatValue(is.interval[1], is.format)})`;
      return `${was === undefined ? "" : `${formatValue(was.value, was.format)} → `}${formatValue(is.value, is.format)}${range}`;
    }),
  ]);
}
