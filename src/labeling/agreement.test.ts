import fc from "fast-check";
import { expect, test } from "vitest";
import { measureDivision, measureKrippendorffAlpha, measurePairAgreement, measureRawAgreement, type Unit } from "./agreement.ts";

/** Rows are annotators, characters units; a dot is no value. */
function readUnits(rows: { readonly [name: string]: string }): Unit[] {
  const length = Object.values(rows)[0].length;
  return Array.from(
    { length },
    (_, i) => new Map(Object.entries(rows).flatMap(([name, text]) => (text[i] === "." ? [] : [[name, text[i]]]))),
  );
}

// K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), sections A, B and C.
const binary = readUnits({ Meg: "0100000010", Owen: "1110010000" });
const nominal = readUnits({ Ben: "aabbdcccedda", Gerry: "babbbcccedd" + "d" });
const missing = readUnits({ A: "123321412...", B: "12332241225.3".slice(0, 9) + "5.3", C: ".3332342251.", D: "12332441251." });

test("Krippendorff's alpha: his own examples", () => {
  expect(measureKrippendorffAlpha(binary)).toBeCloseTo(0.095, 3);
  expect(measureKrippendorffAlpha(nominal)).toBeCloseTo(0.692, 3);
  expect(measureKrippendorffAlpha(missing)).toBeCloseTo(0.743, 3);
});

test("Cohen's kappa: two readers of 50 proposals, 20 yes, 15 no, 5 and 10 divided", () => {
  const units = readUnits({ A: "y".repeat(25) + "n".repeat(25), B: "y".repeat(20) + "n".repeat(5) + "y".repeat(10) + "n".repeat(15) });
  const agreement = measurePairAgreement(units, "A", "B")!;
  expect(agreement).toMatchObject({ units: 50, raw: 0.7 });
  expect(agreement.kappa).toBeCloseTo(0.4, 12);
});

test("nothing to compare, or nothing that varies, is null", () => {
  expect(measureKrippendorffAlpha([])).toBeNull();
  expect(measureKrippendorffAlpha(readUnits({ A: "ab.", B: "..c" }))).toBeNull();
  expect(measureKrippendorffAlpha(readUnits({ A: "aaa", B: "aaa" }))).toBeNull();
  expect(measureRawAgreement(readUnits({ A: "ab.", B: "..c" }))).toBeNull();
  expect(measurePairAgreement(readUnits({ A: "ab.", B: "..c" }), "A", "B")).toBeNull();
  expect(measurePairAgreement(readUnits({ A: "aa", B: "aa" }), "A", "B")).toEqual({ units: 2, raw: 1, kappa: null });
});

test("raw agreement counts pairs of annotators", () => {
  expect(measureRawAgreement(readUnits({ A: "ab", B: "aa", C: "b." }))).toBeCloseTo(1 / 4, 12);
});

test("division goes from 0 to 1, whatever the number of labels", () => {
  const of = (text: string): number => measureDivision(new Map([...text].map((value, i) => [String(i), value])), 3);
  expect([of("a"), of("aa"), of("aaaa")]).toEqual([0, 0, 0]);
  expect([of("ab"), of("abt"), of("aabt")].map((value) => Math.round(value * 1e9) / 1e9)).toEqual([1, 1, 1]);
  expect(of("aab")).toBeCloseTo(0.579, 3);
});

test("whatever is given: alpha and kappa are at most 1, and 1 only where all agree", () => {
  const units = fc.array(fc.dictionary(fc.constantFrom("A", "B", "C", "D"), fc.constantFrom("a", "b", "tie"), { maxKeys: 4 }), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(units, (rows) => {
      const given = rows.map((row) => new Map(Object.entries(row)));
      const [raw, alpha] = [measureRawAgreement(given), measureKrippendorffAlpha(given)];
      const kappa = measurePairAgreement(given, "A", "B")?.kappa ?? null;
      for (const value of [alpha, kappa]) if (value !== null) expect(value).toBeLessThanOrEqual(1 + 1e-12);
      if (alpha !== null) expect(alpha > 1 - 1e-12).toBe(raw === 1);
    }),
    { numRuns: 200 },
  );
});
