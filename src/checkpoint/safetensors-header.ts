import { SparError } from "../internal/errors.ts";
import { DTYPE_BYTES, isDType, type DType } from "./dtype.ts";

/** A tensor's place in a safetensors file: bytes [begin, end) after the header. */
export type TensorEntry = { dtype: DType; shape: number[]; begin: number; end: number };

export type SafetensorsHeader = {
  tensors: Map<string, TensorEntry>;
  metadata: { [key: string]: string };
  /** Offset of the first data byte in the file. */
  dataStart: number;
};

/** The format's own limit (100 MB): a longer header is an attack or not a safetensors file. */
export const MAX_HEADER_BYTES = 100_000_000;

export function refuseFile(file: string, reason: string, tensor?: string): SparError {
  const where = tensor === undefined ? "" : `tensor "${tensor}": `;
  return new SparError("checkpoint/malformed", `Reading ${file}: ${where}${reason}.`, {
    hint: "The file is damaged, incomplete or not a safetensors file; download or export it again.",
  });
}

/** Length of the JSON header from the file's first 8 bytes; checked before anything is allocated. */
export function parseHeaderLength(first: Uint8Array, fileBytes: number, file: string): number {
  if (fileBytes < 8)
    throw refuseFile(
      file,
      `the file has ${fileBytes} bytes${fileBytes === 0 ? " (empty)" : ""}, expected at least 8 for the header's length`,
    );
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  // A header of 128 bytes begins like a pickle, one of 19,280 like a zip: it is one only where it is no such header.
  if (length > BigInt(Math.min(MAX_HEADER_BYTES, fileBytes - 8))) {
    if (first[0] === 0x80 && first[1]! <= 5) throw refuseFile(file, "this is a Python pickle, not a safetensors file");
    if (first[0] === 0x50 && first[1] === 0x4b) throw refuseFile(file, "this is a zip archive (a PyTorch pickle?), not a safetensors file");
  }
  if (Buffer.from(first).toString("latin1") === "version ") throw refuseFile(file, "this is a Git LFS pointer, not the file itself");
  if (length > BigInt(MAX_HEADER_BYTES))
    throw refuseFile(file, `the header claims ${length} bytes, more than the format's limit of ${MAX_HEADER_BYTES}`);
  if (length > BigInt(fileBytes - 8))
    throw refuseFile(file, `the header claims ${length} bytes, but the file ends after ${fileBytes} (truncated)`);
  if (length < 2n) throw refuseFile(file, `the header claims ${length} bytes, expected at least 2`);
  return Number(length);
}

/**
 * Parses and checks a header: known dtypes, shape × dtype = bytes, offsets in the file, no overlaps, no holes,
 * no duplicate names. `dataBytes` is the file's size after the header.
 */
export function parseSafetensorsHeader(header: Uint8Array, dataBytes: number, file: string): SafetensorsHeader {
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
    json = JSON.parse(text);
  } catch (cause) {
    throw refuseFile(file, `the header is not valid JSON (${cause instanceof Error ? cause.message : String(cause)})`);
  }
  if (!isRecord(json)) throw refuseFile(file, "the header is not a JSON object");
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw refuseFile(file, "the name appears twice in the header", duplicate);

  const tensors = new Map<string, TensorEntry>();
  const metadata: { [key: string]: string } = {};
  for (const [name, value] of Object.entries(json)) {
    if (name === "__metadata__") {
      if (!isRecord(value)) throw refuseFile(file, "__metadata__ is not an object");
      for (const [key, text] of Object.entries(value)) {
        if (typeof text !== "string") throw refuseFile(file, `__metadata__.${key} is not a string`);
        metadata[key] = text;
      }
    } else tensors.set(name, parseEntry(name, value, dataBytes, file));
  }
  checkLayout(tensors, dataBytes, file);
  return { tensors, metadata, dataStart: 8 + header.byteLength };
}

function parseEntry(name: string, value: unknown, dataBytes: number, file: string): TensorEntry {
  if (!isRecord(value)) throw refuseFile(file, "its header entry is not an object", name);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !isDType(dtype))
    throw refuseFile(file, `unknown dtype ${JSON.stringify(dtype)}, expected one of ${Object.keys(DTYPE_BYTES).join(", ")}`, name);
  if (!isSizes(shape)) throw refuseFile(file, `shape ${JSON.stringify(shape)} is not a list of non-negative integers`, name);
  if (!isSizes(offsets) || offsets.length !== 2)
    throw refuseFile(file, `data_offsets ${JSON.stringify(offsets)} are not two non-negative integers`, name);
  const [begin, end] = offsets as [number, number];
  if (begin > end) throw refuseFile(file, `data_offsets begin (${begin}) after they end (${end})`, name);
  if (end > dataBytes) throw refuseFile(file, `its data ends at byte ${end}, but the file holds ${dataBytes} data bytes (truncated)`, name);
  const expected = shape.reduce((product, size) => product * size, DTYPE_BYTES[dtype]);
  if (expected !== end - begin)
    throw refuseFile(file, `shape [${shape.join(", ")}] of ${dtype} needs ${expected} bytes, but data_offsets span ${end - begin}`, name);
  return { dtype, shape, begin, end };
}

function checkLayout(tensors: Map<string, TensorEntry>, dataBytes: number, file: string): void {
  const ordered = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  let last = "";
  for (const [name, { begin, end }] of ordered) {
    if (begin < covered) throw refuseFile(file, `its data overlaps that of "${last}" (begins at byte ${begin}, before ${covered})`, name);
    if (begin > covered) throw refuseFile(file, `bytes ${covered} to ${begin} before its data belong to no tensor`, name);
    covered = end;
    last = name;
  }
  if (covered !== dataBytes) throw refuseFile(file, `${dataBytes - covered} bytes after the last tensor belong to no tensor`);
}

/** JSON.parse keeps the last of two equal keys in silence; this walks the outermost object and compares names. */
function findDuplicateKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let expectKey = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "{" || c === "[") {
      depth++;
      expectKey = depth === 1;
    } else if (c === "}" || c === "]") depth--;
    else if (c === "," && depth === 1) expectKey = true;
    else if (c === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === "\\") i++;
      if (depth === 1 && expectKey) {
        const key = JSON.parse(text.slice(start, i + 1)) as string;
        if (seen.has(key)) return key;
        seen.add(key);
        expectKey = false;
      }
    }
  }
  return undefined;
}

function isRecord(value: unknown): value is { [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);
}
