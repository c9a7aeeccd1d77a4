/**
 * Seeded random numbers. Two kinds, never mixed:
 * - `uniformAt(seed, …counters)`: a pure function of its arguments, for sampling, so that a row's
 *   numbers depend on (seed, prompt, candidate, position) and not on its batch;
 * - `Random`: a stream with a state that checkpoints can store, for shuffles and initialisation.
 */

/** Mixes 32-bit words into one well-distributed 64-bit value (two rounds of a murmur3-style finaliser each). */
function hashWords(words: readonly number[]): [number, number] {
  let a = 0x9e3779b9 | 0;
  let b = 0x85ebca6b | 0;
  for (const word of words) {
    a = Math.imul(a ^ (word | 0), 0xcc9e2d51);
    a = ((a << 15) | (a >>> 17)) ^ b;
    b = Math.imul(b ^ a, 0x1b873593);
    b = ((b << 13) | (b >>> 19)) ^ Math.imul(word | 0, 0xe6546b64);
    a = finalise(a + b);
    b = finalise(b ^ a);
  }
  return [finalise(a ^ (b >>> 7)), finalise(b + Math.imul(a, 5))];
}

function finalise(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** A number in [0, 1) with 53 random bits that depends only on the arguments (32-bit integers). */
export function uniformAt(seed: number, ...counters: number[]): number {
  const [high, low] = hashWords([seed, ...counters]);
  return ((high >>> 5) * 67108864 + (low >>> 6)) / 9007199254740992;
}

export type RandomState = { seed: number; counter: number };

/** A stream of random numbers: `uniformAt(seed, 0), uniformAt(seed, 1), …`; its whole state is two numbers. */
export class Random {
  #seed: number;
  #counter: number;

  constructor(state: number | RandomState) {
    this.#seed = typeof state === "number" ? state : state.seed;
    this.#counter = typeof state === "number" ? 0 : state.counter;
  }

  get state(): RandomState {
    return { seed: this.#seed, counter: this.#counter };
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    const counter = this.#counter++;
    return uniformAt(this.#seed, counter >>> 0, Math.floor(counter / 4294967296));
  }

  /** Uniform integer in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal (Box–Muller, one of the pair). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Fisher–Yates in place; returns its argument. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const held = items[i];
      items[i] = items[j];
      items[j] = held;
    }
    return items;
  }
}
