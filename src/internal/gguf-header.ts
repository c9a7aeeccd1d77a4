/**
 * The head of a GGUF file: metadata and the list of tensors. Written from the format's specification
 * (github.com/ggml-org/ggml, docs/gguf.md), versions 2 and 3, little-endian. It stands in internal/ because the weights,
 * the tokenizer and the model's configuration are all read from it.
 */
import { SparError } from "./errors.ts";

export type GgufValue = number | boolean | string | readonly string[] | Float64Array;

/** Keys such as `llama.block_count` or `tokenizer.ggml.tokens`. Numbers beyond 2^53 lose digits, as in JSON. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** A tensor as the file lists it: `dims` fastest first; bytes begin `offset` after the file's `dataStart`. */
export type GgufTensor = { typeId: number; dims: number[]; offset: number };

export type GgufHeader = { metadata: GgufMetadata; tensors: ReadonlyMap<string, GgufTensor>; alignment: number; dataStart: number };

/** A larger header is an attack or not a GGUF file; vocabularies of 250,000 tokens take about 15 MB. */
const MAX_GGUF_HEADER_BYTES = 1 << 28;

/** Sizes of the scalar types by number; 8 is a string, 9 an array. */
const SCALAR_BYTES: readonly (number | undefined)[] = [1, 1, 2, 2, 4, 4, 4, 1, undefined, undefined, 8, 8, 8];
const STRING = 8;
const ARRAY = 9;

export function refuseGguf(file: string, reason: string, tensor?: string): SparError {
  const where = tensor === undefined ? "" : `tensor ${JSON.stringify(tensor)}: `;
  return new SparError("checkpoint/malformed", `Reading ${file}: ${where}${reason}.`, {
    hint: "The file is damaged, incomplete or not a GGUF file; download or convert it again.",
  });
}

/** Says that the header goes on after the bytes that were given, at least to byte `bytes`. */
export class GgufHeaderContinues extends Error {
  readonly bytes: number;
  constructor(bytes: number) {
    super(`header continues to byte ${bytes}`);
    this.bytes = bytes;
  }
}

/**
 * Parses the head from the file's first bytes. Counts and lengths are compared with the file's size before anything
 * is allocated for them. Throws GgufHeaderContinues where more bytes are needed and the file has them.
 */
