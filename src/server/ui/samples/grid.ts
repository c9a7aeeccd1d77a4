/** Columns of texts side by side: rows of the same prompt, filtered, sorted, a page at a time. */
import type { SampleColumn, SampleText } from "./columns.ts";
import type { ColumnSummary, Grid, GridRequest, GridRow, SamplePrompt, SourceColumn } from "./protocol.ts";

export interface ChosenColumn {
  readonly described: SourceColumn;
  /** The source's name. */
  readonly source: string;
  /** Whose texts they are, in one line. */
  readonly owner: string;
  readonly column: SampleColumn;
}

interface JoinedRow {
  readonly key: string;
  readonly prompt: SamplePrompt;
  readonly cells: (SampleText | null)[];
}

/** One a text: equal ones of several columns stand in one row. Where a prompt comes several times, the first goes with the first. */
export function listRowKeys(texts: readonly Pick<SampleText, "prompt">[]): string[] {
  const seen = new Map<string, number>();
  return texts.map((text) => {
    const prompt = JSON.stringify(text.prompt);
    const occurrence = seen.get(prompt) ?? 0;
    seen.set(prompt, occurrence + 1);
    return `${occurrence} ${prompt}`;
  });
}

export function joinColumns(columns: readonly { readonly texts: readonly SampleText[] }[]): JoinedRow[] {
  const rows = new Map<string, JoinedRow>();
  for (const [i, { texts }] of columns.entries()) {
    const keys = listRowKeys(texts);
    for (const [at, text] of texts.entries()) {
      const key = keys[at];
      const row = rows.get(key) ?? { key, prompt: text.prompt, cells: columns.map(() => null) };
      rows.set(key, row);
      row.cells[i] = text;
    }
  }
  return [...rows.values()];
}

export function layOutGrid(
  columns: readonly ChosenColumn[],
  { search = "", only = "all", sort, offset = 0, limit = 50 }: GridRequest,
): Grid {
  const wanted = search.trim().toLowerCase();
  const rows = joinColumns(columns.map(({ column }) => column)).filter((row) => fits(row, only) && (wanted === "" || holds(row, wanted)));
  if (sort !== undefined) sortRows(rows, columns, sort);
  return {
    columns: columns.map(({ described, source }, i) => ({ ...described, source, summary: summarise(rows, i) })),
    rows: rows.slice(offset, offset + limit).map(describeRow),
    total: rows.length,
  };
}

function describeRow({ key, prompt, cells }: JoinedRow): GridRow {
  return { key, prompt, cells: cells.map((cell) => (cell === null ? null : { text: cell.text, scores: cell.scores })) };
}

function fits({ cells }: JoinedRow, only: NonNullable<GridRequest["only"]>): boolean {
  if (only === "all") return true;
  if (cells.includes(null)) return false;
  return only === "every" || new Set(cells.map((cell) => cell?.text)).size > 1;
}

function holds({ prompt, cells }: JoinedRow, wanted: string): boolean {
  const texts = typeof prompt === "string" ? [prompt] : prompt.map(({ content }) => content);
  return [...texts, ...cells.map((cell) => cell?.text ?? "")].some((text) => text.toLowerCase().includes(wanted));
}

/** Rows without a value come last, whichever way it goes. */
function sortRows(
  rows: JoinedRow[],
  columns: readonly ChosenColumn[],
  { by, column, descending = false }: NonNullable<GridRequest["sort"]>,
): void {
  const sign = descending ? -1 : 1;
  if (by === "file") {
    if (descending) rows.reverse();
    return;
  }
  if (by === "prompt") {
    const textOf = ({ prompt }: JoinedRow): string =>
      typeof prompt === "string" ? prompt : prompt.map(({ content }) => content).join(" ");
    rows.sort((a, b) => sign * textOf(a).localeCompare(textOf(b)));
    return;
  }
  const valueIn = (cell: SampleText | null | undefined): number | undefined =>
    cell === null || cell === undefined ? undefined : by === "length" ? cell.text.length : cell.scores[by];
  const index = columns.findIndex(({ described }) => described.id === column);
  const valueOf = ({ cells }: JoinedRow): number | undefined => {
    if (column !== "difference") return valueIn(cells[Math.max(0, index)]);
    const [first, last] = [valueIn(cells[0]), valueIn(cells.at(-1))];
    return first === undefined || last === undefined ? undefined : last - first;
  };
  rows.sort((a, b) => {
    const [x, y] = [valueOf(a), valueOf(b)];
    if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined);
    return sign * (x - y);
  });
}

function summarise(rows: readonly JoinedRow[], index: number): ColumnSummary {
  const cells = rows.flatMap(({ cells: all }) => all[index] ?? []);
  const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const names = new Set(cells.flatMap(({ scores }) => Object.keys(scores)));
  return {
    rows: cells.length,
    meanLength: cells.length === 0 ? null : meanOf(cells.map(({ text }) => text.length)),
    meanScores: Object.fromEntries(
      [...names].map((name) => [name, meanOf(cells.flatMap(({ scores }) => (name in scores ? [scores[name]] : [])))]),
    ),
  };
}
