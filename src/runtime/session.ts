/** One ONNX Runtime session: made from a model, run off the event loop on buffers that are already there. */
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { SparError } from "../internal/errors.ts";
import { encodeModel, type OnnxModel, type OnnxValue } from "../onnx/index.ts";
import { formatType } from "../tensor/index.ts";
import type { DeviceBuffer } from "./backend.ts";
import { CpuBuffer } from "./buffers.ts";
import { logSeverity, type Environment } from "./environment.ts";
import { encodeCString, type OrtApi } from "./ort-api.ts";
import { sharePrepacked, type PrepackedWeights } from "./prepacked.ts";

export interface SessionOptions {
  /** Values of the model's initializers that have no data: used where they lie, prepacked where a kernel likes that. */
  readonly constants?: ReadonlyMap<string, CpuBuffer>;
  readonly label?: string;
  /** Records the time of every node; `endProfile` returns it. */
  readonly profile?: boolean;
}

export interface Session {
  /** Runs once; a second run before the first has ended throws `runtime/busy`. Extra inputs are ignored. */
  run(inputs: ReadonlyMap<string, DeviceBuffer>, outputs: ReadonlyMap<string, DeviceBuffer>): Promise<void>;
  /** The JSON events recorded so far (Chrome trace format); only with `profile`, and once. */
  endProfile(): string;
  /** Gives the memory back, after the run in progress if there is one. */
  release(): void;
}

/** Makes a session on a worker thread. Throws `runtime/onnxruntime` with ORT's message where it refuses the model. */
export async function createSession(environment: Environment, model: OnnxModel, options: SessionOptions = {}): Promise<Session> {
  const { api } = environment;
  const constants = retainConstants(model, options);
  const buffers = [...constants.values()].map(({ buffer }) => buffer);
  const prepacked = buffers[0] === undefined ? undefined : sharePrepacked(api, buffers[0]);
  const sessionOptions = api.create("CreateSessionOptions");
  try {
    const kept = configureSession(api, sessionOptions, constants, options);
    const bytes = encodeModel(model);
    const pointer =
      prepacked === undefined
        ? await api.createAsync("CreateSessionFromArray", environment.pointer, bytes, bytes.byteLength, sessionOptions)
        : await api.createAsync(
            "CreateSessionFromArrayWithPrepackedWeightsContainer",
            environment.pointer,
            bytes,
            bytes.byteLength,
            sessionOptions,
            prepacked.container,
          );
    kept.length = 0;
    return new OrtSession(environment, pointer, model, buffers, prepacked, options);
  } catch (error) {
    prepacked?.release();
    for (const buffer of buffers) buffer.release();
    if (error instanceof SparError && error.code === "runtime/onnxruntime") {
      throw new SparError(error.code, `createSession${options.label === undefined ? "" : ` (${options.label})`}: ${error.message}`, {
        cause: error,
      });
    }
    throw error;
  } finally {
    api.release("ReleaseSessionOptions", sessionOptions);
  }
}

type Constants = Map<string, { buffer: CpuBuffer; value: bigint }>;

function retainConstants(model: OnnxModel, options: SessionOptions): Constants {
  const constants: Constants = new Map();
  for (const initializer of model.initializers) {
    if (initializer.data !== undefined) continue;
    const buffer = options.constants?.get(initializer.name);
    if (buffer === undefined || buffer.typeKey !== formatType(initializer)) {
      for (const { buffer: held } of constants.values()) held.release();
      throw new SparError(
        "runtime/wrong-constant",
        `createSession: expected a buffer ${formatType(initializer)} for constant "${initializer.name}", got ${buffer?.typeKey ?? "none"}`,
      );
    }
    constants.set(initializer.name, { buffer, value: buffer.retain() });
  }
  return constants;
}

/** Returns the memory that must live until the session is made. */
function configureSession(api: OrtApi, pointer: bigint, constants: Constants, options: SessionOptions): unknown[] {
  const allOptimizations = 99;
  api.call("DisablePerSessionThreads", pointer);
  api.call("SetSessionLogSeverityLevel", pointer, logSeverity);
  api.call("SetSessionGraphOptimizationLevel", pointer, allOptimizations);
  // A memory pattern lays out all intermediates at once on the second run: nearly twice what they take one after the other.
  api.call("DisableMemPattern", pointer);
  const set = (key: string, value: string): void => api.call("AddSessionConfigEntry", pointer, encodeCString(key), encodeCString(value));
  set("session.use_env_allocators", "1");
  // A transpose before a product is there for speed (see `weightGradient` in onnx/lower.ts): these would put it back into the product.
  set("optimization.disable_specified_optimizers", "GemmTransposeFusion;MatmulTransposeFusion");
  if (options.profile === true) {
    const prefix = path.join(tmpdir(), `spar-profile-${process.pid}`);
    api.call("EnableProfiling", pointer, process.platform === "win32" ? encodeWideString(prefix) : encodeCString(prefix));
  }
  if (constants.size === 0) return [];
  const names = [...constants.keys()].map(encodeCString);
  const nameArray = BigUint64Array.from(names, (name) => api.addressOf(name));
  const valueArray = BigUint64Array.from(constants.values(), ({ value }) => value);
  api.call("AddExternalInitializers", pointer, nameArray, valueArray, constants.size);
  // The first call makes the model's external tensors these, the second makes their prepacked forms shareable.
  for (const [i, name] of names.entries()) api.call("AddInitializer", pointer, name, valueArray[i] as bigint);
  return [names, nameArray, valueArray];
}

