/** What this machine is and can do. */
import { readFileSync } from "node:fs";
import os from "node:os";
import { buildGraph, input, matmul } from "../tensor/index.ts";
import type { Backend } from "./backend.ts";

export interface Machine {
  readonly platform: string;
  readonly cpu: string;
  /** Physical cores, as far as the system tells; never more than this process may use. */
  readonly cores: number;
  readonly memoryBytes: number;
  /** What could be allocated now without swapping. */
  readonly availableBytes: number;
  readonly node: string;
}

export function describeMachine(): Machine {
  return {
    platform: `${process.platform}-${process.arch}`,
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: countCores(),
    memoryBytes: Math.min(os.totalmem(), process.constrainedMemory() || Infinity),
    availableBytes: readAvailableBytes(),
    node: process.version,
  };
}

/** Physical cores that this process may use: two threads on one core share its multipliers and only get in each other's way. */
export function countCores(): number {
  const usable = os.availableParallelism();
  if (process.platform !== "linux") return usable;
  const cores = countPhysicalCores(readFile("/proc/cpuinfo"));
  return cores === 0 ? usable : Math.min(cores, usable);
}

/** Distinct (physical id, core id) pairs of /proc/cpuinfo; 0 where it has none (as on ARM). */
export function countPhysicalCores(cpuinfo: string): number {
  const pairs = new Set<string>();
  for (const block of cpuinfo.split("\n\n")) {
    const core = /^core id\s*:\s*(\d+)/m.exec(block)?.[1];
    const socket = /^physical id\s*:\s*(\d+)/m.exec(block)?.[1];
    if (core !== undefined && socket !== undefined) pairs.add(`${socket}:${core}`);
  }
  return pairs.size;
}

function readAvailableBytes(): number {
  const kilobytes = /^MemAvailable:\s*(\d+) kB/m.exec(process.platform === "linux" ? readFile("/proc/meminfo") : "")?.[1];
  const system = kilobytes === undefined ? os.freemem() : Number(kilobytes) * 1024;
  const limit = process.constrainedMemory();
  return limit ? Math.min(system, Math.max(0, limit - process.memoryUsage().rss)) : system;
}

function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/**
 * The rate of a matrix product of a GPT-2 feed-forward layer (1024×768×3072, float32), in FLOP/s: the ceiling for everything else.
 * The best of several runs, as other processes only ever make it slower.
 */
export async function measureGemmRate(backend: Backend, runs = 12): Promise<number> {
  const [m, k, n] = [1024, 768, 3072] as const;
  const x = input("x", "float32", [m, k]);
  const w = input("w", "float32", [k, n]);
  const y = matmul(x, w);
  const executable = await backend.compile(buildGraph({ y }), { label: "GEMM rate" });
  const buffers = [x, w, y].map((tensor) => backend.allocate(tensor));
  try {
    for (const buffer of buffers.slice(0, 2)) {
      const size = buffer.shape.reduce((product, d) => product * d, 1);
      await backend.write(
        buffer,
        Float32Array.from({ length: size }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5),
      );
    }
    const inputs = new Map([
      ["x", buffers[0]],
      ["w", buffers[1]],
    ] as const) as Parameters<typeof executable.run>[0];
    const outputs = new Map([["y", buffers[2]]] as const) as Parameters<typeof executable.run>[1];
    let best = Infinity;
    for (let i = 0; i < runs; i++) {
      const start = performance.now();
      await executable.run(inputs, outputs);
      best = Math.min(best, (performance.now() - start) / 1000);
    }
    return (2 * m * k * n) / best;
  } finally {
    executable.release();
    for (const buffer of buffers) buffer.free();
  }
}
