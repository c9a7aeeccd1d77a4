/**
 * What can run graphs. Small on purpose: a CPU library, a GPU and a browser all fit behind it.
 * Buffers belong to a backend; host code reads and writes them through it.
 */
import type { Graph, TensorData, TensorType } from "../tensor/index.ts";

export interface DeviceBuffer extends TensorType {
  /** The memory itself where host and device share it (CPU); undefined elsewhere. */
  readonly host: TensorData | undefined;
  /** What it holds is not needed any more: its memory goes back until the buffer is used again. Not while a run uses it. */
  discard(): void;
  /** Gives the memory back; using the buffer afterwards is an error. */
  free(): void;
}

export interface AllocateOptions {
  /** Its memory goes back with `discard()`, which for other buffers may do nothing. */
  readonly discardable?: boolean;
}

export interface CompileOptions {
  /** Inputs that never change while the executable lives (prepacked for speed, memory shared and not copied). */
  readonly constants?: ReadonlyMap<string, DeviceBuffer>;
  /** Shown in profiles and errors. */
  readonly label?: string;
}

export interface Executable {
  /**
   * Runs off the event loop. Every input that is not a constant and every output is given a buffer of its exact type.
   * An output may be bound over an input only where the graph reads that input element by element.
   */
  run(inputs: ReadonlyMap<string, DeviceBuffer>, outputs: ReadonlyMap<string, DeviceBuffer>): Promise<void>;
  release(): void;
}

export interface Backend {
  readonly name: string;
  /** Zero-filled. */
  allocate(type: TensorType, options?: AllocateOptions): DeviceBuffer;
  /** Part of a float32 buffer as a buffer of its own, from element `start`; it shares the memory and must not outlive it. */
  view(buffer: DeviceBuffer, start: number, shape: readonly number[]): DeviceBuffer;
  write(buffer: DeviceBuffer, data: TensorData): Promise<void>;
  read(buffer: DeviceBuffer): Promise<TensorData>;
  compile(graph: Graph, options?: CompileOptions): Promise<Executable>;
  close(): void;
}
