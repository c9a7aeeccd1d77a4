/**
 * TensorBoard's event records by hand: protobuf messages `Event` (tensorflow/core/util/event.proto) inside TFRecord
 * frames: length (uint64), masked CRC-32C of the length, data, masked CRC-32C of the data, all little-endian.
 */

import type { Histogram } from "./histogram.ts";
import { bytesField, doubleField, floatField, integerField, textField } from "./protobuf.ts";

export type EventValue =
  | { tag: string; scalar: number }
  | { tag: string; text: string }
  | { tag: string; histogram: Histogram }
  /** A message of the hparams plugin, which lives in the metadata alone. */
  | { tag: string; hparams: Uint8Array };

export type EventRecord = {
  /** Seconds since 1970. */
  wallTime: number;
  step?: number;
  fileVersion?: string;
  values?: readonly EventValue[];
  /** Tells readers to forget what earlier files say of this step and later ones. */
  purge?: boolean;
};

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** CRC-32C (Castagnoli). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

export function frameRecord(data: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(data.length + 16);
  frame.writeBigUInt64LE(BigInt(data.length), 0);
  frame.writeUInt32LE(maskedCrc(frame.subarray(0, 8)), 8);
  frame.set(data, 12);
  frame.writeUInt32LE(maskedCrc(data), 12 + data.length);
  return frame;
}

/** SummaryMetadata with the plugin's name and content. */
function pluginMetadata(plugin: string, content?: Uint8Array): Buffer {
  const parts = [textField(1, plugin)];
  if (content !== undefined) parts.push(bytesField(2, content));
  return bytesField(9, bytesField(1, Buffer.concat(parts)));
}

function encodeValue(value: EventValue): Buffer {
  const tag = textField(1, value.tag);
  if ("scalar" in value) return Buffer.concat([tag, floatField(2, value.scalar)]);
  if ("hparams" in value) return Buffer.concat([tag, pluginMetadata("hparams", value.hparams)]);
  if ("histogram" in value) {
    // TensorProto: dtype DT_DOUBLE = 2, shape [n, 3], tensor_content: left edge, right edge and count of each bin.
    const { edges, counts } = value.histogram;
    const dimensions = [counts.length, 3].map((size) => bytesField(2, integerField(1, size)));
    const content = Float64Array.from(counts.flatMap((count, i) => [edges[i]!, edges[i + 1]!, count]));
    const tensor = Buffer.concat([
      integerField(1, 2),
      bytesField(2, Buffer.concat(dimensions)),
      bytesField(4, Buffer.from(content.buffer)),
    ]);
    return Buffer.concat([tag, bytesField(8, tensor), pluginMetadata("histograms")]);
  }
  // TensorProto: dtype DT_STRING = 7, shape [1], string_val.
  const shape = bytesField(2, bytesField(2, integerField(1, 1)));
  const tensor = Buffer.concat([integerField(1, 7), shape, textField(8, value.text)]);
  return Buffer.concat([tag, bytesField(8, tensor), pluginMetadata("text")]);
}

export function encodeEvent(record: EventRecord): Uint8Array {
  const parts = [doubleField(1, record.wallTime)];
  if (record.step !== undefined && record.step !== 0) parts.push(integerField(2, record.step));
  if (record.fileVersion !== undefined) parts.push(textField(3, record.fileVersion));
  if (record.values !== undefined) {
    parts.push(bytesField(5, Buffer.concat(record.values.map((value) => bytesField(1, encodeValue(value))))));
  }
  if (record.purge === true) parts.push(bytesField(7, integerField(1, 1))); // SessionLog.START
  return Buffer.concat(parts);
}

export type HyperParameter = number | string | boolean;

/** HParamsPluginData with a SessionStartInfo. */
export function encodeSessionStart(parameters: { readonly [name: string]: HyperParameter }, startSeconds: number): Uint8Array {
  const entries = Object.entries(parameters).map(([name, value]) => {
    const encoded =
      typeof value === "number" ? doubleField(2, value) : typeof value === "string" ? textField(3, value) : integerField(4, value ? 1 : 0);
    return bytesField(1, Buffer.concat([textField(1, name), bytesField(2, encoded)]));
  });
  return bytesField(3, Buffer.concat([...entries, doubleField(5, startSeconds)]));
}

/** HParamsPluginData with a SessionEndInfo. */
export function encodeSessionEnd(success: boolean, endSeconds: number): Uint8Array {
  return bytesField(4, Buffer.concat([integerField(1, success ? 1 : 2), doubleField(2, endSeconds)]));
}
