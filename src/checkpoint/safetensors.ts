import { open, type FileHandle } from "node:fs/promises";
import { endianness } from "node:os";
import { SparError } from "../internal/errors.ts";
import { convertFromF32, convertToF32, DTYPE_BYTES, type DType, type StorageDType } from "./dtype.ts";
import { explainFileError } from "./file-error.ts";
import type { QuantType } from "./gguf-quants.ts";
import { parseHeaderLength, parseSafetensorsHeader, refuseFile, type SafetensorsHeader } from "./safetensors-header.ts";

/** Named tensors on disk, read one by one into memory of the caller's. */
export interface WeightSource {
  names(): string[];
  has(name: string): boolean;
  info(name: string): { dtype: DType | QuantType; shape: readonly number[] };
  /**
   * Fills `target` (as many elements as the shape has) with the tensor as f32, through one chunk of at most 1 MiB.
   * NaN and infinite values are refused with the tensor's name unless `allowNonFinite`.
   */
  readInto(name: string, target: Float32Array, options?: { allowNonFinite?: boolean }): Promise<void>;
  close(): Promise<void>;
}

const CHUNK_BYTES = 1 << 20;
const LITTLE_ENDIAN = endianness() === "LE";

export function countElements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Opens one .safetensors file; its header is checked completely here, its values when they are read. */
export async function openSafetensors(path: string): Promise<WeightSource & { readonly metadata: { [key: string]: string } }> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (cause) {
    throw explainFileError(cause, "opening weights", path);
  }
  try {
    const header = await readHeader(file, path);
    return {
      metadata: header.metadata,
      names: () => [...header.tensors.keys()],
      has: (name) => header.tensors.has(name),
      info: (name) => getEntry(header, name, path),
      readInto: (name, target, options) => readTensor(file, path, header, name, target, options?.allowNonFinite ?? false),
      close: () => file.close(),
    };
  } catch (cause) {
    await file.close();
    throw explainFileError(cause, "reading weights", path);
  }
}

async function readHeader(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const stat = await file.stat();
  if (!stat.isFile()) throw refuseFile(path, "not a regular file");
  const size = stat.size;
  const first = new Uint8Array(8);
  await file.read(first, 0, Math.min(8, size), 0);
  const length = parseHeaderLength(first, size, path);
  const bytes = new Uint8Array(length);
  await readFully(file, bytes, 8, path);
  return parseSafetensorsHeader(bytes, size - 8 - length, path);
}

function getEntry(header: SafetensorsHeader, name: string, path: string) {
  const entry = header.tensors.get(name);
  if (entry) return entry;
  throw new SparError("checkpoint/missing-tensor", `Reading ${path}: no tensor "${name}" (the file has ${header.tensors.size} tensors).`, {
    hint: "Check that config.json describes the architecture these weights belong to.",
  });
}

export async function readFully(file: FileHandle, bytes: Uint8Array, position: number, path: string): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesRead } = await file.read(bytes, done, Math.min(bytes.byteLength - done, 1 << 30), position + done);
    if (bytesRead === 0) throw refuseFile(path, `the file ended at byte ${position + done} while it was read (truncated)`);
    done += bytesRead;
  }
}

async function readTensor(
  file: FileHandle,
  path: string,
  header: SafetensorsHeader,
  name: string,
  target: Float32Array,
  allowNonFinite: boolean,
): Promise<void> {
  const { dtype, shape, begin, end } = getEntry(header, name, path);
  const elements = countElements(shape);
  if (target.length !== elements)
    throw new SparError(
      "checkpoint/shape-mismatch",
      `Reading ${path}: tensor "${name}" has shape [${shape.join(", ")}] (${elements} elements), but ${target.length} were expected.`,
      { hint: "config.json and the weights disagree." },
    );
  const start = header.dataStart + begin;
  if (dtype === "F32" && LITTLE_ENDIAN) {
    // Straight into the target: nothing else is held.
    await readFully(file, new Uint8Array(target.buffer, target.byteOffset, target.byteLength), start, path);
    if (!allowNonFinite) checkFinite(target, 0, elements, path, name);
    return;
  }
  const width = DTYPE_BYTES[dtype];
  const perChunk = CHUNK_BYTES / width;
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - begin));
  for (let i = 0; i < elements; i += perChunk) {
    const n = Math.min(perChunk, elements - i);
    const part = chunk.subarray(0, n * width);
    await readFully(file, part, start + i * width, path);
    convertToF32(dtype, part, target, i);
    if (!allowNonFinite) checkFinite(target, i, i + n, path, name);
  }
}

