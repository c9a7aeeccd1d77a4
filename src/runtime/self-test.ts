/**
 * Checks that a backend computes what the reference interpreter computes. Kernels have been wrong silently
 * (racing scatters, outputs never written), so every operation and output in use is tried on every device.
 */
import {
  buildGraph,
  evaluateGraph,
  formatType,
  input,
  type Graph,
  type Tensor,
  type TensorData,
  type TensorType,
} from "../tensor/index.ts";
import type { Backend, DeviceBuffer } from "./backend.ts";

/** A computation to try: inputs are named x0, x1 … */
export interface SelfTestCase {
  readonly name: string;
  readonly inputs: readonly TensorType[];
  readonly build: (inputs: readonly Tensor[]) => readonly Tensor[];
  /** The values of input `index`; integers and booleans as numbers. */
  readonly values: (index: number) => ArrayLike<number>;
}

export interface SelfTestFailure {
  readonly name: string;
  /** What was expected and found, or the error. */
  readonly message: string;
}

/** Runs every case several times and returns those that err by more than `tolerance` relative to the output's largest value (or 1). */
export async function runSelfTest(
  backend: Backend,
  cases: readonly SelfTestCase[],
  { tolerance = 1e-4, repeats = 2 } = {},
): Promise<SelfTestFailure[]> {
  const failures: SelfTestFailure[] = [];
  for (const selfTestCase of cases) {
    try {
      const message = await runCase(backend, selfTestCase, tolerance, repeats);
      if (message !== undefined) failures.push({ name: selfTestCase.name, message });
    } catch (error) {
      failures.push({ name: selfTestCase.name, message: error instanceof Error ? error.message : String(error) });
    }
  }
  return failures;
}

async function runCase(backend: Backend, selfTestCase: SelfTestCase, tolerance: number, repeats: number): Promise<string | undefined> {
  const tensors = selfTestCase.inputs.map(({ dtype, shape }, i) => input(`x${i}`, dtype, shape));
  const graph = buildGraph(Object.fromEntries(selfTestCase.build(tensors).map((tensor, i) => [`y${i}`, tensor])));
  const values = Object.fromEntries(tensors.map((_, i) => [`x${i}`, selfTestCase.values(i)]));
  const expected = evaluateGraph(graph, values);
  const executable = await backend.compile(graph, { label: selfTestCase.name });
  const buffers: DeviceBuffer[] = [];
  const allocate = (tensor: Tensor): DeviceBuffer => {
    const buffer = backend.allocate(tensor);
    buffers.push(buffer);
    return buffer;
  };
  try {
    const inputs = new Map([...graph.inputs].map(([name, tensor]) => [name, allocate(tensor)]));
    const outputs = new Map([...graph.outputs].map(([name, tensor]) => [name, allocate(tensor)]));
    for (let repeat = 0; repeat < repeats; repeat++) {
      // Written anew each time: a graph may update its inputs, and an output that is never written must show.
      for (const [name, buffer] of inputs) await backend.write(buffer, toData(buffer, values[name] as ArrayLike<number>));
      for (const buffer of outputs.values())
        await backend.write(buffer, toData(buffer, new Array<number>(sizeOfBuffer(buffer)).fill(buffer.dtype === "float32" ? NaN : 77)));
      await executable.run(inputs, outputs);
      const message = await compare(backend, graph, outputs, expected, tolerance);
      if (message !== undefined) return message;
    }
    return undefined;
  } finally {
    executable.release();
    for (const buffer of buffers) buffer.free();
  }
}

async function compare(
  backend: Backend,
  graph: Graph,
  outputs: ReadonlyMap<string, DeviceBuffer>,
  expected: { readonly [name: string]: ArrayLike<number> },
  tolerance: number,
): Promise<string | undefined> {
  for (const [name, tensor] of graph.outputs) {
    const got = await backend.read(outputs.get(name) as DeviceBuffer);
    const want = Array.from(expected[name] as ArrayLike<number>);
    const scale = want.reduce((largest, value) => Math.max(largest, Number.isFinite(value) ? Math.abs(value) : 0), 1);
    for (const [i, value] of want.entries()) {
      const found = Number(got[i]);
      // The negation also catches NaN.
      if (!Object.is(found, value) && found !== value && !(Math.abs(found - value) <= tolerance * scale)) {
        return `output ${name} ${formatType(tensor)}: expected ${value} at ${i}, got ${found}`;
      }
    }
  }
  return undefined;
}

function sizeOfBuffer(buffer: DeviceBuffer): number {
  return buffer.shape.reduce((product, d) => product * d, 1);
}

function toData(type: TensorType, values: ArrayLike<number>): TensorData {
  if (type.dtype === "float32") return Float32Array.from(values);
  if (type.dtype === "int32") return Int32Array.from(values);
  if (type.dtype === "int64") return BigInt64Array.from(Array.from(values), BigInt);
  return Uint8Array.from(values);
}
