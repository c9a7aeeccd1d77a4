import { describe, expect, test } from "vitest";
import { createComparingJudge, createHumanJudge, createJudge, type Judge, type OrderedJudgement } from "../rewards/index.ts";
import { choosePair } from "./choose-pairs.ts";
import { judgeRows, summarizeCompared, type CandidateRow } from "./judge-candidates.ts";

const row = (...texts: string[]): CandidateRow => ({ prompt: "Q", answers: texts.map((text) => ({ text, tokens: 1 })) });
const options = { tieWithin: 0, lengthTier: 0 };
const human = (comparisons: [a: string, b: string, labels: ("a" | "b" | "tie")[]][], grades: [string, number][] = []): Judge =>
  createHumanJudge({
    comparisons: comparisons.map(([a, b, labels]) => ({ prompt: "Q", a, b, labels, columns: {}, hasSides: true })),
    answers: grades.map(([answer, score]) => ({ prompt: "Q", answer, scores: [score] })),
  });

/** Sees the longer as better, or whatever comes first. */
function createStub(judgeOne: (first: string, second: string) => OrderedJudgement["verdict"]): { judge: Judge; asked: string[][] } {
  const asked: string[][] = [];
  const judge = createComparingJudge({
    name: "stub",
    compareOrdered: async (requests) =>
      requests.map(({ first, second }) => {
        asked.push([first, second]);
        return { verdict: judgeOne(first, second), preference: null, retries: 1 };
      }),
  });
  return { judge, asked };
}
const longer = (first: string, second: string): "first" | "second" => (first.length > second.length ? "first" : "second");

describe("people who compared", () => {
  test("two answers: what they said decides, whichever was called a", async () => {
    const judged = await judgeRows(human([["bad", "good", ["b", "b", "a"]]]), [row("good", "bad"), row("other", "unseen")], {
      isLookup: true,
    });
    expect(judged[0].answers.map(({ score }) => score)).toEqual([1, 0]);
    expect(choosePair(judged[0].answers, options)).toMatchObject({ chosen: { text: "good" }, rejected: { text: "bad" } });
    expect(choosePair(judged[1].answers, options)).toBe("void");
  });

  test("a tie teaches nothing; of several answers those that somebody compared are paired", async () => {
    const judge = human([
      ["x", "y", ["tie"]],
      ["p", "s", ["b"]],
    ]);
    const [tie, some] = await judgeRows(judge, [row("x", "y"), row("p", "q", "r", "s", "t", "u", "v", "w")], { isLookup: true });
    expect(choosePair(tie.answers, options)).toBe("tie");
    expect(choosePair(some.answers, options)).toMatchObject({ chosen: { text: "s" }, rejected: { text: "p" } });
    expect(some.answers.filter(({ score }) => score === null)).toHaveLength(6);
  });

  test("grades and comparisons in one file: each prompt by what there is", async () => {
    const judge = human(
      [["x", "y", ["a"]]],
      [
        ["g", 2],
        ["h", 5],
      ],
    );
    const [graded, compared, neither] = await judgeRows(judge, [row("g", "h"), row("x", "y"), row("m", "n")], { isLookup: true });
    expect(graded.answers.map(({ score }) => score)).toEqual([2, 5]);
    expect(graded.comparisons).toBeUndefined();
    expect(compared.answers.map(({ score }) => score)).toEqual([1, 0]);
    expect(neither.answers.map(({ score }) => score)).toEqual([null, null]);
  });
});

describe("a judge that compares", () => {
  test("asks for every pair in both orders, and the one that wins most is best", async () => {
    const { judge, asked } = createStub(longer);
    const seen: number[] = [];
    const [judged] = await judgeRows(judge, [row("22", "333", "1", "")], { onProgress: (done) => seen.push(done) });
    // Three pairs: the empty answer meets nobody.
    expect(asked).toHaveLength(6);
    expect(judged.answers.map(({ score }) => score)).toEqual([0.5, 1, 0, null]);
    expect(judged.answers[1]).toMatchObject({ judgements: [1, 1, 1, 1], retries: 4 });
    expect(choosePair(judged.answers, options)).toMatchObject({ chosen: { text: "333" }, rejected: { text: "1" } });
    expect(summarizeCompared([judged])).toEqual({ mean_score: null, self_agreement: 1 });
    expect(seen.every((done) => done <= 4)).toBe(true);
  });

  test("one that always likes the first has only ties", async () => {
    const { judge } = createStub(() => "first");
    const [judged] = await judgeRows(judge, [row("x", "y")]);
    expect(judged.answers.map(({ score }) => score)).toEqual([0.5, 0.5]);
    expect(judged.comparisons).toEqual([{ a: 0, b: 1, verdict: "tie", orders: ["a", "b"] }]);
    expect(choosePair(judged.answers, options)).toBe("tie");
    expect(summarizeCompared([judged])?.self_agreement).toBe(0);
  });

  test("is not asked about equal texts, and an order without a verdict is void", async () => {
    const { judge, asked } = createStub((first) => (first === "x" ? "first" : null));
    const [same, half] = await judgeRows(judge, [row("x", "x"), row("x", "y")]);
    expect(asked).toEqual([
      ["x", "y"],
      ["y", "x"],
    ]);
    expect(choosePair(same.answers, options)).toBe("tie");
    expect(choosePair(half.answers, options)).toBe("void");
    expect(half.answers[0].judgements).toEqual([1, null]);
  });

  test("of many answers not every pair is asked: three comparisons an answer", async () => {
    const texts = Array.from({ length: 10 }, (_, i) => "x".repeat(i + 1));
    const { judge, asked } = createStub(longer);
    const [judged] = await judgeRows(judge, [row(...texts)]);
    expect(asked).toHaveLength(2 * 30);
    expect(judged.answers.every(({ judgements }) => judgements.length === 12)).toBe(true);
    expect(judged.answers[5].score).toBe(0.5);
  });

  test("rows do not depend on the rows beside them", async () => {
    const rows = [row("1", "22"), row("333", "1", "22"), row("4444", "1")];
    const { judge } = createStub(longer);
    const whole = await judgeRows(judge, rows);
    const one = await Promise.all(rows.map(async (single) => (await judgeRows(judge, [single]))[0]));
    expect(whole).toEqual(one);
  });
});

test("a judge that grades grades", async () => {
  const [judged] = await judgeRows(await createJudge("rule:length"), [row("22", "1")]);
  expect(judged).toEqual({
    prompt: "Q",
    answers: [
      { text: "22", tokens: 1, score: 2, judgements: [2], retries: 0 },
      { text: "1", tokens: 1, score: 1, judgements: [1], retries: 0 },
    ],
  });
});
