import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Comparison, Grade, Verdict } from "../rewards/index.ts";
import { cohenKappa, fleissKappa, intervalOfClusters, measureAgreement, measureDecided, type JudgedComparison } from "./agreement.ts";
import { concludeAgreement, listAgreement, renderAgreementReport, type AgreementReport } from "./agreement-report.ts";
import { renderCalibration } from "./calibration-chart.ts";
import { measureCalibration } from "./calibration.ts";
import { intervalOfShare } from "./interval.ts";
import { summariseComparisons, summariseGrades } from "./judge-summary.ts";

function said(aFirst: Verdict | null, bFirst: Verdict | null = aFirst, rest: Partial<Comparison> = {}): Comparison {
  const verdict = aFirst === null || bFirst === null ? null : aFirst === bFirst ? aFirst : "tie";
  return { verdict, orders: [aFirst, bFirst], preference: null, retries: 0, ...rest };
}
const row = (labels: readonly Verdict[], comparison: Comparison, hasSides = true): JudgedComparison => ({ labels, hasSides, comparison });

describe("Cohen's kappa", () => {
  test("of the textbook's table: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no is .4", () => {
    const pairs = [
      ...Array.from({ length: 20 }, () => ["yes", "yes"] as const),
      ...Array.from({ length: 5 }, () => ["yes", "no"] as const),
      ...Array.from({ length: 10 }, () => ["no", "yes"] as const),
      ...Array.from({ length: 15 }, () => ["no", "no"] as const),
    ];
    expect(cohenKappa(pairs)).toBeCloseTo(0.4, 12);
  });

  test("is null without cases and where both only ever say one thing; 0 where one of them does; below 0 for contradiction", () => {
    expect(cohenKappa([])).toBeNull();
    expect(
      cohenKappa([
        ["a", "a"],
        ["a", "a"],
      ]),
    ).toBeNull();
    expect(
      cohenKappa([
        ["a", "a"],
        ["b", "a"],
      ]),
    ).toBe(0);
    expect(
      cohenKappa([
        ["a", "b"],
        ["b", "a"],
      ]),
    ).toBe(-1);
  });

  test("lies in [−1, 1] and does not care which rater comes first", () => {
    const verdict = fc.constantFrom<Verdict>("a", "b", "tie");
    fc.assert(
      fc.property(fc.array(fc.tuple(verdict, verdict)), (pairs) => {
        const kappa = cohenKappa(pairs);
        const mirrored = cohenKappa(pairs.map(([one, other]) => [other, one] as const));
        if (kappa === null || mirrored === null) return kappa === mirrored;
        return kappa >= -1 - 1e-12 && kappa <= 1 + 1e-12 && Math.abs(kappa - mirrored) < 1e-12;
      }),
    );
  });
});

describe("Fleiss' kappa", () => {
  test("of Fleiss' example as Wikipedia works it (14 raters, 10 cases, 5 categories) is .210", () => {
    const table = [
      [0, 0, 0, 0, 14],
      [0, 2, 6, 4, 2],
      [0, 0, 3, 5, 6],
      [0, 3, 9, 2, 0],
      [2, 2, 8, 1, 1],
      [7, 7, 0, 0, 0],
      [3, 2, 6, 3, 0],
      [2, 5, 3, 2, 2],
      [6, 5, 2, 1, 0],
      [0, 2, 2, 3, 7],
    ];
    const ratings = table.map((counts) => counts.flatMap((count, category) => Array<number>(count).fill(category)));
    expect(fleissKappa(ratings)).toBeCloseTo(0.20993, 5);
    // A case with one label has nobody to agree with.
    expect(fleissKappa([...ratings, [3]])).toBeCloseTo(0.20993, 5);
  });

  test("is null for no data, one annotator, or one label everywhere; 1 for full agreement", () => {
    expect(fleissKappa([])).toBeNull();
    expect(fleissKappa([["a"], ["b"]])).toBeNull();
    expect(
      fleissKappa([
        ["a", "a"],
        ["a", "a", "a"],
      ]),
    ).toBeNull();
    expect(
      fleissKappa([
        ["a", "a"],
        ["b", "b", "b"],
      ]),
    ).toBe(1);
  });
});

