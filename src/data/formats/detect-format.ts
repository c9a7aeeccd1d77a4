import { SparError } from "../../internal/errors.ts";
import { describeColumns, type Row } from "../row.ts";
import { LAYOUTS, type Layout } from "./layouts.ts";
import type { ExampleFor, Purpose } from "./example.ts";
import { readChatExtras } from "./read-values.ts";

export type FormatOptions = {
  /** Whether messages can be rendered: Alpaca and ShareGPT rows become conversations only then. */
  hasChatTemplate: boolean;
  /** The column of plain text, TRL's `dataset_text_field` (default `text`). */
  textColumn?: string;
};

/** A data set's format, found from its first row. */
export type DetectedFormat<P extends Purpose = Purpose> = {
  /** Stable name of the layout: `preference`, `hh-rlhf`, `alpaca` … */
  name: string;
  /** A sentence for people: what the rows are taken for. */
  announcement: string;
  /** @throws {RowProblem} what was found, when a row is not as its first sister promised */
  convert(row: Row): ExampleFor[P];
};

/** What each purpose accepts, for messages. */
export const EXPECTED_COLUMNS: { readonly [P in Purpose]: string } = {
  text: "{text}, {messages}, {prompt, completion}, {instruction, input, output}, {conversations} or {input_ids[, labels]}",
  preference:
    "{prompt, chosen, rejected}, {chosen, rejected}, {instruction, input, chosen, rejected}, {conversations, chosen, rejected} or a Label Studio export {data: {prompt, answer1, answer2}, annotations}",
  prompt: "{prompt} (text or messages); also {instruction}, {messages}, {conversations} or a preference pair, whose prompts are taken",
  unpaired: "{prompt, completion, label}",
};

/**
 * Finds the layout of a data set from its first row.
 * @throws {SparError} data/columns: the columns found and those expected
 */
export function detectFormat<P extends Purpose>(first: Row, purpose: P, options: FormatOptions, where = "the data set"): DetectedFormat<P> {
  const textColumn = options.textColumn ?? "text";
  for (const layout of LAYOUTS as readonly Layout[]) {
    const convert = layout.matches(first, textColumn) ? layout.convert[purpose] : undefined;
    if (!convert) continue;
    const context = { chat: options.hasChatTemplate, textColumn, first };
    return {
      name: layout.name,
      announcement: layout.announce(context, purpose),
      convert: (row) => {
        const example = convert(row, context) as ExampleFor[P];
        const chat = holdsMessages(example) ? readChatExtras(row) : undefined;
        return chat ? { ...example, chat } : example;
      },
    };
  }
  throw new SparError(
    "data/columns",
    `reading ${where}: these columns cannot be used ${PURPOSES[purpose]}: found ${describeColumns(first)}`,
    {
      hint: `expected ${EXPECTED_COLUMNS[purpose].replace("{text}", `{${textColumn}}`)}${suggestRename(first, purpose)}`,
    },
  );
}

function holdsMessages(example: ExampleFor[Purpose]): boolean {
  return example.kind === "messages" || ("prompt" in example && typeof example.prompt !== "string");
}

const PURPOSES: { readonly [P in Purpose]: string } = {
  text: "for language modelling or SFT",
  preference: "as preference pairs",
  prompt: "as prompts",
  unpaired: "as rated completions",
};

/** Names that other data sets use for a column; where one fits, the hint says how to rename it. */
const ALIASES: readonly [string, string][] = [
  ["question", "prompt"],
  ["query", "prompt"],
  ["input", "prompt"],
  ["answer", "completion"],
  ["response", "completion"],
  ["output", "completion"],
  ["content", "text"],
  ["review", "text"],
  ["sentence", "text"],
];

function suggestRename(row: Row, purpose: Purpose): string {
  const useful = purpose === "text" ? ["prompt", "completion", "text"] : purpose === "prompt" ? ["prompt"] : ["prompt", "completion"];
  const taken = new Set<string>();
  const pairs = ALIASES.filter(([from, to]) => {
    if (typeof row[from] !== "string" || !useful.includes(to) || taken.has(to) || to in row) return false;
    taken.add(to);
    return true;
  });
  return pairs.length === 0 ? "" : `; or rename: columns: {${pairs.map(([from, to]) => `${from}: ${to}`).join(", ")}}`;
}
