import { SparError } from "../internal/errors.ts";
import { readBytes } from "./file-bytes.ts";
import type { RangedRow } from "./read-json.ts";
import { decodeUtf8, readLineBatches } from "./read-lines.ts";

/** How a text file is cut into rows: each line (blank ones passed over), each block between blank lines, or the whole file. */
export type TextSampling = "line" | "paragraph" | "document";

/** A whole text file as one row must fit in one JavaScript string. */
const DOCUMENT_LIMIT = 1 << 28;

/** Rows `{text}` of a text file, plain or .gz. */
export async function* readText(path: string, sampling: TextSampling): AsyncGenerator<RangedRow[]> {
  if (sampling === "document") {
    const text = await readDocument(path);
    if (text.trim() !== "") yield [{ row: { text }, line: 1, bytes: 2 * text.length + 64, start: 0, end: Buffer.byteLength(text) }];
    return;
  }
  let paragraph: { texts: string[]; line: number; start: number; end: number } | undefined;
  const makeParagraph = (from: NonNullable<typeof paragraph>): RangedRow => {
    const text = from.texts.join("\n");
    return { row: { text }, line: from.line, bytes: 2 * text.length + 64, start: from.start, end: from.end };
  };
  for await (const lines of readLineBatches(path)) {
    const rows: RangedRow[] = [];
    for (const { text, number, start, end } of lines) {
      const blank = text.trim() === "";
      if (sampling === "line") {
        if (!blank) rows.push({ row: { text }, line: number, bytes: 2 * text.length + 64, start, end });
      } else if (!blank) {
        paragraph ??= { texts: [], line: number, start, end };
        paragraph.texts.push(text);
        paragraph.end = end;
      } else if (paragraph) {
        rows.push(makeParagraph(paragraph));
        paragraph = undefined;
      }
    }
    if (rows.length > 0) yield rows;
  }
  if (paragraph) yield [makeParagraph(paragraph)];
}

/** The inverse of the byte ranges above: what lies between `start` and `end`, with lines joined by "\n". */
export function parseTextRow(bytes: Buffer): { text: string } {
  return { text: bytes.toString("utf8").replace(/\r(?=\n|$)/g, "") };
}

async function readDocument(path: string): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of readBytes(path)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > DOCUMENT_LIMIT) {
      throw new SparError("data/too-large", `reading ${path}: a row of more than ${DOCUMENT_LIMIT} bytes`, {
        hint: "set sample_by: line (or paragraph) for this data set",
      });
    }
  }
  const bytes = Buffer.concat(chunks);
  const text = decodeUtf8(path, bytes, 1);
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
