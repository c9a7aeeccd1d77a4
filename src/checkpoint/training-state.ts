import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SparError } from "../internal/errors.ts";
import { explainFileError } from "./file-error.ts";
import { openSafetensors, writeSafetensors, type WeightSource } from "./safetensors.ts";

const BUFFERS = "training_state.safetensors";
const STATE = "training_state.json";

/** Everything a run needs to go on that is not in the model: optimizer moments as buffers, the rest as plain JSON. */
export type TrainingState = {
  /** Named f32 buffers, stored bit for bit; NaN is kept too, so that a diverged run can be looked at. */
  buffers: Iterable<readonly [name: string, data: Float32Array]>;
  state: JsonValue;
};

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Writes training_state.safetensors and training_state.json; call it inside `writeCheckpoint`. */
export async function saveTrainingState(folder: string, { buffers, state }: TrainingState): Promise<void> {
  const tensors = [...buffers].map(([name, data]) => ({ name, shape: [data.length], data }));
  const text = `${JSON.stringify(checkPlain(state, "state"), null, 2)}\n`;
  await writeSafetensors(join(folder, BUFFERS), tensors);
  try {
    await writeFile(join(folder, STATE), text);
  } catch (cause) {
    throw explainFileError(cause, "writing training state", join(folder, STATE));
  }
}

export type LoadedTrainingState = {
  state: JsonValue;
  /** Close it when all buffers are read. */
  buffers: WeightSource;
};

export async function loadTrainingState(folder: string): Promise<LoadedTrainingState> {
  const path = join(folder, STATE);
  let state: JsonValue;
  try {
    state = JSON.parse(await readFile(path, "utf8")) as JsonValue;
  } catch (cause) {
    if (cause instanceof SyntaxError)
      throw new SparError("checkpoint/malformed", `Reading ${path}: not valid JSON (${cause.message}).`, {
        hint: "Resume from an earlier checkpoint.",
      });
    throw explainFileError(cause, "reading training state", path);
  }
  const source = await openSafetensors(join(folder, BUFFERS));
  // Moments may be anything the run made of them; only weights are refused.
  const buffers: WeightSource = { ...source, readInto: (name, target) => source.readInto(name, target, { allowNonFinite: true }) };
  return { state, buffers };
}

/** JSON turns NaN into null and drops undefined in silence; a resumed run would then differ in silence too. */
function checkPlain(value: JsonValue, path: string): JsonValue {
  if (typeof value === "number" && !Number.isFinite(value)) throw refusePlain(path, String(value));
  if (Array.isArray(value)) value.forEach((item: JsonValue, i) => checkPlain(item, `${path}[${i}]`));
  else if (typeof value === "object" && value !== null)
    for (const [key, item] of Object.entries(value)) checkPlain(item as JsonValue, `${path}.${key}`);
  else if (!["number", "string", "boolean"].includes(typeof value) && value !== null) throw refusePlain(path, typeof value);
  return value;
}

function refusePlain(path: string, found: string): SparError {
  return new SparError(
    "checkpoint/not-plain",
    `Saving training state: ${path} is ${found}, which JSON cannot hold; expected a finite number, text, boolean, null, list or object.`,
  );
}
