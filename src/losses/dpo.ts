/**
 * Losses of direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290) and its relatives, as TRL 1.16 has them.
 *
 * With the log-ratios r = log π(y|x) − log ρ(y|x) of chosen and rejected (c, r), the scores s = f′(π/ρ) of an f-divergence
 * (s = r for the usual reverse KL) and Δ = s_c − s_r, each type is a line of the table below.
 */
import { SparError } from "../internal/errors.ts";
import {
  add,
  div,
  exp,
  gatherElements,
  less,
  logSigmoid,
  maximum,
  minimum,
  mul,
  neg,
  sigmoid,
  square,
  sub,
  sum,
  topK,
  where,
  type Tensor,
} from "../tensor/index.ts";

export const dpoLossTypes = [
  "sigmoid",
  "hinge",
  "ipo",
  "exo_pair",
  "nca_pair",
  "robust",
  "bco_pair",
  "sppo_hard",
  "aot",
  "aot_unpaired",
  "apo_zero",
  "apo_down",
  "discopop",
  "sft",
  "sigmoid_norm",
] as const;
export type DPOLossType = (typeof dpoLossTypes)[number];

export const fDivergences = ["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] as const;
export type FDivergence = (typeof fDivergences)[number];

/** Types that look at Δ alone: only there does the divergence's own β·log Z(x) cancel. */
export const differenceLossTypes: ReadonlySet<DPOLossType> = new Set([
  "sigmoid",
  "sigmoid_norm",
  "hinge",
  "ipo",
  "exo_pair",
  "robust",
  "discopop",
  "sft",
]);

/** Types that sort the pairs of a batch: what a pair contributes depends on the others. */
export const sortingLossTypes: ReadonlySet<DPOLossType> = new Set(["aot", "aot_unpaired"]);

export interface DPOInputs {
  /** [P] log π of the chosen completions, summed over their tokens; `rejected` likewise. */
  readonly chosen: Tensor;
  readonly rejected: Tensor;
  /** [P] the same under the reference ρ. */
  readonly referenceChosen: Tensor;
  readonly referenceRejected: Tensor;
  /** [P] completion tokens, at least 1. */
  readonly chosenLengths: Tensor;
  readonly rejectedLengths: Tensor;
  /** [P] what a pair counts: 1/pairs of the whole accumulated batch. Padding counts 0 and stands last. */
  readonly weights: Tensor;
  /** A scalar, for `sft`: the part of the mean of −log π over the chosen tokens that is this batch's. */
  readonly chosenNLL?: Tensor | undefined;
}

export interface DPOOptions {
  /** Types and the weight of each; the loss is their sum. */
  readonly losses: readonly { readonly type: DPOLossType; readonly weight: number }[];
  readonly beta: number;
  /** ε of robust, exo_pair, aot and aot_unpaired: the share of labels that are the wrong way round. */
  readonly labelSmoothing: number;
  readonly discopopTau: number;
  readonly divergence: FDivergence;
  /** α of the α-divergence. */
  readonly alpha: number;
}

interface Terms extends DPOInputs {
  readonly options: DPOOptions;
  /** Log-ratios. */
  readonly rc: Tensor;
  readonly rr: Tensor;
  /** Scores. */
  readonly sc: Tensor;
  readonly sr: Tensor;
  /** β·Δ */
  readonly margin: Tensor;
}

/** L = Σ_types weight · Σₚ wₚ·loss(p), a scalar. */
export function dpoLoss(inputs: DPOInputs, options: DPOOptions): Tensor {
  const rc = sub(inputs.chosen, inputs.referenceChosen);
  const rr = sub(inputs.rejected, inputs.referenceRejected);
  const [sc, sr] = [rc, rr].map((ratio) => scoreOf(ratio, options));
  const terms: Terms = { ...inputs, options, rc, rr, sc, sr, margin: mul(sub(sc, sr), options.beta) };
  return options.losses
    .map(({ type, weight }) => {
      if (type !== "sft") return mul(sum(mul(inputs.weights, table[type](terms))), weight);
      if (inputs.chosenNLL === undefined) throw new SparError("losses/invalid-option", "dpoLoss: sft expected chosenNLL, got none");
      return mul(inputs.chosenNLL, weight);
    })
    .reduce((total, loss) => add(total, loss));
}

/** f′(π/ρ) from log π/ρ (Wang et al. 2024, arXiv 2309.16240). */
function scoreOf(ratio: Tensor, { divergence, alpha }: DPOOptions): Tensor {
  if (divergence === "forward_kl") return sub(1, exp(neg(ratio)));
  if (divergence === "js_divergence") return add(logSigmoid(ratio), Math.LN2);
  // The α-divergence tends to the reverse KL as α → 1.
  if (divergence === "reverse_kl" || Math.abs(alpha - 1) < 1e-6) return ratio;
  // e⁸⁰ is still a float32, and so are sums of a few.
  return mul(sub(exp(minimum(mul(ratio, alpha - 1), 80)), 1), 1 / (alpha - 1));
}

/** Pairs' losses [P], by type. */
const table: { readonly [T in Exclude<DPOLossType, "sft">]: (terms: Terms) => Tensor } = {
  // Rafailov et al. 2023, arXiv 2305.18290, eq. 7
  sigmoid: ({ margin }) => neg(logSigmoid(margin)),
  // Zhao et al. 2023, arXiv 2305.10425 (SLiC); Liu et al. 2024, arXiv 2309.06657
  hinge: ({ margin }) => maximum(sub(1, margin), 0),
  // Azar et al. 2023, arXiv 2310.12036, eq. 17, on means over tokens: sums would make the target depend on length
  ipo: (terms) => square(sub(meanDifference(terms), 1 / (2 * terms.options.beta))),
  // Ji et al. 2024, arXiv 2402.00856, eq. 16
  exo_pair: ({ margin, options: { labelSmoothing: e } }) => {
    const side = (x: Tensor, share: number): Tensor => mul(sigmoid(x), sub(logSigmoid(x), Math.log(share)));
    return add(side(margin, 1 - e), side(neg(margin), e));
  },
  // Chen et al. 2024, arXiv 2402.05369
  nca_pair: ({ rc, rr, options: { beta } }) => {
    const [chosen, rejected] = [mul(rc, beta), mul(rr, beta)];
    return neg(add(logSigmoid(chosen), mul(add(logSigmoid(neg(chosen)), logSigmoid(neg(rejected))), 0.5)));
  },
  // Chowdhury et al. 2024, arXiv 2403.00409
  robust: ({ margin, options: { labelSmoothing: e } }) =>
    mul(sub(mul(logSigmoid(neg(margin)), e), mul(logSigmoid(margin), 1 - e)), 1 / (1 - 2 * e)),
  // Jung et al. 2024, arXiv 2404.04656, without its reward shift
  bco_pair: ({ rc, rr, options: { beta } }) => neg(add(logSigmoid(mul(rc, beta)), logSigmoid(mul(rr, -beta)))),
  // Wu et al. 2024, arXiv 2405.00675, eq. 4.7 with P = 1 and 0
  sppo_hard: ({ rc, rr, options: { beta } }) => add(square(sub(rc, 0.5 / beta)), square(add(rr, 0.5 / beta))),
  // Melnyk et al. 2024, arXiv 2406.05882: the sorted margins of policy and reference; the same of chosen and rejected
  aot: (terms) =>
    smoothed(
      sub(
        sortPairs(sub(terms.chosen, terms.rejected), terms.weights),
        sortPairs(sub(terms.referenceChosen, terms.referenceRejected), terms.weights),
      ),
      terms.options,
    ),
  aot_unpaired: ({ rc, rr, weights, options }) => smoothed(sub(sortPairs(rc, weights), sortPairs(rr, weights)), options),
  // D'Oosterlinck et al. 2024, arXiv 2408.06266, eq. 7: chosen up, rejected down
  apo_zero: ({ rc, rr, options: { beta } }) => add(sub(1, sigmoid(mul(rc, beta))), sigmoid(mul(rr, beta))),
  // … and eq. 8: both down, rejected more
  apo_down: ({ rc, rr, options: { beta } }) => add(sigmoid(mul(rc, beta)), sub(1, sigmoid(mul(sub(rc, rr), beta)))),
  // Lu et al. 2024, arXiv 2406.08414, eq. 5
  discopop: ({ margin, options: { discopopTau } }) => {
    const share = sigmoid(mul(margin, 1 / discopopTau));
    return add(mul(neg(logSigmoid(margin)), sub(1, share)), mul(exp(neg(margin)), share));
  },
  // sigmoid on means over tokens
  sigmoid_norm: (terms) => neg(logSigmoid(mul(meanDifference(terms), terms.options.beta))),
};

/** Difference of scores a token. */
function meanDifference({ sc, sr, chosenLengths, rejectedLengths }: Terms): Tensor {
  return sub(div(sc, chosenLengths), div(sr, rejectedLengths));
}

function smoothed(difference: Tensor, { beta, labelSmoothing: e }: DPOOptions): Tensor {
  const scaled = mul(difference, beta);
  return neg(add(mul(logSigmoid(scaled), 1 - e), mul(logSigmoid(neg(scaled)), e)));
}

/** Largest first; padding stays last, and is the same number everywhere. */
function sortPairs(x: Tensor, weights: Tensor): Tensor {
  const real = where(less(0, weights), x, -1e30);
  return gatherElements(real, topK(real, x.shape[0]).indices);
}
