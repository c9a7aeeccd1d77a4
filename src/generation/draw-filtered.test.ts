import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Random } from "../internal/rng.ts";
import { drawAbove, filterThreshold, type Filters } from "./draw-filtered.ts";

function normalise(weights: readonly number[]): Float32Array {
  const total = weights.reduce((a, b) => a + b, 0);
  return Float32Array.from(weights, (w) => w / total);
}

/** Transformers' processors written down as they are: sort, sum up, cut, renormalise. */
function keepNaively(probabilities: Float32Array, { topK, topP, minP }: Filters): number[] {
  let kept = [...probabilities.keys()];
  const renormalised = (): number[] => {
    const total = kept.reduce((sum, i) => sum + probabilities[i], 0);
    return kept.map((i) => probabilities[i] / total);
  };
  if (topK > 0) {
    const least = [...probabilities].sort((a, b) => b - a)[Math.min(topK, probabilities.length) - 1];
    kept = kept.filter((i) => probabilities[i] >= least);
  }
  if (topP < 1) {
    const p = renormalised();
    kept = kept.filter((_, i) => p.reduce((above, other) => above + (other > p[i] ? other : 0), 0) < topP);
  }
  if (minP > 0) {
    const p = renormalised();
    kept = kept.filter((_, i) => p[i] >= minP * Math.max(...p) * (1 - 1e-7));
  }
  return kept;
}

const keep = (probabilities: Float32Array, filters: Filters): number[] => {
  const threshold = filterThreshold(probabilities, filters);
  return [...probabilities.keys()].filter((i) => probabilities[i] >= threshold);
};

const off: Filters = { topK: 0, topP: 1, minP: 0 };

describe("filterThreshold", () => {
  const example = normalise([1, 8, 4, 2, 16, 1]);
  test.each([
    [{ ...off }, [0, 1, 2, 3, 4, 5]],
    [{ ...off, topK: 1 }, [4]],
    [{ ...off, topK: 3 }, [1, 2, 4]],
    // Ties with the last that stays, stay.
    [{ ...off, topK: 5 }, [0, 1, 2, 3, 4, 5]],
    [{ ...off, topK: 100 }, [0, 1, 2, 3, 4, 5]],
    [{ ...off, topP: 0.01 }, [4]],
    [{ ...off, topP: 0.6 }, [1, 4]],
    [{ ...off, minP: 0.2 }, [1, 2, 4]],
    [{ ...off, minP: 1 }, [4]],
    // Of the three that top-k leaves, the likeliest two hold 24/28 = 0.857.
    [{ ...off, topK: 3, topP: 0.86 }, [1, 2, 4]],
    [{ ...off, topK: 3, topP: 0.85 }, [1, 4]],
    [{ topK: 4, topP: 0.99, minP: 0.3 }, [1, 4]],
  ])("%o keeps %o", (filters, expected) => {
    expect(keep(example, filters)).toEqual(expected);
  });

  test("is what sorting gives, for long rows as for short ones", () => {
    const random = new Random(5);
    for (const width of [3, 50, 700]) {
      for (const sharpness of [0.5, 3, 8]) {
        const row = normalise(Array.from({ length: width }, () => Math.exp(sharpness * random.normal())));
        for (const filters of [
          { ...off, topK: 1 },
          { ...off, topK: 40 },
          { ...off, topP: 0.5 },
          { ...off, topP: 0.97 },
          { ...off, minP: 0.02 },
          { topK: 100, topP: 0.9, minP: 0.001 },
        ])
          expect(keep(row, filters)).toEqual(keepNaively(row, filters));
      }
    }
  });

  test("is what sorting gives, with many ties", () => {
    const weights = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 300 }).filter((list) => list.some((w) => w > 0));
    fc.assert(
      fc.property(weights, fc.integer({ min: 0, max: 20 }), (list, topK) => {
        const row = normalise(list.map((w) => 2 ** w));
        expect(keep(row, { ...off, topK })).toEqual(keepNaively(row, { ...off, topK }));
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe("drawAbove", () => {
  const row = Float32Array.of(0.1, 0, 0.4, 0.2, 0.3);
  test("goes through the kept indices in their order", () => {
    expect([0, 0.09, 0.11, 0.49, 0.51, 0.69, 0.71, 0.999999].map((u) => drawAbove(row, 0, u))).toEqual([0, 0, 2, 2, 3, 3, 4, 4]);
    expect([0, 0.57, 0.58, 0.999999].map((u) => drawAbove(row, 0.3, u))).toEqual([2, 2, 4, 4]);
  });
});
