/** Clipping by global norm (Pascanu et al. 2013, arXiv 1211.5063). */
import { buildGraph, input, mul, sum, type Graph } from "../tensor/index.ts";

/** Σ g² of `n` values, as `square`. Runs are short, so that float32 sums stay exact to 1e-6. */
export function sumOfSquaresGraph(n: number): Graph {
  const g = input("g", "float32", [n]);
  return buildGraph({ square: sum(mul(g, g)) });
}

/** What to multiply gradients with; as PyTorch's clip_grad_norm_, 1e-6 keeps a zero norm harmless. 0 means no clipping. */
export function clipFactor(norm: number, maxNorm: number): number {
  return maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
}
