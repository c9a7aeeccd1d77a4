import { isContinued } from "../label-studio/studio-task.ts";
import { isRow, type Row } from "../row.ts";
import { makeAlpacaCompletion, makeAlpacaPrompt } from "./alpaca.ts";
import type { Content, ExampleFor, Message, Purpose, TextExample } from "./example.ts";
import { isHumanAssistantDialogue, splitDialogue, splitSharedPrompt } from "./implicit-prompt.ts";
import { isLabelStudioTask, makeTaskAnswers, makeTaskPrompt } from "./label-studio.ts";
import {
  readBoolean,
  readContent,
  readFilledContent,
  readFilledText,
  readIds,
  readMessages,
  readOptionalNumber,
  readOptionalText,
  readText,
  RowProblem,
} from "./read-values.ts";

/** What a conversion knows besides the row; `first` is the data set's first row. */
export type LayoutContext = { chat: boolean; textColumn: string; first: Row };

/** A known layout of rows: how to recognise it, and what it can be converted to. */
export type Layout = {
  name: string;
  matches(first: Row, textColumn: string): boolean;
  announce(context: LayoutContext, purpose: Purpose): string;
  convert: { readonly [P in Purpose]?: (row: Row, context: LayoutContext) => ExampleFor[P] };
};

/** Tried from the top; one that does not serve the purpose is passed over. */
export const LAYOUTS: readonly Layout[] = [
  {
    name: "token-ids",
    matches: (row) => "input_ids" in row,
    announce: ({ first }) => `rows of token ids${"labels" in first ? " with labels" : ""}, taken as they are`,
    convert: { text: convertTokenIds },
  },
  {
    name: "preference-token-ids",
    matches: (row) => ("chosen_ids" in row && "rejected_ids" in row) || ("chosen_input_ids" in row && "rejected_input_ids" in row),
    announce: () => "preference pairs of token ids, taken as they are",
    convert: {
      preference: (row) => ({
        kind: "pair-ids",
        chosenIds: readIds(row, "chosen_ids" in row ? "chosen_ids" : "chosen_input_ids"),
        rejectedIds: readIds(row, "rejected_ids" in row ? "rejected_ids" : "rejected_input_ids"),
        ...readMargin(row),
      }),
    },
  },
  {
    name: "label-studio",
    matches: isLabelStudioTask,
    announce: ({ chat, first }, purpose) =>
      `tasks of a Label Studio export${purpose === "prompt" ? ": their prompts are taken" : ": the answer that most annotators chose over the other"}${chat ? ", the prompt as one user turn" : isContinued(first) ? ", right after the prompt" : ", a line break after the prompt"}`,
    convert: {
      preference: (row, { chat }) => ({ kind: "preference", prompt: makeTaskPrompt(row, chat), ...makeTaskAnswers(row, chat) }),
      prompt: (row, { chat }) => ({ kind: "prompt", prompt: makeTaskPrompt(row, chat) }),
    },
  },
  {
    name: "sharegpt-preference",
    matches: (row) => Array.isArray(row["conversations"]) && "chosen" in row && "rejected" in row,
    announce: (_, purpose) =>
      purpose === "preference"
        ? "preference pairs over ShareGPT conversations: the conversation is the prompt"
        : `ShareGPT conversations with two answers: ${purpose === "prompt" ? "the conversation is the prompt" : "the chosen one is learnt"}`,
    convert: {
      text: (row) => ({ kind: "prompt-completion", prompt: readConversation(row), completion: readMessages(row["chosen"], "chosen") }),
      preference: (row) => ({
        kind: "preference",
        prompt: readConversation(row),
        chosen: readMessages(row["chosen"], "chosen"),
        rejected: readMessages(row["rejected"], "rejected"),
        ...readMargin(row),
      }),
      prompt: (row) => ({ kind: "prompt", prompt: readConversation(row) }),
    },
  },
  {
    name: "alpaca-preference",
    matches: (row) => isAlpaca(row) && "rejected" in row && ("chosen" in row || "output" in row),
    announce: (context, purpose) =>
      purpose === "preference"
        ? `preference pairs over Alpaca instructions (${"chosen" in context.first ? "chosen" : "output"} over rejected), the prompt as ${nameAlpacaForm(context)}`
        : announceAlpaca(context, purpose),
    convert: {
      text: (row, { chat, first }) => convertAlpaca(row, "output" in first ? "output" : "chosen", chat),
      preference: (row, { chat, first }) => ({
        kind: "preference",
        prompt: makeAlpacaPrompt(row, chat),
        chosen: makeAlpacaCompletion(row, "chosen" in first ? "chosen" : "output", chat),
        rejected: makeAlpacaCompletion(row, "rejected", chat),
        ...readMargin(row),
      }),
      prompt: (row, { chat }) => ({ kind: "prompt", prompt: makeAlpacaPrompt(row, chat) }),
    },
  },
  {
    name: "alpaca",
    matches: (row) => isAlpaca(row) && "output" in row,
    announce: announceAlpaca,
    convert: {
      text: (row, { chat }) => convertAlpaca(row, "output", chat),
      prompt: (row, { chat }) => ({ kind: "prompt", prompt: makeAlpacaPrompt(row, chat) }),
    },
  },
  {
    name: "alpaca-prompt",
    matches: isAlpaca,
    announce: announceAlpaca,
    convert: { prompt: (row, { chat }) => ({ kind: "prompt", prompt: makeAlpacaPrompt(row, chat) }) },
  },
  {
    name: "hh-rlhf",
    matches: (row) => !("prompt" in row) && isHumanAssistantDialogue(row["chosen"]) && isHumanAssistantDialogue(row["rejected"]),
    announce: (_, purpose) =>
      ({
        text: "HH-RLHF dialogues: the chosen one is learnt, its last answer as the completion",
        preference: "preference pairs of HH-RLHF dialogues: what both sides share is the prompt",
        prompt: "HH-RLHF dialogues: everything up to the last answer is the prompt",
        unpaired: "",
      })[purpose],
    convert: {
      text: (row) => ({ kind: "prompt-completion", ...splitDialogue(readFilledText(row, "chosen")) }),
      preference: (row) => ({
        kind: "preference",
        ...splitSharedPrompt(readFilledText(row, "chosen"), readFilledText(row, "rejected")),
        ...readMargin(row),
      }),
      prompt: (row) => ({ kind: "prompt", prompt: splitDialogue(readFilledText(row, "chosen")).prompt }),
    },
  },
  {
    name: "preference",
    matches: (row) => "chosen" in row && "rejected" in row && "prompt" in row && isMessages(row["prompt"]) === isMessages(row["chosen"]),
    announce: ({ first }, purpose) =>
      `preference pairs (prompt, chosen, rejected${hasMargin(first) ? ", margin" : ""}) of ${nameContent(first["chosen"])}${purpose === "prompt" ? ": their prompts are taken" : ""}`,
    convert: {
      preference: (row) => ({
        kind: "preference",
        prompt: readContent(row, "prompt"),
        chosen: sameForm(readContent(row, "prompt"), readFilledContent(row, "chosen"), "chosen"),
        rejected: sameForm(readContent(row, "prompt"), readFilledContent(row, "rejected"), "rejected"),
        ...readMargin(row),
      }),
      prompt: (row) => ({ kind: "prompt", prompt: readFilledContent(row, "prompt") }),
    },
  },
  {
    name: "preference-implicit-prompt",
    matches: (row) => "chosen" in row && "rejected" in row && isFilled(row["chosen"]),
    announce: ({ first }, purpose) =>
      `preference pairs (chosen, rejected${hasMargin(first) ? ", margin" : ""}) of ${nameContent(first["chosen"])}: what both sides share is the prompt${purpose === "prompt" ? ", and only that is taken" : ""}`,
    convert: {
      preference: (row) => ({
        kind: "preference",
        ...splitSharedPrompt(readFilledContent(row, "chosen"), readFilledContent(row, "rejected")),
        ...readMargin(row),
      }),
      prompt: (row) => ({
        kind: "prompt",
        prompt: splitSharedPrompt(readFilledContent(row, "chosen"), readFilledContent(row, "rejected")).prompt,
      }),
    },
  },
  {
    name: "unpaired-preference",
    matches: (row) => "prompt" in row && "completion" in row && "label" in row,
    announce: () => "completions rated good or bad (prompt, completion, label)",
    convert: {
      unpaired: (row) => {
        const prompt = readContent(row, "prompt");
        return {
          kind: "unpaired",
          prompt,
          completion: sameForm(prompt, readFilledContent(row, "completion"), "completion"),
          label: readBoolean(row, "label"),
        };
      },
    },
  },
  {
    name: "prompt-completion",
    matches: (row) => "prompt" in row && "completion" in row,
    announce: ({ first }, purpose) =>
      `${purpose === "prompt" ? "the prompts of " : ""}prompts with completions, as ${nameContent(first["completion"])}`,
    convert: {
      text: (row) => {
        const prompt = readContent(row, "prompt");
        return { kind: "prompt-completion", prompt, completion: sameForm(prompt, readFilledContent(row, "completion"), "completion") };
      },
      prompt: (row) => ({ kind: "prompt", prompt: readFilledContent(row, "prompt") }),
    },
  },
  {
    name: "prompt-only",
    matches: (row) => "prompt" in row,
    announce: ({ first }) => `prompts, as ${nameContent(first["prompt"])}`,
    convert: { prompt: (row) => ({ kind: "prompt", prompt: readFilledContent(row, "prompt") }) },
  },
  {
    name: "messages",
    matches: (row) => Array.isArray(row["messages"]),
    announce: (_, purpose) => (purpose === "prompt" ? "conversations (messages), each up to its last answer" : "conversations (messages)"),
    convert: {
      text: (row) => ({ kind: "messages", messages: filledMessages(readMessages(row["messages"], "messages"), "messages") }),
      prompt: (row) => ({ kind: "prompt", prompt: dropLastAnswer(readMessages(row["messages"], "messages"), "messages") }),
    },
  },
  {
    name: "sharegpt",
    matches: (row) => Array.isArray(row["conversations"]),
    announce: (_, purpose) => `ShareGPT conversations${purpose === "prompt" ? ", each up to its last answer" : ""}`,
    convert: {
      text: (row) => ({ kind: "messages", messages: filledMessages(readConversation(row), "conversations") }),
      prompt: (row) => ({ kind: "prompt", prompt: dropLastAnswer(readConversation(row), "conversations") }),
    },
  },
  {
    name: "text",
    matches: (row, textColumn) => typeof row[textColumn] === "string",
    announce: ({ textColumn }, purpose) => `${purpose === "prompt" ? "prompts" : "plain text"} in column ${textColumn}`,
    convert: {
      text: (row, { textColumn }) => ({ kind: "text", text: readText(row, textColumn) }),
      prompt: (row, { textColumn }) => ({ kind: "prompt", prompt: readFilledText(row, textColumn) }),
    },
  },
];