describe("the interval of clusters", () => {
  test("is Wilson's where every row has one label", () => {
    const clusters = Array.from({ length: 50 }, (_, i) => ({ cases: 1, successes: Number(i < 40) }));
    const [low, high] = intervalOfClusters(clusters);
    const [wilsonLow, wilsonHigh] = intervalOfShare(40, 50);
    expect(low).toBeCloseTo(wilsonLow, 6);
    expect(high).toBeCloseTo(wilsonHigh, 6);
  });

  test("counts annotators who always agree as one, and independent ones as many", () => {
    const alike = Array.from({ length: 40 }, (_, i) => ({ cases: 3, successes: i < 20 ? 3 : 0 }));
    expect(intervalOfClusters(alike)[0]).toBeCloseTo(intervalOfShare(20, 40)[0], 6);
    const mixed = Array.from({ length: 40 }, (_, i) => ({ cases: 2, successes: [0, 1, 1, 2][i % 4] }));
    const width = (interval: readonly [number, number]): number => interval[1] - interval[0];
    expect(width(intervalOfClusters(mixed))).toBeCloseTo(width(intervalOfShare(40, 80)), 1);
  });

  test("without variance, and without cases", () => {
    expect(
      intervalOfClusters([
        { cases: 3, successes: 3 },
        { cases: 3, successes: 3 },
      ]),
    ).toEqual(intervalOfShare(2, 2));
    expect(intervalOfClusters([{ cases: 5, successes: 2 }])[0]).toBeLessThan(0.1);
    expect(intervalOfClusters([])).toEqual([0, 1]);
  });
});

describe("agreement", () => {
  const rows = [
    row(["a", "a", "tie"], said("a")),
    row(["b", "a", "b"], said("b")),
    row(["tie", "tie", "a"], said("tie")),
    row(["b", "b", "b"], said("a")),
    row(["a", "b", "a"], said(null)),
  ];

  test("counts each annotator's label; voids are in n only; a tie agrees with a tie", () => {
    const found = measureAgreement(rows);
    expect(found).toMatchObject({ n: 5, voids: 1, accuracy: 6 / 12, accuracy_without_ties: 4 / 8, position_bias: 0 });
    const pairs = (["aa", "aa", "ta", "bb", "ab", "bb", "tt", "tt", "at", "ba", "ba", "ba"] as const).map(
      (pair) => [pair[0], pair[1]] as const,
    );
    expect(found.cohen_kappa).toBe(cohenKappa(pairs));
    expect(found.fleiss_kappa).toBe(fleissKappa(rows.map(({ labels }) => labels)));
    expect(found.interval?.[0]).toBeLessThan(0.5);
    expect(Object.keys(found)).toEqual([
      "n",
      "voids",
      "accuracy",
      "accuracy_without_ties",
      "interval",
      "cohen_kappa",
      "fleiss_kappa",
      "position_bias",
    ]);
  });

  test("has nulls, never NaN, where there is nothing to measure", () => {
    const nothing = {
      accuracy: null,
      accuracy_without_ties: null,
      interval: null,
      cohen_kappa: null,
      fleiss_kappa: null,
      position_bias: null,
    };
    expect(measureAgreement([])).toEqual({ n: 0, voids: 0, ...nothing });
    expect(measureAgreement([row(["a"], said(null)), row(["b"], said("a", null))])).toEqual({ n: 2, voids: 2, ...nothing });
    expect(measureAgreement([row(["tie"], said("tie"))])).toMatchObject({ accuracy: 1, accuracy_without_ties: null, cohen_kappa: null });
    expect(measureDecided([row(["tie"], said("a"))])).toBeNull();
  });

  test("of chosen and rejected: kappa does not depend on the chosen one being called a", () => {
    const chosen = [...Array<Verdict>(9).fill("a"), "b" as const].map((verdict) => row(["a"], said(verdict), false));
    // 9 of 10, and chance is a half.
    expect(measureAgreement(chosen)).toMatchObject({ accuracy: 0.9, accuracy_without_ties: 0.9 });
    expect(measureAgreement(chosen).cohen_kappa).toBeCloseTo(0.8, 12);
    const coin = (["a", "b", "a", "b"] as const).map((verdict) => row(["a"], said(verdict), false));
    expect(measureAgreement(coin).cohen_kappa).toBeCloseTo(0, 12);
  });
});

describe("what a judge does by itself", () => {
  test("position bias: always the first is 1, always the second −1, consistent 0", () => {
    const bias = (...comparisons: Comparison[]) => summariseComparisons(comparisons).position_bias;
    expect(bias(said("a", "b"), said("a", "b"))).toBe(1);
    expect(bias(said("b", "a"))).toBe(-1);
    expect(bias(said("a"), said("b"), said("tie"))).toBe(0);
    expect(bias(said("a", "b"), said("a"), said("a"), said("b"))).toBe(0.25);
    expect(bias(said("a", "tie"))).toBe(0.5);
    expect(bias(said(null))).toBeNull();
  });

  test("comparisons in numbers", () => {
    const comparisons = [said("a"), said("b"), said("a", "b"), said("tie"), said(null), said("a", null, { retries: 2 })];
    expect(summariseComparisons(comparisons)).toEqual({
      n: 6,
      a: 1,
      b: 1,
      ties: 2,
      voids: 2,
      inconsistent: 1,
      self_agreement: 0.75,
      position_bias: 0.25,
      retries: 2,
    });
  });

  test("grades in numbers", () => {
    const grade = (...judgements: (number | null)[]): Grade => {
      const given = judgements.filter((score) => score !== null);
      return { score: given.length === 0 ? null : given.reduce((a, b) => a + b, 0) / given.length, judgements, retries: 1 };
    };
    expect(summariseGrades([grade(3, 3.2, 4), grade(1, null, 1), grade(null, null, null)])).toEqual({
      n: 3,
      voids: 1,
      void_judgements: 4,
      mean: expect.closeTo(2.2, 12) as number,
      deviation: expect.closeTo(Math.SQRT2 * 1.2, 12) as number,
      self_agreement: 0.5,
      retries: 3,
    });
    expect(summariseGrades([])).toMatchObject({ n: 0, mean: null, deviation: null, self_agreement: null });
    expect(summariseGrades([grade(2)])).toMatchObject({ deviation: null, self_agreement: null });
  });
});

