/**
 * W&B's transaction log, a `.wandb` file: seven bytes of header, then LevelDB's log format: blocks of 32 KiB (the header
 * counts into the first), in them chunks of CRC-32 (uint32 LE, over type and data; zlib's, not LevelDB's masked one),
 * length (uint16 LE), type (1 whole, 2 first, 3 middle, 4 last) and data. Source: wandb/wandb, core/pkg/leveldb/record.go.
 */

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";

const blockSize = 32_768;
const chunkHeader = 7;
const fileHeader = Buffer.from([0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0x00]); // ":W&B", 0xBEE1, version 0

/** The chunks of a record that begins at `position` of the file. */
export function frameLogRecord(record: Uint8Array, position: number): Buffer {
  const parts: Buffer[] = [];
  let at = position;
  let written = 0;
  let isFirst = true;
  do {
    const left = blockSize - (at % blockSize);
    if (left < chunkHeader) {
      parts.push(Buffer.alloc(left));
      at += left;
      continue;
    }
    const length = Math.min(record.length - written, left - chunkHeader);
    const isLast = written + length === record.length;
    const chunk = Buffer.alloc(chunkHeader + length);
    chunk[6] = isFirst ? (isLast ? 1 : 2) : isLast ? 4 : 3;
    chunk.set(record.subarray(written, written + length), chunkHeader);
    chunk.writeUInt32LE(crc32(chunk.subarray(6)), 0);
    chunk.writeUInt16LE(length, 4);
    parts.push(chunk);
    at += chunk.length;
    written += length;
    isFirst = false;
  } while (isFirst || written < record.length);
  return Buffer.concat(parts);
}

/** The records of a log up to the first damage: what a killed writer leaves is cut off there. */
export function parseLog(bytes: Buffer): Buffer[] {
  const records: Buffer[] = [];
  if (!bytes.subarray(0, fileHeader.length).equals(fileHeader)) return records;
  let parts: Buffer[] = [];
  let at = fileHeader.length;
  while (at + chunkHeader <= bytes.length) {
    const left = blockSize - (at % blockSize);
    if (left < chunkHeader) {
      at += left;
      continue;
    }
    const length = bytes.readUInt16LE(at + 4);
    const type = bytes[at + 6]!;
    const end = at + chunkHeader + length;
    if (end > bytes.length || type < 1 || type > 4 || chunkHeader + length > left) break;
    if (crc32(bytes.subarray(at + 6, end)) !== bytes.readUInt32LE(at)) break;
    const data = bytes.subarray(at + chunkHeader, end);
    if (type <= 2) parts = [];
    parts.push(data);
    if (type === 1 || type === 4) records.push(Buffer.concat(parts));
    at = end;
  }
  return records;
}

function formatLog(records: readonly Uint8Array[]): Buffer {
  const parts: Buffer[] = [fileHeader];
  let position = fileHeader.length;
  for (const record of records) {
    const frame = frameLogRecord(record, position);
    parts.push(frame);
    position += frame.length;
  }
  return Buffer.concat(parts);
}

export interface WandbLog {
  append(record: Uint8Array): void;
  close(): void;
}

/** Opens a log for writing; `records` are what it begins with, instead of what it may hold. */
export function openWandbLog(path: string, records: readonly Uint8Array[]): WandbLog {
  const start = formatLog(records);
  writeFileSync(`${path}.tmp`, start, { flush: true });
  renameSync(`${path}.tmp`, path);
  const handle = openSync(path, "a");
  let position = start.length;
  return {
    append(record) {
      const frame = frameLogRecord(record, position);
      for (let written = 0; written < frame.length;) written += writeSync(handle, frame, written);
      position += frame.length;
    },
    close() {
      fsyncSync(handle);
      closeSync(handle);
    },
  };
}

/** The records of the log there, none where there is none. */
export function readWandbLog(path: string): Buffer[] {
  return existsSync(path) ? parseLog(readFileSync(path)) : [];
}
