import { isRow, nameKind, type Row } from "./row.ts";

/** What a parse can give: the row, or what was found instead. */
export type ParsedRow = { row: Row; found?: undefined } | { row?: undefined; found: string };

/** A JSON text as a row. A string becomes `{text}`: a plain list of texts is a data set too. */
export function parseJsonRow(text: string, options: { allowStrings?: boolean } = {}): ParsedRow {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return { found: `${cause instanceof Error ? cause.message : String(cause)} (found ${quoteStart(text)})` };
  }
  if (isRow(value)) return { row: value };
  if (options.allowStrings && typeof value === "string") return { row: { text: value } };
  return { found: `expected a JSON object, found ${nameKind(value)}` };
}

function quoteStart(text: string): string {
  const start = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return JSON.stringify(start);
}