describe("calibration", () => {
  test("holds confidence against agreement, whichever side is preferred", () => {
    const rows = [
      ...Array.from({ length: 8 }, (_, i) => row([i < 6 ? "a" : "b"], said("a", "a", { preference: 0.75 }))),
      ...Array.from({ length: 10 }, (_, i) => row([i < 5 ? "b" : "a"], said("b", "b", { preference: 0.1 }))),
      row(["tie"], said("a", "a", { preference: 0.99 })),
      row(["a"], said("tie", "tie", { preference: 0.5 })),
    ];
    const found = measureCalibration(rows, { bins: 2 });
    expect(found?.scale).toBe("probability");
    expect(found?.bins.map(({ confidence, accuracy, count }) => [confidence, accuracy, count])).toEqual([
      [expect.closeTo(0.75, 9), 0.75, 8],
      [expect.closeTo(0.9, 9), 0.5, 10],
    ]);
    expect(found?.expectedError).toBeCloseTo((0.4 * 10) / 18, 9);
  });

  test("of grades is over their difference, and equal confidences stay in one bin", () => {
    const rows = Array.from({ length: 30 }, () => row(["a"], said("a", "a", { grades: [4, 3] })));
    expect(measureCalibration(rows)).toMatchObject({
      scale: "margin",
      expectedError: null,
      bins: [{ confidence: 1, accuracy: 1, count: 30 }],
    });
    expect(measureCalibration([row(["a"], said("a"))])).toBeNull();
    expect(measureCalibration([])).toBeNull();
  });

  test("the chart has a point a bin, inside its frame", () => {
    const rows = Array.from({ length: 40 }, (_, i) => row([i % 3 === 0 ? "b" : "a"], said("a", "a", { preference: 0.5 + (i + 1) / 82 })));
    const calibration = measureCalibration(rows);
    if (calibration === null) throw new Error("expected a calibration");
    const svg = renderCalibration(calibration);
    expect(svg.match(/<circle/g)).toHaveLength(10);
    for (const [, x, y] of svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)) {
      expect(Number(x)).toBeGreaterThanOrEqual(62);
      expect(Number(x)).toBeLessThanOrEqual(538);
      expect(Number(y)).toBeGreaterThanOrEqual(22);
      expect(Number(y)).toBeLessThanOrEqual(364);
    }
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe("the report", () => {
  const report = (rows: readonly JudgedComparison[]): AgreementReport => ({
    judge: "model:<x>",
    labels: "labels.jsonl",
    agreement: measureAgreement(rows),
    decided: measureDecided(rows),
    summary: summariseComparisons(rows.map(({ comparison }) => comparison)),
    calibration: measureCalibration(rows),
  });
  const many = (count: number, label: Verdict, comparison: Comparison) => Array.from({ length: count }, () => row([label], comparison));

  test("says in a sentence what the figures mean", () => {
    expect(concludeAgreement(report(many(40, "a", said("a"))))).toBe(
      "Where both decide, the judge agrees with people more often than a coin would.",
    );
    expect(concludeAgreement(report(many(40, "b", said("a"))))).toMatch(/less often than a coin/);
    expect(concludeAgreement(report([...many(5, "b", said("a")), ...many(5, "a", said("a"))]))).toMatch(
      /cannot tell the judge from a coin/,
    );
    expect(concludeAgreement(report(many(4, "a", said(null))))).toMatch(/^There is nothing to measure/);
    expect(concludeAgreement(report(many(4, "a", said("a", "b"))))).toMatch(
      /one of them always says tie\. Beware: it prefers the answer shown first/,
    );
    expect(concludeAgreement(report([...many(40, "a", said("a")), ...many(10, "a", said(null))]))).toMatch(
      /Beware: it said nothing to 10 of 50 rows/,
    );
  });

  test("is one page without anything outside it, and escapes what it is given", () => {
    for (const rows of [
      many(9, "a", said("a", "a", { preference: 0.8 })),
      many(9, "a", said("a", "a", { grades: [3, 1] })),
      many(2, "a", said(null)),
    ]) {
      const page = renderAgreementReport(report(rows));
      expect(page).toContain("model:&lt;x&gt;");
      expect(page).not.toMatch(/NaN|undefined|Infinity|<script|src=|href=/);
      expect(listAgreement(report(rows)).flat()).not.toContain("NaN");
    }
  });
});
