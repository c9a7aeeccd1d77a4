/** What this machine is, whether the engine computes rightly on it, and how fast. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import {
  countCores,
  createCpuBackend,
  describeMachine,
  measureGemmRate,
  runSelfTest,
  type Machine,
  type SelfTestCase,
  type SelfTestFailure,
} from "../runtime/index.ts";
import { largeCases, smallCases } from "./large-cases.ts";

export interface MachineReport extends Machine {
  /** What computes, and what calls it. */
  readonly libraries: readonly { readonly name: string; readonly version: string }[];
  /** Which devices graphs can run on. */
  readonly devices: readonly string[];
  /** Threads that a training uses. */
  readonly threads: number;
  readonly tests: readonly {
    readonly threads: number;
    readonly cases: number;
    readonly failures: readonly SelfTestFailure[];
    readonly seconds: number;
  }[];
  /** Floating-point operations a second in a large matrix product. */
  readonly gemmRate: number;
}

/** `cases`: for tests of this function. Throws `runtime/…` where the engine cannot be loaded. */
export async function examineMachine(
  options: { cases?: readonly SelfTestCase[]; onStage?: (stage: string) => void } = {},
): Promise<MachineReport> {
  const cases = options.cases ?? [...smallCases, ...largeCases];
  const threads = countCores();
  const tests = [];
  // One thread tells a wrong kernel from a race. Not more than there are cores: threads that wait by spinning then starve the others.
  for (const count of [1, Math.max(2, threads)]) {
    options.onStage?.(`self-test with ${count} ${count === 1 ? "thread" : "threads"}`);
    const backend = createCpuBackend({ threads: count });
    const start = performance.now();
    try {
      const failures = await runSelfTest(backend, cases);
      tests.push({ threads: count, cases: cases.length, failures, seconds: (performance.now() - start) / 1000 });
    } finally {
      backend.close();
    }
  }
  options.onStage?.("measuring speed");
  const backend = createCpuBackend({ threads });
  try {
    return {
      ...describeMachine(),
      libraries: readLibraries(),
      devices: [backend.name],
      threads,
      tests,
      gemmRate: await measureGemmRate(backend),
    };
  } finally {
    backend.close();
  }
}

/** Versions as installed; a library that is not found by name has none. */
function readLibraries(): { name: string; version: string }[] {
  const require = createRequire(import.meta.url);
  return ["onnxruntime-node", "koffi"].map((name) => ({ name, version: readVersion(require.resolve(name), name) }));
}

/** Of the package.json above an installed file. */
function readVersion(file: string, name: string): string {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const found = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name?: string; version?: string };
      if (found.name === name && found.version !== undefined) return found.version;
    } catch {
      // No package.json here: further up.
    }
  }
  return "of unknown version";
}