/** `{input_ids}` with masks as TRL names them; `labels` may only hide ids (-100), not change them. */
function convertTokenIds(row: Row): TextExample {
  const inputIds = readIds(row, "input_ids");
  const mask = new Uint8Array(inputIds.length).fill(1);
  for (const column of ["labels", "completion_mask", "assistant_masks"]) {
    if (row[column] === undefined || row[column] === null) continue;
    const values = readIds(row, column);
    if (values.length !== inputIds.length) {
      throw new RowProblem(`expected as many ${column} as input_ids (${inputIds.length}), found ${values.length}`);
    }
    values.forEach((value, i) => {
      if (column !== "labels") mask[i]! &= value === 0 ? 0 : 1;
      else if (value === -100) mask[i] = 0;
      else if (value !== inputIds[i]) throw new RowProblem(`expected labels[${i}] to be -100 or the id ${inputIds[i]}, found ${value}`);
    });
  }
  return { kind: "ids", inputIds, mask };
}

function isAlpaca(row: Row): boolean {
  return typeof row["instruction"] === "string" && !("prompt" in row);
}

function nameAlpacaForm({ chat }: LayoutContext): string {
  return chat ? "one user turn" : 'text with "### Instruction:" headings';
}

function announceAlpaca(context: LayoutContext, purpose: Purpose): string {
  if (purpose === "prompt") return `Alpaca instructions as prompts, each ${nameAlpacaForm(context)}`;
  return `Alpaca rows (instruction${"input" in context.first ? ", input" : ""} → output), the prompt as ${nameAlpacaForm(context)}`;
}

