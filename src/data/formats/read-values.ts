import { SparError } from "../../internal/errors.ts";
import { isRow, nameKind, type Row } from "../row.ts";
import type { ChatExtras, Content, Message } from "./example.ts";

/** A row that does not hold what its format needs; the text says what was found. Data sets collect them, then throw one error. */
export class RowProblem extends SparError {
  constructor(found: string) {
    super("data/bad-row", found);
  }
}

/** A row that is in order and still of no use here (nobody labelled it, say): left out and counted by this reason. */
export class RowLeftOut extends Error {}

/** Roles as ShareGPT and its relatives name them → as chat templates expect them. */
const ROLES: { readonly [name: string]: string } = {
  human: "user",
  gpt: "assistant",
  chatgpt: "assistant",
  bard: "assistant",
  bing: "assistant",
  model: "assistant",
  function_call: "assistant",
  observation: "tool",
  function_response: "tool",
};

export function readText(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw new RowProblem(`expected text in column ${column}, found ${nameKind(value)}`);
  return value;
}

/** A completion may not be empty: there would be nothing to learn from. */
export function readFilledText(row: Row, column: string): string {
  const text = readText(row, column);
  if (text === "") throw new RowProblem(`column ${column} is empty`);
  return text;
}

/** Text that may be missing (absent, null or ""), as Alpaca's `input`. */
export function readOptionalText(row: Row, column: string): string {
  return row[column] === undefined || row[column] === null ? "" : readText(row, column);
}

/** Text, or messages (`{role, content}`, or `{from, value}` as ShareGPT has). A single message counts as a list of one. */
export function readContent(row: Row, column: string): Content {
  const value = row[column];
  return typeof value === "string" ? value : readMessages(value, column);
}

export function readFilledContent(row: Row, column: string): Content {
  const content = readContent(row, column);
  if (content.length === 0) throw new RowProblem(`column ${column} is empty`);
  return content;
}

export function readMessages(value: unknown, column: string): Message[] {
  const list = isRow(value) ? [value] : value;
  if (!Array.isArray(list)) throw new RowProblem(`expected text or messages in column ${column}, found ${nameKind(value)}`);
  return list.map((item, i) => {
    if (!isRow(item)) throw new RowProblem(`expected {role, content} in ${column}[${i}], found ${nameKind(item)}`);
    const { role: ownRole, from, content: ownContent, value: foreignValue, ...rest } = item;
    const role = ownRole ?? from;
    if (typeof role !== "string") {
      throw new RowProblem(`expected a role in ${column}[${i}], found the keys ${Object.keys(item).join(", ") || "(none)"}`);
    }
    return {
      ...rest,
      role: ownRole === undefined ? (ROLES[role] ?? role) : role,
      content: readMessageText(ownContent ?? foreignValue, item, `${column}[${i}]`),
    };
  });
}

/** A message's content as text; parts `{type: "text", text}` are joined, and a turn of tool calls may have none. */
function readMessageText(content: unknown, message: Row, where: string): string {
  if (typeof content === "string") return content;
  if ((content === null || content === undefined) && message["tool_calls"] !== undefined) return "";
  if (Array.isArray(content) && content.every((part) => isRow(part) && part["type"] === "text" && typeof part["text"] === "string")) {
    return content.map((part: Row) => part["text"]).join("");
  }
  throw new RowProblem(`expected text as the content of ${where}, found ${nameKind(content)}`);
}

export function readIds(row: Row, column: string): number[] {
  const value = row[column];
  if (!Array.isArray(value) || !value.every((id) => Number.isInteger(id))) {
    throw new RowProblem(`expected a list of token ids in column ${column}, found ${nameKind(value)}`);
  }
  return value as number[];
}

/** A number, also written as text (CSV); undefined where the cell is missing. */
export function readOptionalNumber(row: Row, column: string): number | undefined {
  const value = row[column];
  if (value === undefined || value === null || value === "") return undefined;
  const number = typeof value === "string" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) {
    throw new RowProblem(`expected a number in column ${column}, found ${JSON.stringify(value)}`);
  }
  return number;
}

/** true/false, also 1/0 and their texts (CSV). */
export function readBoolean(row: Row, column: string): boolean {
  const value = row[column];
  const text = typeof value === "string" ? value.trim().toLowerCase() : value;
  if (text === true || text === 1 || text === "true" || text === "1") return true;
  if (text === false || text === 0 || text === "false" || text === "0") return false;
  throw new RowProblem(`expected true or false in column ${column}, found ${value === undefined ? "nothing" : JSON.stringify(value)}`);
}

/** Tools (a list, or its JSON text) and template variables of a row; undefined where it has none. */
export function readChatExtras(row: Row): ChatExtras | undefined {
  const { tools: rawTools, chat_template_kwargs: variables } = row;
  let tools = rawTools;
  if (typeof tools === "string" && tools.trim() !== "") {
    try {
      tools = JSON.parse(tools);
    } catch {
      throw new RowProblem("expected a list, or JSON text of one, in column tools");
    }
  }
  const extras: ChatExtras = {};
  if (Array.isArray(tools) && tools.length > 0) extras.tools = tools;
  if (isRow(variables)) extras.variables = { ...variables };
  return extras.tools || extras.variables ? extras : undefined;
}
