/** Clipping by global norm (Pascanu et al. 2013, arXiv 1211.5063). */
import { buildGraph, concat, input, mul, reshape, sum, type Graph } from "../tensor/index.ts";

/** Σ g² of each run `g.I`, as `squares` [runs]. Runs are short, so that float32 sums stay exact to 1e-6. */
export function sumOfSquaresGraph(sizes: readonly number[]): Graph {
  const squares = sizes.map((size, i) => {
    const g = input(`g.${i}`, "float32", [size]);
    return reshape(sum(mul(g, g)), [1]);
  });
  return buildGraph({ squares: concat(squares, 0) });
}

/** What to multiply gradients with; as PyTorch's clip_grad_norm_, 1e-6 keeps a zero norm harmless. 0 means no clipping. */
export function clipFactor(norm: number, maxNorm: number): number {
  return maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
}