function convertAlpaca(row: Row, column: string, chat: boolean): TextExample {
  return { kind: "prompt-completion", prompt: makeAlpacaPrompt(row, chat), completion: makeAlpacaCompletion(row, column, chat) };
}

function readConversation(row: Row): Message[] {
  const messages = readMessages(row["conversations"], "conversations");
  const system = readOptionalText(row, "system");
  return system === "" || messages[0]?.role === "system" ? messages : [{ role: "system", content: system }, ...messages];
}

function filledMessages(messages: Message[], column: string): Message[] {
  if (messages.length === 0) throw new RowProblem(`column ${column} is empty`);
  return messages;
}

function dropLastAnswer(messages: Message[], column: string): Message[] {
  const prompt = messages.at(-1)?.role === "assistant" ? messages.slice(0, -1) : messages;
  return filledMessages(prompt, column);
}

function sameForm(prompt: Content, other: Content, column: string): Content {
  if ((typeof prompt === "string") !== (typeof other === "string")) {
    throw new RowProblem(`expected prompt and ${column} both as text or both as messages`);
  }
  return other;
}

function readMargin(row: Row): { margin?: number } {
  const margin = readOptionalNumber(row, "margin");
  return margin === undefined ? {} : { margin };
}

function hasMargin(row: Row): boolean {
  return row["margin"] !== undefined && row["margin"] !== null && row["margin"] !== "";
}

function isMessages(value: unknown): boolean {
  return Array.isArray(value) || isRow(value);
}

function isFilled(value: unknown): boolean {
  return typeof value === "string" || isMessages(value);
}

function nameContent(value: unknown): string {
  return typeof value === "string" ? "text" : "messages";
}
