/** AdamW over a model's parameters, in place, with clipping by global norm. */
import { SparError } from "../internal/errors.ts";
import { adamwGraph, adamwScalars, clipFactor, sumOfSquaresGraph, type AdamWConfig, type AdamWScalars } from "../optim/index.ts";
import type { Backend, DeviceBuffer, Executable } from "../runtime/index.ts";
import { sizeOf } from "../tensor/index.ts";
import type { TrainingArguments } from "./training-arguments.ts";

export interface Trainable {
  readonly name: string;
  readonly value: DeviceBuffer;
  readonly gradient: DeviceBuffer;
}

export interface OptimizerConfig extends AdamWConfig {
  readonly weightDecay: number;
  /** 0: no clipping. */
  readonly maxGradNorm: number;
}

/** The optimizer's part of a method's config. */
export function optimizerConfig(config: TrainingArguments): OptimizerConfig {
  return {
    beta1: config.adam_beta1,
    beta2: config.adam_beta2,
    epsilon: config.adam_epsilon,
    weightDecay: config.weight_decay,
    maxGradNorm: config.max_grad_norm,
  };
}

export interface Optimizer {
  /** Updates made. */
  readonly steps: number;
  /**
   * Applies the gradients; resolves to their global norm before clipping. Throws `training/non-finite` naming `batch`
   * and the first parameter whose gradient is not finite, and changes nothing then.
   */
  update(learningRate: number, batch?: () => string): Promise<number>;
  /** First and second moments by parameter, to be saved; the arrays are the optimizer's own memory. */
  moments(): Iterable<readonly [name: string, data: Float32Array]>;
  /** Puts saved moments back. */
  restore(steps: number, read: (name: string, target: Float32Array) => Promise<void>): Promise<void>;
  release(): void;
}

/** Values that are updated together pass through the cache together: a megabyte each of w, m, v and g. */
const runLength = 1 << 18;
/** Runs in one executable: large enough that calls cost nothing, small enough that graphs stay quick to make. */
const runsPerCall = 64;

interface Run {
  readonly owner: Trainable;
  readonly decays: boolean;
  readonly size: number;
  readonly w: DeviceBuffer;
  readonly m: DeviceBuffer;
  readonly v: DeviceBuffer;
  readonly g: DeviceBuffer;
}

/** Transformers' Trainer leaves biases and norms out of weight decay: everything that is not a matrix. */
const decays = (parameter: Trainable): boolean => parameter.value.shape.length >= 2;

export async function createOptimizer(backend: Backend, parameters: readonly Trainable[], config: OptimizerConfig): Promise<Optimizer> {
  const moments = parameters.map(({ value }) => ({ m: backend.allocate(value), v: backend.allocate(value) }));
  const runs = parameters.flatMap((owner, i) => splitRuns(backend, owner, moments[i]));
  const calls = Array.from({ length: Math.ceil(runs.length / runsPerCall) }, (_, i) => runs.slice(i * runsPerCall, (i + 1) * runsPerCall));
  const executables = new Map<string, Promise<Executable>>();
  const compiled = (kind: "adamw" | "norm", call: readonly Run[]): Promise<Executable> => {
    const key = `${kind} ${call.map(({ size, decays }) => `${size}${decays ? "d" : ""}`).join(" ")}`;
    const known =
      executables.get(key) ??
      backend.compile(kind === "adamw" ? adamwGraph(call) : sumOfSquaresGraph(call.map(({ size }) => size)), { label: kind });
    executables.set(key, known);
    return known;
  };
  const scalars = new Map<keyof AdamWScalars, DeviceBuffer>();
  for (const name of Object.keys(adamwScalars(config, { step: 1, learningRate: 0, weightDecay: 0, clip: 1 })) as (keyof AdamWScalars)[]) {
    scalars.set(name, backend.allocate({ dtype: "float32", shape: [] }));
  }
  const bound = calls.map((call) => {
    const name = (part: "w" | "m" | "v" | "g"): [string, DeviceBuffer][] => call.map((run, i) => [`${part}.${i}`, run[part]]);
    return {
      call,
      gradients: new Map(name("g")),
      inputs: new Map([...name("w"), ...name("m"), ...name("v"), ...name("g"), ...scalars]),
      outputs: new Map([...name("w"), ...name("m"), ...name("v")]),
      squares: backend.allocate({ dtype: "float32", shape: [call.length] }),
    };
  });
  let steps = 0;

  function* named(): Iterable<readonly [name: string, data: Float32Array]> {
    for (const [i, { name }] of parameters.entries()) {
      yield [`m.${name}`, moments[i].m.host as Float32Array];
      yield [`v.${name}`, moments[i].v.host as Float32Array];
    }
  }

  async function globalNorm(batch: (() => string) | undefined): Promise<number> {
    let total = 0;
    for (const { call, gradients, squares } of bound) {
      const executable = await compiled("norm", call);
      await executable.run(gradients, new Map([["squares", squares]]));
      for (const [i, square] of (await backend.read(squares)).entries()) {
        if (!Number.isFinite(Number(square))) {
          const rows = batch === undefined ? "" : ` for the batch of ${batch()}`;
          throw new SparError("training/non-finite", `the gradient of ${call[i].owner.name} is not finite${rows}`, {
            hint: "lower learning_rate, or look at these rows",
          });
        }
        total += Number(square);
      }
    }
    return Math.sqrt(total);
  }

  return {
    get steps() {
      return steps;
    },
    async update(learningRate, batch) {
      const norm = await globalNorm(batch);
      steps++;
      const values = adamwScalars(config, {
        step: steps,
        learningRate,
        weightDecay: config.weightDecay,
        clip: clipFactor(norm, config.maxGradNorm),
      });
      for (const [name, buffer] of scalars) await backend.write(buffer, Float32Array.of(values[name]));
      for (const { call, inputs, outputs } of bound) await (await compiled("adamw", call)).run(inputs, outputs);
      return norm;
    },
    moments: named,
    async restore(saved, read) {
      for (const [name, target] of named()) await read(name, target);
      steps = saved;
    },
    release() {
      for (const executable of executables.values())
        void executable.then(
          (e) => e.release(),
          () => undefined,
        );
      for (const { m, v } of moments) {
        m.free();
        v.free();
      }
    },
  };
}

function splitRuns(backend: Backend, owner: Trainable, { m, v }: { m: DeviceBuffer; v: DeviceBuffer }): Run[] {
  const total = sizeOf(owner.value.shape);
  return Array.from({ length: Math.ceil(total / runLength) }, (_, i) => {
    const start = i * runLength;
    const size = Math.min(runLength, total - start);
    const part = (buffer: DeviceBuffer): DeviceBuffer => backend.view(buffer, start, [size]);
    return { owner, decays: decays(owner), size, w: part(owner.value), m: part(m), v: part(v), g: part(owner.gradient) };
  });
}
