/** What is made of labels, and how it is told. */

import { UsageError } from "../../../internal/errors.ts";
import type { StudioSummary } from "../../../labeling/index.ts";
import type { Commandline } from "../../arguments.ts";
import { quoteWord } from "../../../internal/quote-word.ts";

export type PairArguments = { out: string; labels?: string; rows: "majority" | "each"; separator: string };

export function addPairOptions(commandline: Commandline): Commandline {
  const readRows = (text: string): "majority" | "each" => {
    if (text === "majority" || text === "each") return text;
    throw new UsageError(`--rows: expected majority or each, found ${JSON.stringify(text)}`);
  };
  return commandline
    .requiredOption("--out <file>", "preference pairs, as JSON lines")
    .option("--labels <file>", "every label as it was given (absent: labels.jsonl beside --out)")
    .option("--rows <which>", "a pair where the majority prefers an answer, or for each annotator's preference", readRows, "majority")
    .option("--separator <text>", "put between prompt and answer where there is no white space; \\n is a line break", unescape, "");
}

const unescape = (text: string): string => text.replaceAll("\\n", "\n").replaceAll("\\t", "\t");

export function describeLabels(summary: StudioSummary, files: { pairs: string; labels: string }): string[] {
  const { labels, tasks, labelled, annotators, pairs, ties, both_bad, skips, empty } = summary;
  const rest = [
    [ties, ties === 1 ? "tie" : "ties"],
    [both_bad, "both bad"],
    [skips, "skipped"],
    [empty, "empty or contradictory"],
  ] as const;
  const listed = rest.flatMap(([count, name]) => (count > 0 ? [`${count} ${name}`] : []));
  return [
    `${labels} ${labels === 1 ? "label" : "labels"} of ${annotators} ${annotators === 1 ? "person" : "people"} on ${labelled} of ${tasks} tasks${listed.length === 0 ? "" : ` (${listed.join(", ")})`}: ${files.labels}`,
    `${pairs} ${pairs === 1 ? "pair" : "pairs"}: ${files.pairs}${pairs === 0 ? "" : `; next: spar reward --model_name_or_path MODEL --dataset_name ${quoteWord(files.pairs)} --output_dir runs/reward`}`,
  ];
}
