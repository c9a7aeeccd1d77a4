/**
 * AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101) as a graph over one run of `n` consecutive values.
 *
 *   m ← β₁m + (1−β₁)g    v ← β₂v + (1−β₂)g²    w ← (1 − ηλ)w − η·m̂ / (√v̂ + ε)
 *
 * All scalars are folded on the host, so that the graph passes over the values as few times as it can.
 */
import { add, buildGraph, div, input, mul, sqrt, sub, type Graph, type Tensor } from "../tensor/index.ts";

export interface AdamWConfig {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Inputs and outputs `w`, `m`, `v` [n] (to be bound in place), input `g` [n], and the scalars of `adamwScalars`. */
export function adamwGraph(n: number): Graph {
  const [w, m, v, g] = ["w", "m", "v", "g"].map((name) => input(name, "float32", [n]));
  const scalar = (name: keyof AdamWScalars): Tensor => input(name, "float32", []);
  const m2 = add(mul(m, scalar("keepM")), mul(g, scalar("takeM")));
  const v2 = add(mul(v, scalar("keepV")), mul(mul(g, g), scalar("takeV")));
  const change = div(mul(m2, scalar("rate")), add(sqrt(v2), scalar("epsilon")));
  return buildGraph({ m: m2, v: v2, w: sub(mul(w, scalar("decay")), change) });
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
export function adamwScalars(config: AdamWConfig, { step, learningRate, weightDecay, clip }: { step: number; learningRate: number; weightDecay: number; clip: number }): AdamWScalars {
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
