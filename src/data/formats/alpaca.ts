import type { Row } from "../row.ts";
import type { Content } from "./example.ts";
import { readFilledText, readOptionalText } from "./read-values.ts";

/**
 * The prompt of an Alpaca row `{instruction, input}`. With a chat template: one user turn, instruction and
 * input parted by a blank line. Without: headed sections that end where the response begins.
 */
export function makeAlpacaPrompt(row: Row, chat: boolean): Content {
  const instruction = readFilledText(row, "instruction");
  const input = readOptionalText(row, "input");
  if (chat) {
    const system = readOptionalText(row, "system");
    const user = { role: "user", content: input === "" ? instruction : `${instruction}\n\n${input}` };
    return system === "" ? [user] : [{ role: "system", content: system }, user];
  }
  const inputSection = input === "" ? "" : `### Input:\n${input}\n\n`;
  return `### Instruction:\n${instruction}\n\n${inputSection}### Response:\n`;
}

export function makeAlpacaCompletion(row: Row, column: string, chat: boolean): Content {
  const text = readFilledText(row, column);
  return chat ? [{ role: "assistant", content: text }] : text;
}