function encodeWideString(text: string): Uint8Array {
  return new Uint8Array(Uint16Array.from({ length: text.length + 1 }, (_, i) => (i < text.length ? text.charCodeAt(i) : 0)).buffer);
}

/** Names and values of one side of a run, in memory that lives as long as the session. */
class Slots {
  readonly values: BigUint64Array;
  readonly nameAddress: bigint;
  readonly valueAddress: bigint;
  readonly #keys: readonly string[];
  readonly #typeKeys: readonly string[];
  /** Held because ONNX Runtime reads names by address. */
  readonly #memory: unknown[];

  constructor(api: OrtApi, values: readonly OnnxValue[]) {
    this.#keys = values.map(({ name, key }) => key ?? name);
    this.#typeKeys = values.map(formatType);
    const strings = values.map(({ name }) => encodeCString(name));
    const names = new BigUint64Array(new ArrayBuffer(8 * Math.max(1, strings.length)));
    for (const [i, string] of strings.entries()) names[i] = api.addressOf(string);
    this.values = new BigUint64Array(new ArrayBuffer(8 * Math.max(1, strings.length)));
    this.nameAddress = api.addressOf(names);
    this.valueAddress = api.addressOf(this.values);
    this.#memory = [strings, names];
  }

  get count(): number {
    return this.#keys.length;
  }

  /** Takes hold of one buffer a slot, appended to `held` one by one so that the caller can let go of them after an error. */
  bind(side: "input" | "output", buffers: ReadonlyMap<string, DeviceBuffer>, held: CpuBuffer[]): void {
    for (let i = 0; i < this.#keys.length; i++) {
      const name = this.#keys[i] as string;
      const buffer = buffers.get(name);
      const expected = this.#typeKeys[i] as string;
      if (!(buffer instanceof CpuBuffer) || buffer.typeKey !== expected) {
        const got = buffer === undefined ? "none" : buffer instanceof CpuBuffer ? buffer.typeKey : "a buffer of another backend";
        throw new SparError("runtime/wrong-buffer", `run: expected a buffer ${expected} for ${side} "${name}", got ${got}`);
      }
      this.values[i] = buffer.retain();
      held.push(buffer);
    }
  }

  /** Keeps the names reachable for as long as anything asks. */
  get memory(): readonly unknown[] {
    return this.#memory;
  }
}

class OrtSession implements Session {
  readonly #environment: Environment;
  readonly #constants: readonly CpuBuffer[];
  readonly #prepacked: PrepackedWeights | undefined;
  readonly #inputs: Slots;
  readonly #outputs: Slots;
  readonly #label: string;
  #pointer: bigint;
  #profiling: boolean;
  #running = false;
  #released = false;

  constructor(
    environment: Environment,
    pointer: bigint,
    model: OnnxModel,
    constants: readonly CpuBuffer[],
    prepacked: PrepackedWeights | undefined,
    options: SessionOptions,
  ) {
    this.#environment = environment.share();
    this.#pointer = pointer;
    this.#constants = constants;
    this.#prepacked = prepacked;
    this.#inputs = new Slots(environment.api, model.inputs);
    this.#outputs = new Slots(environment.api, model.outputs);
    this.#label = options.label ?? "session";
    this.#profiling = options.profile ?? false;
  }

  async run(inputs: ReadonlyMap<string, DeviceBuffer>, outputs: ReadonlyMap<string, DeviceBuffer>): Promise<void> {
    if (this.#released)
      throw new SparError("runtime/released", `run (${this.#label}): expected a live session, got one after its release()`);
    if (this.#running)
      throw new SparError("runtime/busy", `run (${this.#label}): expected the last run to have ended; await it before the next`);
    this.#running = true;
    const held: CpuBuffer[] = [];
    const { api } = this.#environment;
    try {
      this.#inputs.bind("input", inputs, held);
      this.#outputs.bind("output", outputs, held);
      const [a, b] = [this.#inputs, this.#outputs];
      await api.callAsync("Run", this.#pointer, 0n, a.nameAddress, a.valueAddress, a.count, b.nameAddress, b.count, b.valueAddress);
    } catch (error) {
      throw error instanceof SparError && error.code === "runtime/onnxruntime"
        ? new SparError(error.code, `run (${this.#label}): ${error.message}`, { cause: error })
        : error;
    } finally {
      for (const buffer of held) buffer.release();
      this.#running = false;
      if (this.#released) this.#giveBack();
    }
  }

  endProfile(): string {
    if (!this.#profiling || this.#running || this.#released)
      throw new SparError(
        "runtime/no-profile",
        `endProfile (${this.#label}): expected an idle session made with profile and not yet asked`,
      );
    this.#profiling = false;
    const { api } = this.#environment;
    const allocator = api.create("GetAllocatorWithDefaultOptions");
    const name = api.create("SessionEndProfiling", this.#pointer, allocator);
    const file = api.readString(name);
    api.call("AllocatorFree", allocator, name);
    const text = readFileSync(file, "utf8");
    rmSync(file);
    return text;
  }

  release(): void {
    if (this.#released) return;
    if (this.#profiling && !this.#running) this.endProfile();
    this.#released = true;
    if (!this.#running) this.#giveBack();
  }

  #giveBack(): void {
    this.#environment.api.release("ReleaseSession", this.#pointer);
    this.#pointer = 0n;
    this.#prepacked?.release();
    for (const buffer of this.#constants) buffer.release();
    this.#environment.close();
  }
}
