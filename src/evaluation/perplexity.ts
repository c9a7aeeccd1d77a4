/** How surprised a model is. */

/** exp(−Σ log p ÷ tokens) of several texts together, each token counting the same; no tokens: NaN. Log-probs in nats. */
export function computePerplexity(texts: Iterable<{ readonly logprobSum: number; readonly tokens: number }>): number {
  let sum = 0;
  let count = 0;
  for (const { logprobSum, tokens } of texts) {
    sum += logprobSum;
    count += tokens;
  }
  return count === 0 ? NaN : Math.exp(-sum / count);
}
