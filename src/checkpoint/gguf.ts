/** The weights of a GGUF file, by the names and with the layout that the file gives them; as f32. */
import { open, type FileHandle } from "node:fs/promises";
import { SparError } from "../internal/errors.ts";
import { readGgufHeader } from "../internal/gguf-file.ts";
import { refuseGguf, type GgufHeader, type GgufMetadata } from "../internal/gguf-header.ts";
import { explainFileError } from "./file-error.ts";
import { GGUF_FORMATS, OTHER_FORMATS, type GgufFormat } from "./gguf-quants.ts";
import { checkFinite, countElements, readFully, type WeightSource } from "./safetensors.ts";

/** Bytes [begin, end) of the file; `shape` slowest first, as everywhere else in spar. */
type Entry = { format: GgufFormat; shape: number[]; begin: number; end: number };

const CHUNK_BYTES = 1 << 20;

/** Opens one .gguf file; its head is checked completely here, its values when they are read, tensor by tensor. */
export async function openGguf(path: string): Promise<WeightSource & { readonly metadata: GgufMetadata }> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (cause) {
    throw explainFileError(cause, "opening weights", path);
  }
  try {
    const header = await readGgufHeader(file, path);
    const entries = locateTensors(header, header.fileBytes, path);
    const find = (name: string): Entry => {
      const entry = entries.get(name);
      if (entry) return entry;
      throw new SparError("checkpoint/missing-tensor", `Reading ${path}: no tensor "${name}" (the file has ${entries.size} tensors).`, {
        hint: "The file does not hold a model of this architecture; convert it again.",
      });
    };
    return {
      metadata: header.metadata,
      names: () => [...entries.keys()],
      has: (name) => entries.has(name),
      info: (name) => ({ dtype: find(name).format.name, shape: find(name).shape }),
      readInto: (name, target, options) => readTensor(file, path, name, find(name), target, options?.allowNonFinite ?? false),
      close: () => file.close(),
    };
  } catch (cause) {
    await file.close();
    throw explainFileError(cause, "reading weights", path);
  }
}

/** Known formats, whole blocks, data within the file, no overlaps and no holes but the padding. */
function locateTensors(header: GgufHeader, fileBytes: number, path: string): Map<string, Entry> {
  const parts = header.metadata.get("split.count");
  if (typeof parts === "number" && parts > 1)
    throw new SparError("checkpoint/gguf", `Reading ${path}: it is one of ${parts} parts of a model, which spar does not join.`, {
      hint: "Join them with llama.cpp's gguf-split --merge, or use the model's safetensors.",
    });
  const entries = new Map<string, Entry>();
  for (const [name, { typeId, dims, offset }] of header.tensors) {
    const format = GGUF_FORMATS.get(typeId);
    if (format === undefined)
      throw new SparError(
        "checkpoint/gguf",
        `Reading ${path}: tensor "${name}" is stored as ${OTHER_FORMATS[typeId] ?? `type ${typeId}`}, which spar does not read; expected one of ${[...GGUF_FORMATS.values()].map(({ name }) => name).join(", ")}.`,
        { hint: "Take another quantisation of the model (Q4_K_M and Q8_0 are common), or its safetensors." },
      );
    const row = dims[0] ?? 1;
    if (row % format.elements !== 0)
      throw refuseGguf(path, `its rows have ${row} elements, expected a multiple of ${format.elements} for ${format.name}`, name);
    if (offset % header.alignment !== 0)
      throw refuseGguf(path, `its data begins at ${offset}, expected a multiple of ${header.alignment}`, name);
    const shape = dims.toReversed();
    const begin = header.dataStart + offset;
    const end = begin + (countElements(shape) / format.elements) * format.bytes;
    if (end > fileBytes) throw refuseGguf(path, `its data ends at byte ${end}, but the file has ${fileBytes} (truncated)`, name);
    entries.set(name, { format, shape, begin, end });
  }
  let [covered, last] = [header.dataStart, ""];
  for (const [name, { begin, end }] of [...entries].sort(([, a], [, b]) => a.begin - b.begin)) {
    if (begin < covered) throw refuseGguf(path, `its data overlaps that of "${last}" (begins at byte ${begin}, before ${covered})`, name);
    if (begin >= covered + header.alignment)
      throw refuseGguf(path, `bytes ${covered} to ${begin} before its data belong to no tensor`, name);
    [covered, last] = [end, name];
  }
  return entries;
}

async function readTensor(
  file: FileHandle,
  path: string,
  name: string,
  { format, shape, begin, end }: Entry,
  target: Float32Array,
  allowNonFinite: boolean,
): Promise<void> {
  const elements = countElements(shape);
  if (target.length !== elements)
    throw new SparError(
      "checkpoint/shape-mismatch",
      `Reading ${path}: tensor "${name}" has shape [${shape.join(", ")}] (${elements} elements), but ${target.length} were expected.`,
      { hint: "The file's metadata and its weights disagree." },
    );
  const chunk = new Uint8Array(Math.min(Math.floor(CHUNK_BYTES / format.bytes) * format.bytes, end - begin));
  for (let at = begin, i = 0; at < end; at += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, end - at));
    await readFully(file, part, at, path);
    format.dequantise(part, target, i);
    const next = i + (part.length / format.bytes) * format.elements;
    if (!allowNonFinite) checkFinite(target, i, next, path, name);
    i = next;
  }
}
