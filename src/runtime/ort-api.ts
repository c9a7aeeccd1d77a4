/**
 * ONNX Runtime's C API by FFI. The table of functions is append-only, so that an index holds for every later
 * library; the indexes are those of onnxruntime_c_api.h. Pointers are bigints, memory is ArrayBuffers.
 */
import { createRequire } from "node:module";
import type koffiModule from "koffi";
import { SparError } from "../internal/errors.ts";

type Koffi = typeof koffiModule;
type NativeFunction = ReturnType<ReturnType<Koffi["load"]>["func"]>;

/** Version of the C API that is asked for; ONNX Runtime 1.24 and later have it. */
const apiVersion = 24;

/** Index and parameters of each function in use: p pointer, i int, z size_t. */
const table = {
  GetErrorMessage: [2, "p"],
  CreateSessionFromArray: [8, "ppzpp"],
  Run: [9, "ppppzpzp"],
  CreateSessionOptions: [10, "p"],
  EnableProfiling: [14, "pp"],
  SetSessionLogSeverityLevel: [22, "pi"],
  DisableMemPattern: [17, "p"],
  SetSessionGraphOptimizationLevel: [23, "pi"],
  CreateRunOptions: [39, "p"],
  CreateTensorWithDataAsOrtValue: [49, "ppzpzip"],
  CreateCpuMemoryInfo: [69, "iip"],
  AllocatorFree: [76, "pp"],
  GetAllocatorWithDefaultOptions: [78, "p"],
  ReleaseEnv: [92, "p"],
  ReleaseStatus: [93, "p"],
  ReleaseMemoryInfo: [94, "p"],
  ReleaseSession: [95, "p"],
  ReleaseValue: [96, "p"],
  ReleaseRunOptions: [97, "p"],
  ReleaseSessionOptions: [100, "p"],
  SessionEndProfiling: [110, "ppp"],
  CreateEnvWithGlobalThreadPools: [119, "ippp"],
  DisablePerSessionThreads: [120, "p"],
  CreateThreadingOptions: [121, "p"],
  ReleaseThreadingOptions: [122, "p"],
  AddSessionConfigEntry: [130, "ppp"],
  CreateAndRegisterAllocator: [144, "ppp"],
  SetGlobalIntraOpNumThreads: [147, "pi"],
  SetGlobalInterOpNumThreads: [148, "pi"],
  SetGlobalSpinControl: [149, "pi"],
  AddInitializer: [150, "ppp"],
  SetGlobalDenormalAsZero: [155, "p"],
  ReleaseArenaCfg: [157, "p"],
  CreateArenaCfgV2: [164, "ppzp"],
  AddRunConfigEntry: [165, "ppp"],
  CreatePrepackedWeightsContainer: [166, "p"],
  ReleasePrepackedWeightsContainer: [167, "p"],
  CreateSessionFromArrayWithPrepackedWeightsContainer: [169, "ppzppp"],
  AddExternalInitializers: [210, "pppz"],
} as const satisfies { [name: string]: readonly [index: number, parameters: string] };

/** An argument: a pointer (0n is NULL), a number, or memory passed by its address for the time of the call. */
export type Argument = bigint | number | ArrayBufferView;

export type OrtFunctionName = keyof typeof table;

export interface OrtApi {
  /** ONNX Runtime's version, as "1.30.0". */
  readonly version: string;
  readonly libraryPath: string;
  /** Calls a function that returns a status; a status becomes a SparError `runtime/onnxruntime` with ORT's message. */
  call(name: OrtFunctionName, ...args: readonly Argument[]): void;
  /** Calls a function whose last parameter receives a pointer, and returns that. */
  create(name: OrtFunctionName, ...args: readonly Argument[]): bigint;
  /** Calls a Release function. */
  release(name: OrtFunctionName, pointer: bigint): void;
  /** `call` on a worker thread; memory given by address must be kept by the caller until it settles. */
  callAsync(name: OrtFunctionName, ...args: readonly Argument[]): Promise<void>;
  /** `create` on a worker thread. */
  createAsync(name: OrtFunctionName, ...args: readonly Argument[]): Promise<bigint>;
  addressOf(memory: ArrayBufferView): bigint;
  readString(pointer: bigint): string;
}

/**
 * Loaded libraries, for the life of the process: koffi closes a library when its handle is collected,
 * and functions made from raw pointers do not keep the handle alive.
 */
const loaded = new Map<string, { api: OrtApi; handle: unknown }>();
const libraries: unknown[] = [];

/**
 * Loads a library and its functions. Throws `runtime/missing-koffi` (the FFI's own binary is not there),
 * `runtime/unloadable-library` (the system refuses the file) or `runtime/wrong-library` (it is not an ONNX Runtime of 1.24 or later).
 */
export function loadOrtApi(libraryPath: string, loadKoffi: () => Koffi = requireKoffi): OrtApi {
  const known = loaded.get(libraryPath);
  if (known !== undefined) return known.api;
  const koffi = openKoffi(loadKoffi);
  returnLargeBlocks(koffi);
  const handle = openLibrary(koffi, libraryPath);
  const api = bindApi(koffi, handle, libraryPath);
  loaded.set(libraryPath, { api, handle });
  return api;
}

/**
 * glibc keeps freed blocks of up to 32 MB for later, in a heap for each thread: weights packed for one phase of a run then stay
 * through the next one, half a gigabyte with GPT-2. Above a megabyte they go back to the system at once. Other C libraries
 * have no such setting, and are left alone.
 */
