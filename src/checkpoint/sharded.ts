import { readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { SparError } from "../internal/errors.ts";
import { isGgufFile } from "../internal/gguf-file.ts";
import { DTYPE_BYTES, type StorageDType } from "./dtype.ts";
import { explainFileError } from "./file-error.ts";
import { openGguf } from "./gguf.ts";
import { countElements, openSafetensors, writeSafetensors, type TensorToWrite, type WeightSource } from "./safetensors.ts";
import { refuseFile } from "./safetensors-header.ts";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/**
 * Opens the weights of a Hugging Face model folder: model.safetensors, or the shards its index names. A .gguf file is
 * opened too; its tensors keep the names and the layout that they have in the file.
 */
export async function openWeights(folder: string): Promise<WeightSource> {
  if (await isGgufFile(folder)) return openGguf(folder);
  let files: string[];
  try {
    files = await readdir(folder);
  } catch (cause) {
    throw explainFileError(cause, "opening weights in", folder);
  }
  if (files.includes(SINGLE)) return openSafetensors(join(folder, SINGLE));
  if (files.includes(INDEX)) return openShards(folder);
  throw refuseFolder(folder, files);
}

function refuseFolder(folder: string, files: readonly string[]): SparError {
  const pickle = files.find((file) => /\.(bin|pt|pth|ckpt|pkl)$/.test(file) && file !== "training_args.bin");
  if (pickle !== undefined)
    return new SparError(
      "checkpoint/pickle",
      `Opening weights in ${folder}: found only ${pickle}, a Python pickle, which can run code when it is read; expected ${SINGLE}.`,
      {
        hint: "Convert it once with Python: AutoModel….from_pretrained(folder).save_pretrained(folder, safe_serialization=True), or take a revision of the model that has safetensors.",
      },
    );
  const gguf = files.find((file) => file.endsWith(".gguf"));
  if (gguf !== undefined)
    return new SparError("checkpoint/gguf", `Opening weights in ${folder}: expected ${SINGLE}, found ${gguf}.`, {
      hint: `A GGUF model is given as the file itself: ${join(folder, gguf)}`,
    });
  const other = files.find((file) => /\.(h5|msgpack|onnx)$/.test(file));
  return new SparError(
    "checkpoint/no-weights",
    `Opening weights in ${folder}: expected ${SINGLE} or ${INDEX}, found ${other ?? (files.length ? `neither among ${files.length} files` : "an empty folder")}.`,
    { hint: "Point to the folder that holds config.json and the safetensors weights." },
  );
}

async function openShards(folder: string): Promise<WeightSource> {
  const path = join(folder, INDEX);
  const map = parseIndex(await readFile(path, "utf8"), path);
  const shards = new Map<string, WeightSource>();
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const file of new Set(map.values())) shards.set(file, await openSafetensors(join(folder, file)));
    for (const [name, file] of map)
      if (!shards.get(file)!.has(name)) throw refuseFile(path, `the index says it is in ${file}, but it is not there`, name);
  } catch (cause) {
    await close();
    throw cause;
  }
  const find = (name: string): WeightSource => {
    const file = map.get(name);
    if (file !== undefined) return shards.get(file)!;
    throw new SparError("checkpoint/missing-tensor", `Reading ${path}: no tensor "${name}" (the index names ${map.size} tensors).`, {
      hint: "Check that config.json describes the architecture these weights belong to.",
    });
  };
  return {
    names: () => [...map.keys()],
    has: (name) => map.has(name),
    info: (name) => find(name).info(name),
    readInto: async (name, target, options) => find(name).readInto(name, target, options),
    close,
  };
}

function parseIndex(text: string, path: string): Map<string, string> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw refuseFile(path, "not valid JSON");
  }
  const weightMap = typeof json === "object" && json !== null && "weight_map" in json ? json.weight_map : undefined;
  if (typeof weightMap !== "object" || weightMap === null) throw refuseFile(path, "no weight_map in it");
  const map = new Map<string, string>();
  for (const [name, file] of Object.entries(weightMap)) {
    if (typeof file !== "string" || basename(file) !== file || !file.endsWith(".safetensors"))
      throw refuseFile(path, `its file ${JSON.stringify(file)} is not a .safetensors file beside the index`, name);
    map.set(name, file);
  }
  if (map.size === 0) throw refuseFile(path, "weight_map is empty");
  return map;
}

/**
 * Writes model.safetensors into `folder`, or numbered shards with an index when the weights exceed `maxShardBytes`
 * (default 5 GB, as in Transformers). Call it inside `writeFolderAtomic`.
 */
export async function saveWeights(
  folder: string,
  tensors: readonly TensorToWrite[],
  options: { dtype?: StorageDType; maxShardBytes?: number } = {},
): Promise<void> {
  const limit = options.maxShardBytes ?? 5e9;
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  const shards: TensorToWrite[][] = [[]];
  let size = 0;
  let total = 0;
  for (const tensor of sorted) {
    const bytes = countElements(tensor.shape) * DTYPE_BYTES[tensor.dtype ?? options.dtype ?? "F32"];
    if (size > 0 && size + bytes > limit) {
      shards.push([]);
      size = 0;
    }
    shards.at(-1)!.push(tensor);
    size += bytes;
    total += bytes;
  }
  if (shards.length === 1) return writeSafetensors(join(folder, SINGLE), sorted, options);
  const weightMap: [string, string][] = [];
  const number = (n: number) => String(n).padStart(5, "0");
  for (const [i, shard] of shards.entries()) {
    const file = `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    await writeSafetensors(join(folder, file), shard, options);
    for (const { name } of shard) weightMap.push([name, file]);
  }
  const index = { metadata: { total_size: total }, weight_map: Object.fromEntries(weightMap) };
  try {
    await writeFile(join(folder, INDEX), `${JSON.stringify(index, null, 2)}\n`);
  } catch (cause) {
    throw explainFileError(cause, "writing the index", join(folder, INDEX));
  }
}
