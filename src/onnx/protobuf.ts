/**
 * The protobuf wire format, as far as ONNX needs it (https://protobuf.dev/programming-guides/encoding/).
 * A message under construction is a list of byte chunks, so that large tensors are copied once, at the end.
 */
import { SparError } from "../internal/errors.ts";

/** Chunks in order, and how many bytes they hold together. */
export interface Message {
  readonly chunks: readonly Uint8Array[];
  readonly byteLength: number;
}

const text = new TextEncoder();

/** Two's complement of 64 bits in groups of seven, least significant first; numbers are safe integers. */
export function encodeVarint(value: number | bigint): Uint8Array {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new SparError("onnx/invalid-integer", `encodeVarint: expected a safe integer, got ${value}`);
  }
  const bytes: number[] = [];
  if (typeof value === "number" && value >= 0) {
    let rest = value;
    while (rest >= 128) {
      bytes.push((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    bytes.push(rest);
    return Uint8Array.from(bytes);
  }
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function tag(field: number, wireType: number): Uint8Array {
  return encodeVarint(field * 8 + wireType);
}

/** An integer field. */
export function integerField(field: number, value: number | bigint): Message {
  return joinMessages([rawBytes(tag(field, 0)), rawBytes(encodeVarint(value))]);
}

/** A 32-bit float field. */
export function floatField(field: number, value: number): Message {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return joinMessages([rawBytes(tag(field, 5)), rawBytes(bytes)]);
}

/** A length-delimited field: bytes, a string or a message. */
export function delimitedField(field: number, value: Message | Uint8Array | string): Message {
  const body = typeof value === "string" ? rawBytes(text.encode(value)) : value instanceof Uint8Array ? rawBytes(value) : value;
  return joinMessages([rawBytes(tag(field, 2)), rawBytes(encodeVarint(body.byteLength)), body]);
}

/** Fields one after the other. */
export function joinMessages(parts: readonly Message[]): Message {
  let byteLength = 0;
  const chunks: Uint8Array[] = [];
  for (const part of parts) {
    byteLength += part.byteLength;
    for (const chunk of part.chunks) chunks.push(chunk);
  }
  return { chunks, byteLength };
}

export function rawBytes(bytes: Uint8Array): Message {
  return { chunks: [bytes], byteLength: bytes.byteLength };
}

/** One array of bytes; protobuf readers refuse messages of 2 GiB and more, so we do it first and say why. */
export function flattenMessage(message: Message): Uint8Array {
  if (message.byteLength >= 2 ** 31) {
    throw new SparError("onnx/too-large", `encodeModel: expected less than 2 GiB of model, got ${message.byteLength} bytes`, {
      hint: "give large weights as graph inputs or as external initializers (data undefined), not inside the model",
    });
  }
  const bytes = new Uint8Array(message.byteLength);
  let offset = 0;
  for (const chunk of message.chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

/** One field as read: `value` is an integer (varint), the 4 or 8 bytes of a fixed number, or the bytes of a delimited field. */
export interface Field {
  readonly field: number;
  readonly value: bigint | Uint8Array;
}

/** Splits a message into its fields, in file order; throws `onnx/malformed` where the bytes end too early or make no sense. */
export function* readFields(bytes: Uint8Array): Generator<Field> {
  let offset = 0;
  const readVarint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (offset >= bytes.length) throw malformed("the bytes end inside an integer", offset);
      const byte = bytes[offset++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw malformed("an integer is longer than 10 bytes", offset);
  };
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - offset) throw malformed(`a field of ${length} bytes goes beyond the end`, offset);
    offset += length;
    return bytes.subarray(offset - length, offset);
  };
  while (offset < bytes.length) {
    const key = Number(readVarint());
    const field = Math.floor(key / 8);
    const wireType = key % 8;
    if (field === 0) throw malformed("a field has the number 0", offset);
    if (wireType === 0) yield { field, value: readVarint() };
    else if (wireType === 1) yield { field, value: take(8) };
    else if (wireType === 2) yield { field, value: take(Number(readVarint())) };
    else if (wireType === 5) yield { field, value: take(4) };
    else throw malformed(`unknown wire type ${wireType}`, offset);
  }
}

/** A repeated integer field may be packed into one field or not; either way, its numbers. */
export function readIntegers(value: bigint | Uint8Array): bigint[] {
  if (typeof value === "bigint") return [value];
  const numbers: bigint[] = [];
  let current = 0n;
  let shift = 0n;
  for (const byte of value) {
    current |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte < 128) {
      numbers.push(BigInt.asUintN(64, current));
      current = 0n;
      shift = 0n;
    } else if (shift >= 70n) throw malformed("an integer is longer than 10 bytes", 0);
  }
  if (shift !== 0n) throw malformed("the bytes end inside an integer", value.length);
  return numbers;
}

function malformed(what: string, offset: number): SparError {
  return new SparError("onnx/malformed", `readFields: not a protobuf message: ${what} (at byte ${offset})`);
}
