/** The CPU backend: graphs lowered to ONNX and run by ONNX Runtime. */
import { SparError } from "../internal/errors.ts";
import { lower } from "../onnx/index.ts";
import { formatType, type Graph, type TensorData, type TensorType } from "../tensor/index.ts";
import type { AllocateOptions, Backend, CompileOptions, DeviceBuffer, Executable } from "./backend.ts";
import { allocateBuffer, CpuBuffer } from "./buffers.ts";
import { findLibrary } from "./device.ts";
import { openEnvironment, type Environment } from "./environment.ts";
import { addRows } from "./host-scatter.ts";
import { countCores } from "./machine.ts";
import { loadOrtApi } from "./ort-api.ts";
import { peelScatters, rowWidth, type PeeledGraph } from "./peel-scatters.ts";
import { parseProfile, type ProfileRow } from "./profile.ts";
import { createSession, type Session } from "./session.ts";

export interface CpuBackendOptions {
  /** Threads a run uses, the calling one included; default: the machine's cores. One number for all backends open in a process. */
  readonly threads?: number;
  /** Another ONNX Runtime library than the one inside onnxruntime-node. */
  readonly libraryPath?: string;
  /** Threads wait for work by spinning for some milliseconds, then sleep: faster graphs of small operations. Default true. */
  readonly spinning?: boolean;
  /** Executables record the time of every node, for `profileOf`. Slower. */
  readonly profile?: boolean;
}

/**
 * Opens the CPU. Throws `runtime/…` where there is no library for this machine or it cannot be used (see `device.ts`, `ort-api.ts`).
 * The library loads at once; memory and threads go back with `close()`.
 */
export function createCpuBackend(options: CpuBackendOptions = {}): Backend {
  const threads = options.threads ?? countCores();
  if (!Number.isInteger(threads) || threads < 1)
    throw new SparError("runtime/invalid-threads", `createCpuBackend: expected a whole number of threads from 1, got ${threads}`);
  const api = loadOrtApi(findLibrary(options.libraryPath));
  return new CpuBackend(openEnvironment(api, threads, options.spinning ?? true), options.profile ?? false);
}

/** The time of every node of an executable of a backend made with `profile`, since it was compiled; once per executable. */
export function profileOf(executable: Executable): ProfileRow[] {
  if (!(executable instanceof CpuExecutable))
    throw new SparError("runtime/no-profile", "profileOf: expected an executable of the CPU backend");
  return executable.profile();
}

class CpuBackend implements Backend {
  readonly name = "cpu";
  readonly #environment: Environment;
  readonly #profile: boolean;
  readonly #executables = new Set<CpuExecutable>();
  #closed = false;

  constructor(environment: Environment, profile: boolean) {
    this.#environment = environment;
    this.#profile = profile;
  }

  allocate(type: TensorType, options: AllocateOptions = {}): CpuBuffer {
    this.#expectOpen("allocate");
    return allocateBuffer(this.#environment, type, options);
  }

  view(buffer: DeviceBuffer, start: number, shape: readonly number[]): CpuBuffer {
    return expectCpuBuffer("view", buffer).view(start, shape);
  }

  async write(buffer: DeviceBuffer, data: TensorData): Promise<void> {
    const { memory } = expectCpuBuffer("write", buffer);
    if (memory.constructor !== data.constructor || memory.length !== data.length) {
      throw new SparError(
        "runtime/wrong-data",
        `write: expected a ${memory.constructor.name} of ${memory.length} values for ${formatType(buffer)}, got a ${data.constructor.name} of ${data.length}`,
      );
    }
    (memory as Float32Array).set(data as Float32Array);
  }

  async read(buffer: DeviceBuffer): Promise<TensorData> {
    return expectCpuBuffer("read", buffer).memory.slice();
  }

  async compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    this.#expectOpen("compile");
    const constants = new Map<string, CpuBuffer>();
    for (const [name, buffer] of options.constants ?? [])
      if (graph.inputs.has(name)) constants.set(name, expectCpuBuffer("compile", buffer));
    for (const [name, buffer] of constants) expectType("compile", `constant "${name}"`, graph.inputs.get(name) as TensorType, buffer);
    const peeled = peelScatters(graph);
    const session =
      peeled.graph.outputs.size === 0
        ? undefined
        : await createSession(this.#environment, lower(peeled.graph, { constants: new Set(constants.keys()) }), {
            constants,
            label: options.label,
            profile: this.#profile,
          });
    const executable = new CpuExecutable(this.#environment, graph, peeled, session, constants, options.label, () =>
      this.#executables.delete(executable),
    );
    this.#executables.add(executable);
    if (this.#closed) executable.release();
    return executable;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const executable of this.#executables) executable.release();
    this.#environment.close();
  }

