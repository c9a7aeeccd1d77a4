import { SparError } from "../internal/errors.ts";
import { readBytes } from "./file-bytes.ts";

/** One element of a JSON array: its bytes, the line it starts on (from 1), its byte range in the file. */
export type JsonElement = { bytes: Buffer; line: number; start: number; end: number };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

type Stage = "before" | "object" | "array" | "after";

/**
 * The elements of a file's top-level array, or of the array under `data` of its top-level object, found
 * without parsing or holding the file. Elements are only delimited: the caller parses each.
 */
export async function* readJsonElements(path: string): AsyncGenerator<JsonElement[]> {
  let stage: Stage = "before";
  let depth = 0; // brackets open within the current element (array stage) or within the object (object stage)
  let inString = false;
  let escaped = false;
  let line = 1;
  let offset = 0;
  let started = -1; // offset of the current element's first byte
  let startedLine = 0;
  let last = -1; // offset after its last byte that is not white space
  let held: Buffer[] = []; // the part of the current element in earlier chunks
  let keyBytes: number[] = [];
  let key = "";
  const keys: string[] = [];
  let expectsElement = false; // after a comma

  const fail = (found: string): never => {
    throw new SparError("data/bad-json", `reading ${path}:${line}: ${found}`, {
      hint: 'expected a JSON array of rows, {"data": [rows]}, or one JSON object a line',
    });
  };

  for await (const chunk of readBytes(path)) {
    const elements: JsonElement[] = [];
    let keepFrom = 0; // where the current element's bytes begin in this chunk
    const finish = () => {
      const until = last - offset; // negative when the element ended in an earlier chunk
      let bytes = Buffer.concat([...held, chunk.subarray(keepFrom, Math.max(keepFrom, until))]);
      bytes = bytes.subarray(0, last - started);
      elements.push({ bytes, line: startedLine, start: started, end: last });
      started = -1;
      held = [];
    };
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!;
      if (byte === 10) line++;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
        if (stage === "array") last = offset + i + 1;
        else if (inString && depth === 1) keyBytes.push(byte);
        continue;
      }
      const isSpace = byte === 32 || byte === 10 || byte === 13 || byte === 9;
      if (isSpace) continue;
      switch (stage) {
        case "before":
          if (offset + i < 3 && (byte === 0xef || byte === 0xbb || byte === 0xbf)) break;
          if (byte === OPEN_ARRAY) stage = "array";
          else if (byte === OPEN_OBJECT) {
            stage = "object";
            depth = 1;
          } else fail(`found ${JSON.stringify(String.fromCharCode(byte))} where the rows should begin`);
          break;
        case "object":
          if (byte === QUOTE) {
            inString = true;
            if (depth === 1) keyBytes = [];
          } else if (byte === COLON && depth === 1) {
            key = Buffer.from(keyBytes).toString("utf8");
            keys.push(key);
          } else if (byte === OPEN_ARRAY && depth === 1 && key === "data") {
            stage = "array";
            depth = 0;
          } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) depth++;
          else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
            depth--;
            if (depth === 0) fail(`found one object with the keys ${keys.join(", ") || "(none)"} and no array under "data"`);
          }
          break;
        case "array":
          if (depth === 0 && (byte === COMMA || byte === CLOSE_ARRAY)) {
            if (started >= 0) finish();
            else if (byte === COMMA || expectsElement) fail(`found ${byte === COMMA ? '","' : '"]"'} where a row should be`);
            expectsElement = byte === COMMA;
            if (byte === CLOSE_ARRAY) stage = "after";
            break;
          }
          if (started < 0) {
            started = offset + i;
            startedLine = line;
            keepFrom = i;
          }
          last = offset + i + 1;
          if (byte === QUOTE) inString = true;
          else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) depth++;
          else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth--;
          break;
        case "after":
          // what follows in {"data": […], …} belongs to the object and is of no interest
          if (keys.length === 0) fail("found more after the end of the array");
          break;
      }
    }
    if (started >= 0) held.push(chunk.subarray(keepFrom));
    offset += chunk.length;
    if (elements.length > 0) yield elements;
  }
  if (stage === "array") {
    fail(started >= 0 ? `the file ends inside the row that starts on line ${startedLine}` : "the file ends inside the array");
  }
  if (stage === "object") fail("the file ends inside its top-level object");
}