function returnLargeBlocks(koffi: Koffi): void {
  const mmapThreshold = -3;
  if (process.platform !== "linux") return;
  try {
    const library = koffi.load("libc.so.6");
    (library.func("mallopt", "int", ["int", "int"]) as (parameter: number, value: number) => number)(mmapThreshold, 2 ** 20);
    libraries.push(library);
  } catch {
    // A C library without it: more memory stays with the process.
  }
}

function requireKoffi(): Koffi {
  return createRequire(import.meta.url)("koffi") as Koffi;
}

function openKoffi(loadKoffi: () => Koffi): Koffi {
  try {
    return loadKoffi();
  } catch (cause) {
    throw new SparError(
      "runtime/missing-koffi",
      `loadOrtApi: the package koffi (calls into native libraries) cannot be loaded: ${messageOf(cause)}`,
      {
        hint: "install it with its optional dependencies (npm install without --omit=optional); where no binary exists for your platform, allow its install script, which builds one",
        cause,
      },
    );
  }
}

function openLibrary(koffi: Koffi, libraryPath: string): ReturnType<Koffi["load"]> {
  try {
    return koffi.load(libraryPath);
  } catch (cause) {
    throw new SparError("runtime/unloadable-library", `loadOrtApi: the system cannot load ${libraryPath}: ${messageOf(cause)}`, {
      hint: "the file must be an ONNX Runtime library for this platform and processor",
      cause,
    });
  }
}

function bindApi(koffi: Koffi, library: ReturnType<Koffi["load"]>, libraryPath: string): OrtApi {
  const wrong = (got: string, cause?: unknown): SparError =>
    new SparError("runtime/wrong-library", `loadOrtApi: expected ONNX Runtime 1.24 or later at ${libraryPath}, got ${got}`, {
      hint: "use the library inside onnxruntime-node 1.24 or later, or leave libraryPath out",
      cause,
    });
  let getBase: NativeFunction;
  try {
    getBase = library.func("OrtGetApiBase", "void *", []);
  } catch (cause) {
    throw wrong("a library without OrtGetApiBase", cause);
  }
  const base = getBase() as bigint;
  const pointerAt = (pointer: bigint, index: number): bigint => koffi.decode(pointer, index * 8, "void *") as bigint;
  const getVersion = koffi.decode(pointerAt(base, 1), koffi.proto("const char *", [])) as () => string;
  const getApi = koffi.decode(pointerAt(base, 0), koffi.proto("void *", ["uint32_t"])) as (version: number) => bigint | null;
  const version = getVersion();
  // An older library also writes a line to standard error when it is asked for a newer table: ask only where it can be there.
  const minor = Number(version.split(".")[1]);
  const pointer = version.startsWith("1.") && minor < apiVersion ? null : getApi(apiVersion);
  if (pointer === null || pointer === 0n) throw wrong(`ONNX Runtime ${version}`);
  return createApi(koffi, version, libraryPath, (index) => pointerAt(pointer, index));
}

function createApi(koffi: Koffi, version: string, libraryPath: string, functionAt: (index: number) => bigint): OrtApi {
  const types: { [letter: string]: string } = { p: "void *", i: "int", z: "size_t" };
  const bind = (name: OrtFunctionName): NativeFunction => {
    const [index, parameters] = table[name];
    const result = name.startsWith("Release") ? "void" : name === "GetErrorMessage" ? "const char *" : "void *";
    return koffi.decode(
      functionAt(index),
      koffi.proto(
        result,
        [...parameters].map((letter) => types[letter] as string),
      ),
    ) as NativeFunction;
  };
  const functions = Object.fromEntries((Object.keys(table) as OrtFunctionName[]).map((name) => [name, bind(name)])) as {
    [N in OrtFunctionName]: NativeFunction;
  };
  const failure = (name: string, status: bigint): SparError => {
    const message = functions.GetErrorMessage(status) as string;
    functions.ReleaseStatus(status);
    return new SparError("runtime/onnxruntime", `ONNX Runtime's ${name} failed: ${message}`);
  };
  const callAsync = (name: OrtFunctionName, args: readonly Argument[]): Promise<void> =>
    new Promise((resolve, reject) => {
      functions[name].async(...args, (error: unknown, status: bigint | null) => {
        if (error !== null && error !== undefined) reject(error);
        else if (status !== null && status !== 0n) reject(failure(name, status));
        else resolve();
      });
    });
  const slot = new BigUint64Array(new ArrayBuffer(8));
  const api: OrtApi = {
    version,
    libraryPath,
    call(name, ...args) {
      const status = functions[name](...args) as bigint | null;
      if (status !== null && status !== 0n) throw failure(name, status);
    },
    create(name, ...args) {
      api.call(name, ...args, slot);
      return slot[0] as bigint;
    },
    release(name, pointer) {
      functions[name](pointer);
    },
    callAsync: (name, ...args) => callAsync(name, args),
    async createAsync(name, ...args) {
      const result = new BigUint64Array(new ArrayBuffer(8));
      await callAsync(name, [...args, result]);
      return result[0] as bigint;
    },
    addressOf: (memory) => koffi.address(memory),
    readString: (pointer) => koffi.decode(pointer, "char", -1) as string,
  };
  return api;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A zero-terminated string in memory of its own, to be kept as long as its address is used. */
export function encodeCString(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const memory = new Uint8Array(new ArrayBuffer(bytes.length + 1));
  memory.set(bytes);
  return memory;
}
