/** Forward and backward in one graph, by shape; gradients land, or add up, in the parameters' own buffers. */
import type { Backend, DeviceBuffer, Executable, SessionCache } from "../runtime/index.ts";
import { createSessionCache } from "../runtime/index.ts";
import {
  accumulate,
  add,
  buildGraph,
  clamp,
  detach,
  grad,
  input,
  mul,
  sum,
  type Graph,
  type Tensor,
  type TensorData,
} from "../tensor/index.ts";
import type { Trainable } from "./optimizer.ts";

export interface StepProgram {
  /**
   * Runs the graph of `shape`, made by `build` where it is new: `loss` is differentiated (where there are trainables),
   * `metrics` come back as host arrays. `add`: gradients are added to what the buffers hold instead of replacing it.
   */
  run(
    shape: string,
    build: () => StepGraph,
    inputs: { readonly [name: string]: TensorData },
    options?: { add?: boolean },
  ): Promise<{ [metric: string]: Float32Array }>;
  release(): void;
}

export interface StepGraph {
  readonly loss?: Tensor;
  readonly metrics: { readonly [name: string]: Tensor };
}

/** `parameters`: all that graphs may ask for by name. */
export function createStepProgram(
  backend: Backend,
  parameters: ReadonlyMap<string, DeviceBuffer>,
  trainables: readonly Trainable[],
  limit = 16,
): StepProgram {
  const cache: SessionCache = createSessionCache(limit);
  /** Of the executables in the cache: a graph goes with its executable. */
  const graphs = new WeakMap<Executable, Graph>();
  const gradients = new Map(trainables.map(({ name, gradient }) => [`gradient.${name}`, gradient]));
  const buffers = new Map<string, DeviceBuffer>();

  function compose(build: () => StepGraph, isAdded: boolean): Graph {
    const { loss, metrics } = build();
    if (loss === undefined || trainables.length === 0) return buildGraph(metrics);
    const used = buildGraph({ loss }).inputs;
    const outputs: { [name: string]: Tensor } = { ...metrics };
    const wanted = trainables.filter(({ name }) => used.has(name));
    const computed = grad(
      startAfter(Object.values(metrics), loss),
      wanted.map(({ name }) => used.get(name) as Tensor),
    );
    for (const [i, { name, value }] of wanted.entries()) {
      const held = `gradient.${name}`;
      outputs[held] = isAdded ? accumulate(input(held, "float32", value.shape), computed[i]) : computed[i];
    }
    return buildGraph(outputs);
  }

  /** One buffer a name and type, kept: batches of a bucket reuse it. */
  function bufferFor(name: string, type: Tensor): DeviceBuffer {
    const key = `${name} ${type.dtype} ${type.shape.join("x")}`;
    const known = buffers.get(key) ?? backend.allocate(type);
    buffers.set(key, known);
    return known;
  }

  return {
    async run(shape, build, inputs, { add = false } = {}) {
      const key = `${shape}${add ? " +" : ""}`;
      const results = new Map<string, DeviceBuffer>();
      const compile = async (): Promise<Executable> => {
        const graph = compose(build, add);
        const executable = await backend.compile(graph, { label: shape });
        graphs.set(executable, graph);
        return executable;
      };
      await cache.use(key, compile, async (executable) => {
        const graph = graphs.get(executable) as Graph;
        const feeds = new Map<string, DeviceBuffer>();
        for (const [name, tensor] of graph.inputs) {
          const own = parameters.get(name) ?? gradients.get(name);
          if (own !== undefined) {
            feeds.set(name, own);
            continue;
          }
          const buffer = bufferFor(name, tensor);
          await backend.write(buffer, inputs[name]);
          feeds.set(name, buffer);
        }
        for (const [name, tensor] of graph.outputs) results.set(name, gradients.get(name) ?? bufferFor(`out.${name}`, tensor));
        await executable.run(feeds, results);
      });
      const metrics: { [metric: string]: Float32Array } = {};
      for (const [name, buffer] of results) if (!gradients.has(name)) metrics[name] = (await backend.read(buffer)) as Float32Array;
      return metrics;
    },
    release() {
      cache.clear();
      for (const buffer of buffers.values()) buffer.free();
      buffers.clear();
    },
  };
}

/**
 * The loss, such that its backward pass waits for `metrics`: ONNX Runtime runs what is made last first, so what only looks at the
 * logits would keep them until the end. A factor of one that depends on them leaves every bit as it is, infinite metrics too.
 */
function startAfter(metrics: readonly Tensor[], loss: Tensor): Tensor {
  if (metrics.length === 0) return loss;
  const seen = metrics.map((metric) => clamp(sum(metric), 0, 1)).reduce((total, metric) => add(total, metric));
  return mul(loss, add(mul(detach(seen), 0), 1));
}
