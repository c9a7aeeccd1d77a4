/** How often an answer would win if both were equally long: judges, people and models alike, prefer long answers. */

export interface LengthCase {
  /** 1: a won, 0: b, ½: a tie. */
  readonly outcome: number;
  /** Characters of the answers. */
  readonly lengthA: number;
  readonly lengthB: number;
}

/** Prior precisions of the length effect and of the difference in quality: weak, and what keeps separable data finite. */
const [precisionOfLength, precisionOfQuality] = [1, 1e-3];

/**
 * Length-controlled win rate of a over b, after AlpacaEval 2 (Dubois et al. 2024, arXiv 2404.04475): the logistic regression
 *
 *   logit P(a wins on x) = θ + φ·tanh((len_a(x) − len_b(x)) / σ),   σ the standard deviation of len_a − len_b,
 *
 * fitted to the verdicts, then evaluated with the length term at zero: sigmoid(θ). The paper's third term, how hard an
 * instruction is, is the same for both models of a single comparison and needs a leaderboard to be fitted: it is left out.
 * φ and θ have Gaussian priors of precision 1 and 0.001. No cases: NaN.
 */
export function controlForLength(cases: readonly LengthCase[]): number {
  if (cases.length === 0) return NaN;
  const differences = cases.map(({ lengthA, lengthB }) => lengthA - lengthB);
  const mean = differences.reduce((sum, value) => sum + value, 0) / cases.length;
  const deviation = Math.sqrt(differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / cases.length);
  // Where all differences are equal, length and quality cannot be told apart, and nothing is taken from quality.
  const x = differences.map((value) => (deviation === 0 ? 0 : Math.tanh(value / deviation)));
  let [theta, phi] = [0, 0];
  const lossAt = (t: number, f: number): number =>
    (precisionOfQuality * t * t + precisionOfLength * f * f) / 2 +
    cases.reduce((sum, { outcome }, i) => sum + softplus(t + f * x[i]) - outcome * (t + f * x[i]), 0);
  let loss = lossAt(theta, phi);
  for (let round = 0; round < 50; round++) {
    // Newton's step: the loss is convex, its matrix of second derivatives positive definite by the priors.
    let [gt, gf, tt, tf, ff] = [precisionOfQuality * theta, precisionOfLength * phi, precisionOfQuality, 0, precisionOfLength];
    for (const [i, { outcome }] of cases.entries()) {
      const p = sigmoid(theta + phi * x[i]);
      const weight = p * (1 - p);
      gt += p - outcome;
      gf += (p - outcome) * x[i];
      tt += weight;
      tf += weight * x[i];
      ff += weight * x[i] * x[i];
    }
    const determinant = tt * ff - tf * tf;
    const [dt, df] = [(ff * gt - tf * gf) / determinant, (tt * gf - tf * gt) / determinant];
    let scale = 1;
    while (scale > 1e-6 && lossAt(theta - scale * dt, phi - scale * df) > loss) scale /= 2;
    [theta, phi] = [theta - scale * dt, phi - scale * df];
    const next = lossAt(theta, phi);
    if (Math.abs(loss - next) < 1e-10 * (1 + Math.abs(next))) break;
    loss = next;
  }
  return sigmoid(theta);
}

function sigmoid(z: number): number {
  return 1 / (1 + Math.exp(-z));
}

/** log(1 + e^z) without overflow. */
function softplus(z: number): number {
  return Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
}
