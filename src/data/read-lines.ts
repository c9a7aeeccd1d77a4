import { isUtf8 } from "node:buffer";

import { SparError } from "../internal/errors.ts";
import { readBytes } from "./file-bytes.ts";

/** A line without its end; `start` and `end` are byte offsets in the (unpacked) file. */
export type Line = { text: string; number: number; start: number; end: number };

/**
 * The lines of a UTF-8 file, in batches (one per chunk read, so that the cost of `await` is shared).
 * A byte order mark and carriage returns are taken off; a last line without newline counts.
 */
export async function* readLineBatches(path: string): AsyncGenerator<Line[]> {
  let held: Buffer[] = [];
  let heldLength = 0;
  let offset = 0;
  let number = 0;

  const makeLine = (bytes: Buffer, start: number): Line => {
    number++;
    if (number === 1) {
      refuseUtf16(path, bytes);
      if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
        bytes = bytes.subarray(3);
        start += 3;
      }
    }
    const end = start + bytes.length;
    if (bytes[bytes.length - 1] === 13) bytes = bytes.subarray(0, bytes.length - 1);
    return { text: decodeUtf8(path, bytes, number), number, start, end };
  };

  for await (const chunk of readBytes(path)) {
    const lines: Line[] = [];
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      let bytes = chunk.subarray(from, at);
      const start = offset + from - heldLength;
      if (heldLength > 0) {
        bytes = Buffer.concat([...held, bytes]);
        held = [];
        heldLength = 0;
      }
      lines.push(makeLine(bytes, start));
      from = at + 1;
    }
    if (from < chunk.length) {
      held.push(chunk.subarray(from));
      heldLength += chunk.length - from;
    }
    offset += chunk.length;
    if (lines.length > 0) yield lines;
  }
  if (heldLength > 0) yield [makeLine(Buffer.concat(held), offset - heldLength)];
}

function refuseUtf16(path: string, bytes: Buffer): void {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new SparError("data/encoding", `reading data: ${path} is UTF-16, expected UTF-8`, {
      hint: "convert it: iconv -f UTF-16 -t UTF-8",
    });
  }
}

/** Bytes as text; refuses what is not UTF-8 instead of replacing it, since that would train on �. */
export function decodeUtf8(path: string, bytes: Buffer, line: number): string {
  if (!isUtf8(bytes)) {
    throw new SparError("data/encoding", `reading data: ${path}:${line} is not UTF-8 text`, {
      hint: "convert the file: iconv -f LATIN1 -t UTF-8 (or whatever it is in)",
    });
  }
  return bytes.toString("utf8");
}
