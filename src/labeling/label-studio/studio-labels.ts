/** Tasks of Label Studio → labels as they were given, the pairs that they make, and what is worth knowing of both. */

import {
  makeLabelPairs,
  type LabelPairsOptions,
  type PairRow,
  readStudioTask,
  type ReadStudioOptions,
  type Row,
  type StudioLabel,
} from "../../data/index.ts";
import { SparError } from "../../internal/errors.ts";

export interface StudioLabels {
  readonly labels: readonly StudioLabel[];
  readonly pairs: readonly PairRow[];
  readonly summary: StudioSummary;
  /** Tasks that are something else than a comparison: `task 7: what is wrong`. */
  readonly problems: readonly string[];
}

export interface StudioSummary {
  readonly tasks: number;
  /** Tasks with at least one label that is no skip. */
  readonly labelled: number;
  readonly labels: number;
  readonly annotators: number;
  readonly skips: number;
  readonly ties: number;
  readonly both_bad: number;
  /** Submitted with nothing chosen, or with both sides. */
  readonly empty: number;
  readonly pairs: number;
}

export interface StudioLabelsOptions extends ReadStudioOptions, LabelPairsOptions {
  /** Put after prompts that are texts, where neither they end nor their answers begin with white space; default nothing: texts as they are. */
  readonly separator?: string | undefined;
}

/** In the order of the tasks, those of a task the oldest first. */
export function readStudioLabels(tasks: readonly Row[], options: StudioLabelsOptions = {}): StudioLabels {
  const labels: StudioLabel[] = [];
  const problems: string[] = [];
  const annotators = new Set<string>();
  const counts = { skips: 0, ties: 0, both_bad: 0, empty: 0, labelled: 0 };
  for (const [index, row] of tasks.entries()) {
    try {
      const task = readStudioTask(row, options);
      labels.push(...task.labels);
      if (task.labels.some(({ choice }) => choice !== "skip")) counts.labelled++;
    } catch (error) {
      if (!(error instanceof SparError)) throw error;
      problems.push(`task ${String(row["id"] ?? index + 1)}: ${error.message}`);
    }
  }
  for (const { annotator, choice, label_studio: origin } of labels) {
    annotators.add(annotator);
    if (origin.note !== undefined) counts.empty++;
    else if (choice === "skip") counts.skips++;
    else if (choice === "tie") counts.ties++;
    else if (choice === "both_bad") counts.both_bad++;
  }
  const pairs = makeLabelPairs(labels, options).map((pair) => separate(pair, options.separator ?? ""));
  const { labelled, ...rest } = counts;
  return {
    labels,
    pairs,
    problems,
    summary: { tasks: tasks.length, labelled, labels: labels.length, annotators: annotators.size, ...rest, pairs: pairs.length },
  };
}

function separate(pair: PairRow, separator: string): PairRow {
  const { prompt, chosen, rejected } = pair;
  if (separator === "" || typeof prompt !== "string" || prompt === "" || /\s$/.test(prompt)) return pair;
  return [chosen, rejected].some((answer) => typeof answer === "string" && /^\s/.test(answer))
    ? pair
    : { ...pair, prompt: prompt + separator };
}