export function parseGgufHeader(bytes: Buffer, fileBytes: number, file: string): GgufHeader {
  let at = 0;
  const refuse = (reason: string, tensor?: string) => refuseGguf(file, reason, tensor);
  const take = (count: number, what: string): number => {
    const begin = at;
    if (count > fileBytes - at) throw refuse(`the file ends after ${fileBytes} bytes, within ${what} (truncated)`);
    if (begin + count > MAX_GGUF_HEADER_BYTES) throw refuse(`the header goes on beyond ${MAX_GGUF_HEADER_BYTES} bytes, within ${what}`);
    if (begin + count > bytes.length) throw new GgufHeaderContinues(begin + count);
    at += count;
    return begin;
  };
  /** A count whose items take at least `least` bytes each. */
  const takeCount = (what: string, least: number): number => {
    const count = bytes.readBigUInt64LE(take(8, what));
    if (count * BigInt(least) > BigInt(fileBytes - at))
      throw refuse(`${what} is ${count}, more than fit into the file's ${fileBytes} bytes (damaged or truncated)`);
    return Number(count);
  };
  const takeString = (what: string): string => {
    const length = takeCount(`the length of ${what}`, 1);
    const begin = take(length, what);
    return bytes.toString("utf8", begin, begin + length);
  };
  const takeScalar = (type: number, what: string): number | boolean => {
    const size = SCALAR_BYTES[type];
    if (size === undefined) throw refuse(`${what} has type ${type}, expected one of 0 to 12`);
    return readScalar(bytes, type, take(size, what));
  };
  const takeArray = (what: string): readonly string[] | Float64Array => {
    const type = bytes.readUInt32LE(take(4, what));
    const size = type === STRING ? 8 : SCALAR_BYTES[type];
    if (size === undefined) throw refuse(`${what} is a list of type ${type}, expected numbers or texts`);
    const count = takeCount(`the length of ${what}`, size);
    if (type === STRING) {
      const texts: string[] = [];
      for (let i = 0; i < count; i++) texts.push(takeString(what));
      return texts;
    }
    const begin = take(count * size, what);
    return Float64Array.from({ length: count }, (_, i) => Number(readScalar(bytes, type, begin + i * size)));
  };

  if (fileBytes < 24) throw refuse(`the file has ${fileBytes} bytes${fileBytes === 0 ? " (empty)" : ""}, expected at least 24`);
  const magic = bytes.toString("latin1", take(4, "its first bytes"), 4);
  if (magic !== "GGUF") throw refuse(`it begins with ${JSON.stringify(magic)}, not with "GGUF"`);
  const version = bytes.readUInt32LE(take(4, "the version"));
  if (version !== 2 && version !== 3)
    throw refuse(
      `version ${version & 0xffff ? version : "3, big-endian,"} cannot be read, expected 2 or 3${version === 1 ? "; convert the model again" : ""}`,
    );
  const tensorCount = takeCount("the number of tensors", 24);
  const keyCount = takeCount("the number of metadata keys", 13);

  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < keyCount; i++) {
    const key = takeString(`metadata key ${i}`);
    if (metadata.has(key)) throw refuse(`the metadata key ${JSON.stringify(key)} appears twice`);
    const type = bytes.readUInt32LE(take(4, key));
    metadata.set(key, type === STRING ? takeString(key) : type === ARRAY ? takeArray(key) : takeScalar(type, key));
  }

  const tensors = new Map<string, GgufTensor>();
  for (let i = 0; i < tensorCount; i++) {
    const name = takeString(`the name of tensor ${i}`);
    if (tensors.has(name)) throw refuse("the name appears twice", name);
    const count = bytes.readUInt32LE(take(4, name));
    if (count > 4) throw refuse(`it has ${count} dimensions, expected at most 4`, name);
    const dims: number[] = [];
    let elements = 1n;
    for (let d = 0; d < count; d++) {
      const size = bytes.readBigUInt64LE(take(8, name));
      elements *= size;
      if (size === 0n || elements > BigInt(Number.MAX_SAFE_INTEGER)) throw refuse(`dimension ${d} is ${size}`, name);
      dims.push(Number(size));
    }
    const typeId = bytes.readUInt32LE(take(4, name));
    const offset = bytes.readBigUInt64LE(take(8, name));
    if (offset > BigInt(fileBytes))
      throw refuse(`its data begins at ${offset}, but the file ends after ${fileBytes} bytes (truncated)`, name);
    tensors.set(name, { typeId, dims, offset: Number(offset) });
  }

  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment !== "number" || !(alignment > 0) || alignment % 8 !== 0)
    throw refuse(`general.alignment is ${String(alignment)}, expected a multiple of 8`);
  return { metadata, tensors, alignment, dataStart: Math.ceil(at / alignment) * alignment };
}

function readScalar(bytes: Buffer, type: number, at: number): number | boolean {
  switch (type) {
    case 0:
      return bytes.readUInt8(at);
    case 1:
      return bytes.readInt8(at);
    case 2:
      return bytes.readUInt16LE(at);
    case 3:
      return bytes.readInt16LE(at);
    case 4:
      return bytes.readUInt32LE(at);
    case 5:
      return bytes.readInt32LE(at);
    case 6:
      return bytes.readFloatLE(at);
    case 7:
      return bytes.readUInt8(at) !== 0;
    case 10:
      return Number(bytes.readBigUInt64LE(at));
    case 11:
      return Number(bytes.readBigInt64LE(at));
    default:
      return bytes.readDoubleLE(at);
  }
}
