/** Clipping by global norm (Pascanu et al. 2013, arXiv 1211.5063). */
import { buildGraph, concat, mul, sum, type Graph } from "../tensor/index.ts";
import { joinInputs, splitAt } from "./pieces.ts";

/**
 * Σ g² of each piece `g.I.J` of each run of pieces, as `squares` [pieces]. Pieces are short, so that float32 sums stay exact to 1e-6.
 * @param runs lengths of the pieces that are squared together
 */
export function sumOfSquaresGraph(runs: readonly (readonly number[])[]): Graph {
  const squares = runs.flatMap((sizes, i) => {
    const g = joinInputs(`g.${i}`, sizes);
    return splitAt(mul(g, g), sizes).map((part) => sum(part, [0], true));
  });
  return buildGraph({ squares: concat(squares, 0) });
}

/** What to multiply gradients with; as PyTorch's clip_grad_norm_, 1e-6 keeps a zero norm harmless. 0 means no clipping. */
export function clipFactor(norm: number, maxNorm: number): number {
  return maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
}
