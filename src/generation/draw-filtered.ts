/**
 * Top-k, top-p and min-p on one row of probabilities, exactly and without sorting it: a token stays where its probability
 * reaches a threshold. Done by the host, as the graph would need TopK (26 ms for 32 rows of 50257 with k = 1024) or, for
 * a top-p that more tokens make up, a bisection (100 ms and more).
 */

export interface Filters {
  /** 0: off. */
  readonly topK: number;
  /** 1: off. */
  readonly topP: number;
  /** 0: off. */
  readonly minP: number;
}

/**
 * The least probability that stays. Top-k, then top-p of what is left, then min-p; ties at a threshold stay: as
 * Transformers' logits processors do, with softmax between them.
 */
export function filterThreshold(probabilities: Float32Array, { topK, topP, minP }: Filters): number {
  let threshold = 0;
  if (topK > 0 && topK < probabilities.length) {
    const kept = findLargest(probabilities, topK);
    threshold = kept[topK - 1];
    if (topP < 1) threshold = cutNucleus(kept, 0, topP * sumOf(kept));
  } else if (topP < 1) threshold = findNucleus(probabilities, topP);
  if (minP > 0) threshold = Math.max(threshold, minP * largestOf(probabilities));
  return threshold;
}

/** The k largest, and those equal to the last of them, largest first. */
function findLargest(values: Float32Array, k: number): Float32Array {
  let found: number[] = [];
  let least = -1;
  const limit = 4 * k + 64;
  const prune = (): void => {
    found.sort((a, b) => b - a);
    least = found[k - 1];
    let end = k;
    while (end < found.length && found[end] === least) end++;
    found = found.slice(0, end);
  };
  for (let i = 0; i < values.length; i++) {
    if (!(values[i] >= least)) continue;
    found.push(values[i]);
    // Many ties would make it prune at every step.
    if (found.length >= limit && found.length >= 2 * k && found[found.length - 1] > least) prune();
  }
  prune();
  return Float32Array.from(found);
}

/** Bits of a float32 in [0, 1] shifted by this count up with the number: 64 bins an octave. */
const shift = 17;
const bins = (0x3f800000 >>> shift) + 1;
const masses = new Float64Array(bins);

function findNucleus(probabilities: Float32Array, topP: number): number {
  const bits = new Uint32Array(probabilities.buffer, probabilities.byteOffset, probabilities.length);
  masses.fill(0);
  const total = sumOf(probabilities);
  // Tokens below this make up less than 1 − top_p together, so the nucleus is above; most tokens are passed over here.
  const floor = ((1 - topP) * total) / probabilities.length;
  for (let i = 0; i < bits.length; i++) if (probabilities[i] >= floor) masses[Math.min(bits[i] >>> shift, bins - 1)] += probabilities[i];
  const wanted = topP * total;
  let [bin, before] = [bins - 1, 0];
  for (; bin > 0 && before + masses[bin] < wanted; bin--) before += masses[bin];
  const inBin: number[] = [];
  for (let i = 0; i < bits.length; i++)
    if (probabilities[i] >= floor && Math.min(bits[i] >>> shift, bins - 1) === bin) inBin.push(probabilities[i]);
  return cutNucleus(Float32Array.from(inBin).sort().reverse(), before, wanted);
}

/** Of probabilities, largest first, after a mass of `before`: the last that is needed to reach `wanted`. */
function cutNucleus(sorted: Float32Array, before: number, wanted: number): number {
  let least = 0;
  for (const p of sorted) {
    if (before >= wanted) break;
    least = p;
    before += p;
  }
  return least;
}

function sumOf(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum;
}

function largestOf(values: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) if (values[i] > largest) largest = values[i];
  return largest;
}

/** An index whose probability reaches `threshold`, drawn by u in [0, 1) in the order of the indices. */
export function drawAbove(probabilities: Float32Array, threshold: number, u: number): number {
  let total = 0;
  for (let i = 0; i < probabilities.length; i++) if (probabilities[i] >= threshold) total += probabilities[i];
  const target = u * total;
  let [reached, last] = [0, 0];
  for (let i = 0; i < probabilities.length; i++) {
    if (!(probabilities[i] >= threshold) || probabilities[i] === 0) continue;
    last = i;
    reached += probabilities[i];
    if (reached > target) return i;
  }
  return last;
}
