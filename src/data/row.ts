/** A row of a data set as its file holds it: column name → JSON-like value. */
export type Row = { readonly [column: string]: unknown };

/** Where a row comes from, for messages. `line` counts from 1; Parquet files have rows instead of lines. */
export type RowPlace = { file: string; line: number; unit?: "line" | "row" };

export function formatPlace(place: RowPlace): string {
  return place.unit === "row" ? `${place.file} row ${place.line}` : `${place.file}:${place.line}`;
}

/** A row still tied to its place, as the readers yield it. `bytes` is a guess of its size in memory. */
export type PlacedRow = { row: Row; line: number; bytes: number };

export function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a value is, in words for messages: `a string`, `an array`, `null`. */
export function nameKind(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return value === "" ? "an empty string" : "a string";
  return `a ${typeof value}`;
}

export function listColumns(row: Row): string {
  const names = Object.keys(row);
  return names.length === 0 ? "no columns" : names.join(", ");
}

/** The same with the kind of what is no text: that may be why a row cannot be used. */
export function describeColumns(row: Row): string {
  const columns = Object.entries(row).map(([name, value]) => [typeof value === "string" ? name : `${name} (${nameKind(value)})`, value]);
  return listColumns(Object.fromEntries(columns) as Row);
}
