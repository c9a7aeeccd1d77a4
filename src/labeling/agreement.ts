/** How far several annotators agree: of values (texts) that they give to the same units. */

/** A unit's values by annotator; who has not judged it is absent. */
export type Unit = ReadonlyMap<string, string>;

/** Share of equal pairs among all pairs of values that two annotators gave to the same unit, 0–1; null without any. */
export function measureRawAgreement(units: readonly Unit[]): number | null {
  let [equal, all] = [0, 0];
  for (const unit of units) {
    const counts = countValues(unit.values());
    const n = unit.size;
    all += (n * (n - 1)) / 2;
    for (const count of counts.values()) equal += (count * (count - 1)) / 2;
  }
  return all === 0 ? null : equal / all;
}

/**
 * Krippendorff's alpha for nominal values, any number of annotators, missing values allowed: 1 − observed ÷ expected disagreement.
 * 1: perfect, 0: as by chance, below: systematic disagreement. Null where it is not defined: fewer than two values that can be
 * compared, or no value but one. Source: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C.
 */
export function measureKrippendorffAlpha(units: readonly Unit[]): number | null {
  const totals = new Map<string, number>();
  let [n, agreeing] = [0, 0];
  for (const unit of units) {
    if (unit.size < 2) continue;
    n += unit.size;
    for (const [value, count] of countValues(unit.values())) {
      totals.set(value, (totals.get(value) ?? 0) + count);
      // The diagonal of the coincidence matrix: each pair counts 1/(m − 1).
      agreeing += (count * (count - 1)) / (unit.size - 1);
    }
  }
  const squares = [...totals.values()].reduce((sum, count) => sum + count * (count - 1), 0);
  const expected = n * (n - 1) - squares;
  if (n < 2 || expected === 0) return null;
  return 1 - ((n - 1) * (n - agreeing)) / expected;
}

export interface PairAgreement {
  readonly units: number;
  readonly raw: number;
  /** Cohen's kappa; null where both give one and the same value only. Source: J. Cohen (1960). */
  readonly kappa: number | null;
}

/** Two annotators on the units that both have judged; null without any. */
export function measurePairAgreement(units: readonly Unit[], a: string, b: string): PairAgreement | null {
  const [ofA, ofB] = [new Map<string, number>(), new Map<string, number>()];
  let [n, equal] = [0, 0];
  for (const unit of units) {
    const [one, other] = [unit.get(a), unit.get(b)];
    if (one === undefined || other === undefined) continue;
    n++;
    if (one === other) equal++;
    ofA.set(one, (ofA.get(one) ?? 0) + 1);
    ofB.set(other, (ofB.get(other) ?? 0) + 1);
  }
  if (n === 0) return null;
  const chance = [...ofA].reduce((sum, [value, count]) => sum + (count / n) * ((ofB.get(value) ?? 0) / n), 0);
  const raw = equal / n;
  return { units: n, raw, kappa: chance >= 1 ? null : (raw - chance) / (1 - chance) };
}

/** Entropy of a unit's values over the largest that so many values of so many kinds can have; 0: all agree, 1: as divided as can be. */
export function measureDivision(unit: Unit, kinds: number): number {
  const n = unit.size;
  const most = Math.min(n, kinds);
  if (most < 2) return 0;
  // The largest is not log(most) where n does not divide evenly: three labels of two kinds are 2 : 1 at best.
  const even = Array.from({ length: most }, (_, i) => Math.floor(n / most) + (i < n % most ? 1 : 0));
  return Math.min(1, entropyOf([...countValues(unit.values()).values()], n) / entropyOf(even, n));
}

function entropyOf(counts: readonly number[], n: number): number {
  return counts.reduce((sum, count) => sum - (count / n) * Math.log(count / n), 0);
}

function countValues(values: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
