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
/** Parameters up to this size share a run: a norm of a hundred values costs hardly more than calling kernels for it. */
const smallSize = 1 << 16;
/** Runs in one executable: large enough that calls cost nothing, small enough that graphs stay quick to make. */
const runsPerCall = 64;

/** A parameter, or a part of a large one. */
interface Piece {
  readonly owner: Trainable;
  readonly size: number;
  readonly w: DeviceBuffer;
  readonly g: DeviceBuffer;
}

interface Run {
  readonly pieces: readonly Piece[];
  readonly decays: boolean;
  readonly m: DeviceBuffer;
  readonly v: DeviceBuffer;
}

/** Transformers' Trainer leaves biases and norms out of weight decay: everything that is not a matrix. */
const decays = (parameter: Trainable): boolean => parameter.value.shape.length >= 2;

export async function createOptimizer(backend: Backend, parameters: readonly Trainable[], config: OptimizerConfig): Promise<Optimizer> {
  const { runs, moments, memory } = planRuns(backend, parameters);
  const calls = Array.from({ length: Math.ceil(runs.length / runsPerCall) }, (_, i) => runs.slice(i * runsPerCall, (i + 1) * runsPerCall));
  const executables = new Map<string, Promise<Executable>>();
  const compiled = (kind: "adamw" | "norm", call: readonly Run[]): Promise<Executable> => {
    const plan = call.map(({ pieces, decays }) => ({ sizes: pieces.map(({ size }) => size), decays }));
    const key = `${kind} ${plan.map(({ sizes, decays }) => `${sizes.join("+")}${decays ? "d" : ""}`).join(" ")}`;
    const known =
      executables.get(key) ??
      backend.compile(kind === "adamw" ? adamwGraph(plan) : sumOfSquaresGraph(plan.map(({ sizes }) => sizes)), { label: kind });
    executables.set(key, known);
    return known;
  };
  const scalars = new Map<keyof AdamWScalars, DeviceBuffer>();
  for (const name of Object.keys(adamwScalars(config, { step: 1, learningRate: 0, weightDecay: 0, clip: 1 })) as (keyof AdamWScalars)[]) {
    scalars.set(name, backend.allocate({ dtype: "float32", shape: [] }));
  }
  const bound = calls.map((call) => {
    const pieces = call.flatMap((run) => run.pieces);
    const ofPieces = (part: "w" | "g"): [string, DeviceBuffer][] =>
      call.flatMap((run, i) => run.pieces.map((piece, j): [string, DeviceBuffer] => [`${part}.${i}.${j}`, piece[part]]));
    const ofRuns = (part: "m" | "v"): [string, DeviceBuffer][] => call.map((run, i) => [`${part}.${i}`, run[part]]);
    const updated = [...ofPieces("w"), ...ofRuns("m"), ...ofRuns("v")];
    return {
      call,
      pieces,
      gradients: new Map(ofPieces("g")),
      inputs: new Map([...updated, ...ofPieces("g"), ...scalars]),
      outputs: new Map(updated),
      squares: backend.allocate({ dtype: "float32", shape: [pieces.length] }),
    };
  });
  let steps = 0;

  function* named(): Iterable<readonly [name: string, data: Float32Array]> {
    for (const { name, m, v } of moments) {
      yield [`m.${name}`, m.host as Float32Array];
      yield [`v.${name}`, v.host as Float32Array];
    }
  }

  async function globalNorm(batch: (() => string) | undefined): Promise<number> {
    let total = 0;
    for (const { call, pieces, gradients, squares } of bound) {
      const executable = await compiled("norm", call);
      await executable.run(gradients, new Map([["squares", squares]]));
      for (const [i, square] of (await backend.read(squares)).entries()) {
        if (!Number.isFinite(Number(square))) {
          const rows = batch === undefined ? "" : ` for the batch of ${batch()}`;
          throw new SparError("training/non-finite", `the gradient of ${pieces[i].owner.name} is not finite${rows}`, {
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
      for (const buffer of memory) buffer.free();
    },
  };
}

interface Plan {
  readonly runs: readonly Run[];
  /** In the order of the parameters; parts of `memory`. */
  readonly moments: readonly { readonly name: string; readonly m: DeviceBuffer; readonly v: DeviceBuffer }[];
  readonly memory: readonly DeviceBuffer[];
}

/** Large parameters are cut into runs, small ones share them. */
function planRuns(backend: Backend, parameters: readonly Trainable[]): Plan {
  const runs: Run[] = [];
  const memory: DeviceBuffer[] = [];
  const moments = new Map<Trainable, { name: string; m: DeviceBuffer; v: DeviceBuffer }>();
  /** Moments of `owners` side by side. */
  const allocate = (owners: readonly Trainable[]): { m: DeviceBuffer; v: DeviceBuffer } => {
    const sizes = owners.map(({ value }) => sizeOf(value.shape));
    const type = { dtype: "float32", shape: [sizes.reduce((sum, size) => sum + size, 0)] } as const;
    const [m, v] = [backend.allocate(type), backend.allocate(type)];
    memory.push(m, v);
    let start = 0;
    for (const [i, owner] of owners.entries()) {
      moments.set(owner, { name: owner.name, m: backend.view(m, start, [sizes[i]]), v: backend.view(v, start, [sizes[i]]) });
      start += sizes[i];
    }
    return { m, v };
  };
  const pieceOf = (owner: Trainable, start: number, size: number): Piece => ({
    owner,
    size,
    w: backend.view(owner.value, start, [size]),
    g: backend.view(owner.gradient, start, [size]),
  });

  for (const owner of parameters) {
    const total = sizeOf(owner.value.shape);
    if (total <= smallSize) continue;
    const { m, v } = allocate([owner]);
    for (let start = 0; start < total; start += runLength) {
      const size = Math.min(runLength, total - start);
      const part = (buffer: DeviceBuffer): DeviceBuffer => backend.view(buffer, start, [size]);
      runs.push({ pieces: [pieceOf(owner, start, size)], decays: decays(owner), m: part(m), v: part(v) });
    }
  }
  for (const decaying of [true, false]) {
    const small = parameters.filter((owner) => sizeOf(owner.value.shape) <= smallSize && decays(owner) === decaying);
    for (const owners of fillRuns(small)) {
      const pieces = owners.map((owner) => pieceOf(owner, 0, sizeOf(owner.value.shape)));
      runs.push({ pieces, decays: decaying, ...allocate(owners) });
    }
  }
  return { runs, moments: parameters.map((owner) => moments.get(owner) as Plan["moments"][number]), memory };
}

/** In their order, as many together as a run holds. */
function fillRuns(parameters: readonly Trainable[]): Trainable[][] {
  const groups: Trainable[][] = [];
  let room = 0;
  for (const parameter of parameters) {
    const size = sizeOf(parameter.value.shape);
    if (size > room) {
      groups.push([]);
      room = runLength;
    }
    groups[groups.length - 1].push(parameter);
    room -= size;
  }
  return groups;
}