  #expectOpen(operation: string): void {
    if (this.#closed) throw new SparError("runtime/closed", `${operation}: expected an open backend, got one after its close()`);
  }
}

class CpuExecutable implements Executable {
  readonly #graph: Graph;
  readonly #peeled: PeeledGraph;
  readonly #session: Session | undefined;
  readonly #constants: ReadonlyMap<string, CpuBuffer>;
  readonly #scratch: ReadonlyMap<string, CpuBuffer>;
  readonly #label: string;
  readonly #onRelease: () => void;
  #running = false;
  #released = false;

  constructor(
    environment: Environment,
    graph: Graph,
    peeled: PeeledGraph,
    session: Session | undefined,
    constants: ReadonlyMap<string, CpuBuffer>,
    label: string | undefined,
    onRelease: () => void,
  ) {
    this.#graph = graph;
    this.#peeled = peeled;
    this.#session = session;
    this.#constants = constants;
    this.#scratch = new Map([...peeled.scratch].map(([name, type]) => [name, allocateBuffer(environment, type)]));
    this.#label = label ?? "graph";
    this.#onRelease = onRelease;
  }

  async run(inputs: ReadonlyMap<string, DeviceBuffer>, outputs: ReadonlyMap<string, DeviceBuffer>): Promise<void> {
    if (this.#released)
      throw new SparError("runtime/released", `run (${this.#label}): expected a live executable, got one after its release()`);
    if (this.#running)
      throw new SparError("runtime/busy", `run (${this.#label}): expected the last run to have ended; await it before the next`);
    for (const name of outputs.keys())
      if (!this.#graph.outputs.has(name))
        throw new SparError("runtime/wrong-buffer", `run (${this.#label}): the graph has no output "${name}"`);
    this.#running = true;
    try {
      if (this.#peeled.scatters.length === 0) await this.#session?.run(inputs, outputs);
      else await this.#runWithScatters(inputs, outputs);
    } finally {
      this.#running = false;
      if (this.#released) this.#giveBack();
    }
  }

  async #runWithScatters(inputs: ReadonlyMap<string, DeviceBuffer>, outputs: ReadonlyMap<string, DeviceBuffer>): Promise<void> {
    const held: CpuBuffer[] = [];
    const hold = (what: string, type: TensorType, buffer: DeviceBuffer | undefined): CpuBuffer => {
      const checked = expectType(`run (${this.#label})`, what, type, buffer);
      checked.retain();
      held.push(checked);
      return checked;
    };
    const find = (name: string): CpuBuffer => {
      const output = this.#graph.outputs.get(name);
      if (output !== undefined) return hold(`output "${name}"`, output, outputs.get(name));
      const input = this.#graph.inputs.get(name);
      if (input === undefined) return this.#scratch.get(name) as CpuBuffer;
      return this.#constants.get(name) ?? hold(`input "${name}"`, input, inputs.get(name));
    };
    try {
      const scatters = this.#peeled.scatters.map(({ output, indices, rows }) => ({
        output: find(output),
        indices: find(indices),
        rows: find(rows),
      }));
      for (const [name, start] of this.#peeled.starts) {
        const memory = find(name).memory as Float32Array;
        if (start === undefined) memory.fill(0);
        else memory.set(find(start).memory as Float32Array);
      }
      await this.#session?.run(inputs, new Map([...outputs, ...this.#scratch]));
      for (const { output, indices, rows } of scatters) {
        const width = rowWidth(indices, rows);
        addRows(output.heldMemory as Float32Array, indices.heldMemory as Int32Array, rows.heldMemory as Float32Array, width);
      }
    } finally {
      for (const buffer of held) buffer.release();
    }
  }

  profile(): ProfileRow[] {
    return this.#session === undefined ? [] : parseProfile(this.#session.endProfile());
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#onRelease();
    if (!this.#running) this.#giveBack();
  }

  #giveBack(): void {
    this.#session?.release();
    for (const buffer of this.#scratch.values()) buffer.free();
  }
}

function expectCpuBuffer(operation: string, buffer: DeviceBuffer): CpuBuffer {
  if (buffer instanceof CpuBuffer) return buffer;
  throw new SparError("runtime/wrong-buffer", `${operation}: expected a buffer of the CPU backend, got one of another backend`);
}

function expectType(operation: string, what: string, type: TensorType, buffer: DeviceBuffer | undefined): CpuBuffer {
  const expected = formatType(type);
  if (buffer === undefined)
    throw new SparError("runtime/wrong-buffer", `${operation}: expected a buffer ${expected} for ${what}, got none`);
  const checked = expectCpuBuffer(operation, buffer);
  if (checked.typeKey !== expected)
    throw new SparError("runtime/wrong-buffer", `${operation}: expected a buffer ${expected} for ${what}, got ${checked.typeKey}`);
  return checked;
}
