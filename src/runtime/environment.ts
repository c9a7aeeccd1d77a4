/** ONNX Runtime's environment: one a process, with one thread pool and one allocator for all sessions. */
import { SparError } from "../internal/errors.ts";
import { encodeCString, type OrtApi } from "./ort-api.ts";

export interface Environment {
  readonly api: OrtApi;
  readonly pointer: bigint;
  /** Describes plain CPU memory, for values over our own buffers. */
  readonly memoryInfo: bigint;
  readonly threads: number;
  /** Another share: sessions hold one, as they must not outlive the environment. */
  share(): Environment;
  /** Gives this share back; the thread pool ends with the last one. */
  close(): void;
}

/** Fatal: everything less comes back as a status, and a library does not print. */
export const logSeverity = 4;

interface Shared {
  readonly pointer: bigint;
  readonly threads: number;
  users: number;
}

const shared = new Map<OrtApi, Shared>();
const memoryInfos = new Map<OrtApi, bigint>();

/**
 * Opens the environment with `threads` threads in all (the one that calls included), or joins the open one.
 * ONNX Runtime has one a process: asking for another number of threads while one is open throws `runtime/threads-differ`,
 * and `spinning` is that of the first.
 *
 * Denormal numbers are left alone: the option that flushes them (session.set_denormal_as_zero) reaches the pool's threads
 * but only one of the threads that call, and then the last bits depend on which thread did what.
 */
export function openEnvironment(api: OrtApi, threads: number, spinning: boolean): Environment {
  let state = shared.get(api);
  if (state !== undefined && state.threads !== threads) {
    throw new SparError(
      "runtime/threads-differ",
      `openEnvironment: expected ${state.threads} threads, as the backend already open in this process, got ${threads}`,
      {
        hint: "close the other backend first, or use its number of threads",
      },
    );
  }
  if (state === undefined) {
    state = { pointer: createEnvironment(api, threads, spinning), threads, users: 0 };
    shared.set(api, state);
  }
  return takeShare(api, state);
}

function takeShare(api: OrtApi, state: Shared): Environment {
  state.users++;
  let open = true;
  return {
    api,
    pointer: state.pointer,
    memoryInfo: memoryInfoOf(api),
    threads: state.threads,
    share: () => takeShare(api, state),
    close() {
      if (!open) return;
      open = false;
      if (--state.users > 0) return;
      shared.delete(api);
      api.release("ReleaseEnv", state.pointer);
    },
  };
}

function createEnvironment(api: OrtApi, threads: number, spinning: boolean): bigint {
  const threading = api.create("CreateThreadingOptions");
  try {
    api.call("SetGlobalIntraOpNumThreads", threading, threads);
    api.call("SetGlobalInterOpNumThreads", threading, 1);
    api.call("SetGlobalSpinControl", threading, Number(spinning));
    const environment = api.create("CreateEnvWithGlobalThreadPools", logSeverity, encodeCString("spar"), threading);
    registerArena(api, environment);
    return environment;
  } finally {
    api.release("ReleaseThreadingOptions", threading);
  }
}

/** Sessions with session.use_env_allocators share this arena, so that buckets do not each hold their own peak. */
function registerArena(api: OrtApi, environment: bigint): void {
  const arenaAllocator = 1;
  const memoryInfo = api.create("CreateCpuMemoryInfo", arenaAllocator, 0);
  const key = encodeCString("arena_extend_strategy");
  const keys = BigUint64Array.of(api.addressOf(key));
  // 1: extend by what is asked for, not by powers of two.
  const configuration = api.create("CreateArenaCfgV2", keys, BigUint64Array.of(1n), 1);
  try {
    api.call("CreateAndRegisterAllocator", environment, memoryInfo, configuration);
  } finally {
    api.release("ReleaseArenaCfg", configuration);
    api.release("ReleaseMemoryInfo", memoryInfo);
  }
}

function memoryInfoOf(api: OrtApi): bigint {
  let pointer = memoryInfos.get(api);
  if (pointer === undefined) {
    pointer = api.create("CreateCpuMemoryInfo", 0, 0);
    memoryInfos.set(api, pointer);
  }
  return pointer;
}
