/** A backend that does everything another one does and remembers what it was asked for. */
import type { Backend, Executable } from "../runtime/index.ts";
import { byteLengthOf, type Graph } from "../tensor/index.ts";
import { planGraph, type GraphPlan } from "./plan-memory.ts";

export interface WatchedGraph extends GraphPlan {
  readonly label: string;
  readonly compileSeconds: number;
  /** By which the process grew meanwhile. */
  readonly compileBytes: number;
  /** Of each run. */
  readonly runSeconds: number[];
}

export interface WatchingBackend extends Backend {
  readonly graphs: readonly WatchedGraph[];
  /** Bytes of buffers, now and at most. */
  readonly liveBytes: number;
  readonly peakBytes: number;
}

/**
 * `beforeRun` is asked when memory is about to be taken, with all bytes that would then be in use (buffers and the largest
 * graph's intermediate values); what it throws reaches the caller.
 */
export function watchBackend(backend: Backend, beforeTaking: (bytes: number) => void = () => undefined): WatchingBackend {
  const graphs: WatchedGraph[] = [];
  let live = 0;
  let peak = 0;
  let largestGraph = 0;
  return {
    name: backend.name,
    graphs,
    get liveBytes() {
      return live;
    },
    get peakBytes() {
      return peak;
    },
    allocate(type, options) {
      const bytes = byteLengthOf(type);
      beforeTaking(live + bytes + largestGraph);
      const buffer = backend.allocate(type, options);
      live += bytes;
      peak = Math.max(peak, live);
      const free = buffer.free.bind(buffer);
      let isFreed = false;
      buffer.free = () => {
        if (!isFreed) live -= bytes;
        isFreed = true;
        free();
      };
      return buffer;
    },
    view: (buffer, start, shape) => backend.view(buffer, start, shape),
    write: (buffer, data) => backend.write(buffer, data),
    read: (buffer) => backend.read(buffer),
    async compile(graph: Graph, options): Promise<Executable> {
      const plan = planGraph(graph);
      largestGraph = Math.max(largestGraph, plan.peakBytes);
      beforeTaking(live + largestGraph);
      const [start, before] = [performance.now(), process.memoryUsage.rss()];
      const executable = await backend.compile(graph, options);
      const watched: WatchedGraph = {
        ...plan,
        label: options?.label ?? "",
        compileSeconds: (performance.now() - start) / 1000,
        compileBytes: Math.max(0, process.memoryUsage.rss() - before),
        runSeconds: [],
      };
      graphs.push(watched);
      return {
        async run(inputs, outputs) {
          const from = performance.now();
          await executable.run(inputs, outputs);
          watched.runSeconds.push((performance.now() - from) / 1000);
        },
        release: () => executable.release(),
      };
    },
    close: () => backend.close(),
  };
}
