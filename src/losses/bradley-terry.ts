/** Learning a score from comparisons (Bradley & Terry 1952; Ouyang et al. 2022, arXiv 2203.02155). */
import { add, cast, less, logSigmoid, mul, neg, square, sub, sum, type Tensor } from "../tensor/index.ts";

export interface BradleyTerryOptions {
  /** [P]: by how much the chosen one should win (Touvron et al. 2023, arXiv 2307.09288, §3.2.2); absent: 0. */
  readonly margins?: Tensor | undefined;
  /** c, the pull of scores towards mean 0 (Eisenstein et al. 2023, arXiv 2312.09244); absent: none. */
  readonly centering?: number | undefined;
}

/** All scalars. */
export interface BradleyTerry {
  readonly loss: Tensor;
  /** Σ w·[r_c > r_r] */
  readonly accuracy: Tensor;
  /** Σ w·(r_c − r_r) */
  readonly margin: Tensor;
}

/**
 * L = Σₚ wₚ·(−log σ(r_c − r_r − mₚ) + c·(r_c + r_r)²) of the scores `chosen`, `rejected` [P] and weights [P]
 * (1/pairs of the whole accumulated batch; 0 for padding).
 */
export function bradleyTerry(
  chosen: Tensor,
  rejected: Tensor,
  weights: Tensor,
  { margins, centering }: BradleyTerryOptions = {},
): BradleyTerry {
  const difference = sub(chosen, rejected);
  const nll = neg(logSigmoid(margins === undefined ? difference : sub(difference, margins)));
  const losses = centering === undefined || centering === 0 ? nll : add(nll, mul(square(add(chosen, rejected)), centering));
  return {
    loss: sum(mul(weights, losses)),
    accuracy: sum(mul(weights, cast(less(rejected, chosen), "float32"))),
    margin: sum(mul(weights, difference)),
  };
}
