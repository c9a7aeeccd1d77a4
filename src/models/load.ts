/** Hugging Face folder or GGUF file → model. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { explainFileError, openWeights, type WeightSource } from "../checkpoint/index.ts";
import { namePath, SparError } from "../internal/errors.ts";
import { isGgufFile, loadGgufHeader } from "../internal/gguf-file.ts";
import { Random } from "../internal/rng.ts";
import type { Backend, DeviceBuffer } from "../runtime/index.ts";
import { sameShape, type Shape } from "../tensor/index.ts";
import type { RawConfig } from "./architecture.ts";
import { parseGgufConfig, parseGgufGenerationConfig } from "./gguf-config.ts";
import { openGgufWeights } from "./gguf-weights.ts";
import { fillNormal, parameterShapes, scoreDeviation, type HeadKind, type LanguageModel } from "./model.ts";
import { findArchitecture } from "./registry.ts";

/** config.json of a model folder, or what a .gguf file says in its place. */
export async function readModelConfig(folder: string): Promise<RawConfig> {
  if (await isGgufFile(folder)) return readGgufConfig(folder);
  const path = join(folder, "config.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw explainFileError(cause, "reading the model's configuration", path);
  }
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    throw new SparError("model/config-invalid", `${path}: not valid JSON (${(cause as Error).message})`, { cause });
  }
  if (typeof config !== "object" || config === null || Array.isArray(config))
    throw new SparError("model/config-invalid", `${path}: expected a JSON object of the model's settings`);
  return config as RawConfig;
}

/** What a .gguf file says in generation_config.json's place; undefined for a folder. */
export async function readGgufGenerationConfig(path: string): Promise<RawConfig | undefined> {
  return (await isGgufFile(path)) ? parseGgufGenerationConfig(await loadGgufHeader(path)) : undefined;
}

async function readGgufConfig(path: string): Promise<RawConfig> {
  let header;
  try {
    header = await loadGgufHeader(path);
  } catch (cause) {
    throw explainFileError(cause, "reading the model's configuration", path);
  }
  const factors = header.tensors.get("rope_freqs.weight");
  if (factors === undefined) return parseGgufConfig(header, path);
  const weights = await openWeights(path);
  try {
    const values = new Float32Array(factors.dims.reduce((product, size) => product * size, 1));
    await weights.readInto("rope_freqs.weight", values);
    return parseGgufConfig(header, path, values);
  } finally {
    await weights.close();
  }
}

/** True where config.json names a `…ForSequenceClassification`. */
export function hasScoreHead(raw: RawConfig): boolean {
  return ((raw["architectures"] as readonly string[] | undefined) ?? []).some((name) => name.endsWith("ForSequenceClassification"));
}

/**
 * Loads a model; every value goes straight from the file into the backend's memory.
 *
 * `head` defaults to what the folder holds. A language model loaded with `head: "score"` gets a fresh score head,
 * drawn from `seed`. Throws `model/weights-mismatch` naming file and tensor where names or shapes do not fit.
 */
export async function loadModel(
  folder: string,
  backend: Backend,
  options: { head?: HeadKind; seed?: number } = {},
): Promise<LanguageModel> {
  const raw = await readModelConfig(folder);
  const isGguf = await isGgufFile(folder);
  const path = isGguf ? folder : join(folder, "config.json");
  const architecture = findArchitecture(raw, path);
  const config = namePath("config.json", path, () => architecture.parseConfig(raw));
  const head = options.head ?? (hasScoreHead(raw) ? "score" : "lm");
  const shapes = parameterShapes(architecture, config, head);
  const weights = isGguf ? await openGgufWeights(folder, raw) : await openWeights(folder);
  const parameters = new Map<string, DeviceBuffer>();
  try {
    const found = matchNames(folder, weights, shapes, architecture.sanitizeName);
    for (const [name, shape] of shapes) {
      const source = found.get(name);
      const buffer = backend.allocate({ dtype: "float32", shape });
      parameters.set(name, buffer);
      if (source !== undefined) await weights.readInto(source, buffer.host as Float32Array);
      else fillNormal(buffer, scoreDeviation(config), new Random(options.seed ?? 0));
    }
  } catch (error) {
    for (const buffer of parameters.values()) buffer.free();
    throw error;
  } finally {
    await weights.close();
  }
  return { architecture, config, head, parameters, folder };
}

const INTEGERS: ReadonlySet<string> = new Set(["I64", "I32", "I16", "I8", "U8", "BOOL"]);

/** Our names → the file's; all that is missing, superfluous or of another shape in one error. */
function matchNames(
  folder: string,
  weights: WeightSource,
  shapes: ReadonlyMap<string, Shape>,
  sanitize: (name: string) => string | undefined,
): Map<string, string> {
  const found = new Map<string, string>();
  const problems: string[] = [];
  for (const source of weights.names()) {
    const name = sanitize(source);
    if (name === undefined) continue;
    const shape = shapes.get(name);
    if (shape === undefined) {
      // Heads of another kind, and a tied head that was stored all the same.
      if (!["lm_head.weight", "score.weight"].includes(name)) problems.push(`"${source}" is not part of this model`);
      continue;
    }
    const { shape: got, dtype } = weights.info(source);
    // Integers here are another scheme's quantised values, whose scales nothing would apply.
    if (INTEGERS.has(dtype)) problems.push(`"${source}" holds ${dtype}, expected F32, F16, BF16 or F64`);
    if (!sameShape(got, shape)) problems.push(`"${source}" is [${got.join(", ")}], expected [${shape.join(", ")}]`);
    found.set(name, source);
  }
  for (const name of shapes.keys()) if (!found.has(name) && name !== "score.weight") problems.push(`"${name}" is missing`);
  if (problems.length > 0) {
    const shown = problems.slice(0, 8).join("; ");
    throw new SparError(
      "model/weights-mismatch",
      `Weights in ${folder} do not fit its configuration: ${shown}${problems.length > 8 ? `; and ${problems.length - 8} more` : ""}`,
    );
  }
  return found;
}