export function checkFinite(values: Float32Array, from: number, to: number, path: string, name: string): void {
  // x - x is 0 for finite x and NaN otherwise: one addition an element until something is wrong.
  let sum = 0;
  for (let i = from; i < to; i++) sum += values[i]! - values[i]!;
  if (sum === 0) return;
  for (let i = from; i < to; i++) {
    if (!Number.isFinite(values[i]))
      throw new SparError(
        "checkpoint/not-finite",
        `Reading ${path}: tensor "${name}" holds ${values[i]} at element ${i}; weights must be finite.`,
        {
          hint: "The run that wrote it diverged, or the file is damaged; use an earlier checkpoint.",
        },
      );
  }
}

/** A tensor to be written; `data` may be a function, called when its turn comes, so that not all need be in memory. */
export type TensorToWrite = {
  name: string;
  shape: readonly number[];
  data: Float32Array | (() => Float32Array | Promise<Float32Array>);
  /** Overrides the file's storage type. */
  dtype?: StorageDType;
};

/**
 * Writes one .safetensors file and syncs it. Tensors are sorted by name and nothing depends on time or machine: the
 * same tensors give the same bytes. Not atomic by itself; see `writeFileAtomic` and `writeFolderAtomic`.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorToWrite[],
  options: { dtype?: StorageDType; metadata?: { [key: string]: string } } = {},
): Promise<void> {
  const sorted = [...tensors].sort((a, b) => compareNames(a.name, b.name));
  const header = formatHeader(sorted, options, path);
  let file: FileHandle;
  try {
    file = await open(path, "w");
  } catch (cause) {
    throw explainFileError(cause, "writing weights", path);
  }
  try {
    await writeFully(file, header);
    for (const tensor of sorted) {
      const data = typeof tensor.data === "function" ? await tensor.data() : tensor.data;
      const elements = countElements(tensor.shape);
      if (data.length !== elements)
        throw new SparError(
          "checkpoint/shape-mismatch",
          `Writing ${path}: tensor "${tensor.name}" has ${data.length} elements, but shape [${tensor.shape.join(", ")}] needs ${elements}.`,
        );
      const dtype = tensor.dtype ?? options.dtype ?? "F32";
      if (dtype === "F32" && LITTLE_ENDIAN) {
        await writeFully(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
        continue;
      }
      const step = CHUNK_BYTES / 4;
      for (let i = 0; i < elements; i += step) await writeFully(file, convertFromF32(dtype, data.subarray(i, i + step)));
    }
    await file.sync();
  } catch (cause) {
    throw explainFileError(cause, "writing weights", path);
  } finally {
    await file.close();
  }
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function formatHeader(
  sorted: readonly TensorToWrite[],
  options: { dtype?: StorageDType; metadata?: { [key: string]: string } },
  path: string,
): Uint8Array {
  const entries: [string, unknown][] = [["__metadata__", options.metadata ?? { format: "pt" }]];
  let offset = 0;
  let previous: string | undefined;
  for (const { name, shape, dtype = options.dtype ?? "F32" } of sorted) {
    if (name === previous || name === "__metadata__")
      throw new SparError("checkpoint/duplicate-tensor", `Writing ${path}: the name "${name}" appears twice or is reserved.`);
    previous = name;
    const end = offset + countElements(shape) * DTYPE_BYTES[dtype];
    entries.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Built by hand, as objects move integer-like names to the front.
  const json = `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")}}`;
  const text = new TextEncoder().encode(json);
  const length = Math.ceil(text.byteLength / 8) * 8;
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(text, 8);
  return header;
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.byteLength - done, 1 << 30));
    done += bytesWritten;
  }
}
