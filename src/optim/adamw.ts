/**
 * AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) as a graph over runs of consecutive values.
 *
 *   m ← β₁m + (1−β₁)g    v ← β₂v + (1−β₂)g²    w ← (1 − ηλ)w − η·m̂ / (√v̂ + ε)
 *
 * All scalars are folded on the host, so that the graph passes over the values as few times as it can.
 */
import { add, buildGraph, div, input, mul, sqrt, sub, type Graph, type Tensor } from "../tensor/index.ts";
import { joinInputs, splitAt } from "./pieces.ts";

export interface AdamWConfig {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Values that are updated together: lengths of the pieces of weights that they are made of; not all parameters decay. */
export interface Run {
  readonly sizes: readonly number[];
  readonly decays: boolean;
}

/**
 * For piece J of run I inputs and outputs `w.I.J` [size of the piece] and the input `g.I.J`; for run I inputs and outputs
 * `m.I`, `v.I` [sum of its sizes]; outputs may be bound in place. And the scalars of `adamwScalars`.
 */
export function adamwGraph(runs: readonly Run[]): Graph {
  const made = new Map<string, Tensor>();
  const scalar = (name: keyof AdamWScalars): Tensor => {
    const tensor = made.get(name) ?? input(name, "float32", []);
    made.set(name, tensor);
    return tensor;
  };
  const outputs: { [name: string]: Tensor } = {};
  for (const [i, { sizes, decays }] of runs.entries()) {
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const [w, g] = ["w", "g"].map((name) => joinInputs(`${name}.${i}`, sizes));
    const [m, v] = ["m", "v"].map((name) => input(`${name}.${i}`, "float32", [total]));
    const m2 = add(mul(m, scalar("keepM")), mul(g, scalar("takeM")));
    const v2 = add(mul(v, scalar("keepV")), mul(mul(g, g), scalar("takeV")));
    const change = div(mul(m2, scalar("rate")), add(sqrt(v2), scalar("epsilon")));
    const w2 = sub(decays ? mul(w, scalar("decay")) : w, change);
    outputs[`m.${i}`] = m2;
    outputs[`v.${i}`] = v2;
    for (const [j, piece] of splitAt(w2, sizes).entries()) outputs[`w.${i}.${j}`] = piece;
  }
  return buildGraph(outputs);
}

export interface AdamWScalars {
  keepM: number;
  takeM: number;
  keepV: number;
  takeV: number;
  rate: number;
  epsilon: number;
  decay: number;
}

/** `clip` multiplies the gradient (1 = as it is); `step` counts from 1. η/(1−β₁ᵗ) and √(1−β₂ᵗ) move into rate and epsilon. */
export function adamwScalars(
  config: AdamWConfig,
  { step, learningRate, weightDecay, clip }: { step: number; learningRate: number; weightDecay: number; clip: number },
): AdamWScalars {
  const { beta1, beta2, epsilon } = config;
  const root = Math.sqrt(1 - beta2 ** step);
  return {
    keepM: beta1,
    takeM: (1 - beta1) * clip,
    keepV: beta2,
    takeV: (1 - beta2) * clip * clip,
    rate: (learningRate * root) / (1 - beta1 ** step),
    epsilon: epsilon * root,
    decay: 1 - learningRate * weightDecay,
  };
}
