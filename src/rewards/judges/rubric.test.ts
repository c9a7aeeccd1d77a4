import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadRubric, parseRubric } from "./rubric-file.ts";
import { leadWord, nameWinner, parseJsonJudgement, parseJudgement, renderRubric } from "./rubric.ts";

const additive = await loadRubric("additive-v1");
const pairwise = await loadRubric("pairwise-v1");

describe("the shipped rubrics", () => {
  test("additive-v1: 0 to 5, each point asked for, the last line told", () => {
    expect(additive).toMatchObject({ name: "additive-v1", kind: "grade", range: [0, 5], lead: "Score: " });
    expect(additive.answers).toEqual(["0", "1", "2", "3", "4", "5"].map((text, value) => ({ text, value })));
    const text = renderRubric(additive, { prompt: "Why is the sky blue?", answer: "It scatters light." });
    expect(text).toContain("### Request\nWhy is the sky blue?\n\n### Answer\nIt scatters light.\n");
    expect(text.match(/^\d\. /gm)).toHaveLength(5);
    expect(text).toMatch(/Score: <points from 0 to 5>$/);
    expect(text).not.toMatch(/\{\w+\}/);
  });

  test("pairwise-v1: A, B or C", () => {
    expect(pairwise).toMatchObject({ kind: "compare", range: [0, 1], lead: "Better: " });
    const text = renderRubric(pairwise, { prompt: "p", first: "one", second: "two" });
    expect(text).toContain("### Answer A\none\n\n### Answer B\ntwo\n");
    expect(pairwise.answers.map(({ value }) => nameWinner(value))).toEqual(["first", "second", "tie"]);
  });
});

describe("rendering", () => {
  test("puts texts in as they are, dollars, braces and all", () => {
    const answer = "costs $& and $1; {prompt} and {first} stay";
    expect(renderRubric({ ...additive, template: "[{prompt}] [{answer}] [{answer}]" }, { prompt: "P", answer })).toBe(
      `[P] [${answer}] [${answer}]`,
    );
  });

  test("shows a single question by itself and a conversation by its roles", () => {
    const template = { ...additive, template: "{prompt}|{answer}" };
    expect(renderRubric(template, { prompt: [{ role: "user", content: "Hi" }], answer: "x" })).toBe("Hi|x");
    const prompt = [
      { role: "system", content: "Be brief." },
      { role: "user", content: [{ type: "text", text: "Hi" }, { type: "image" }] },
    ];
    expect(renderRubric(template, { prompt, answer: "x" })).toBe("System: Be brief.\n\nUser: Hi|x");
  });
});

describe("reading a judgement", () => {
  test.each<[string, number | null]>([
    ["It is on topic.\nScore: 4", 4],
    ["Score: 3.5", 3.5],
    ["Score: 3,5", 3.5],
    ["**Score:** 4", 4],
    ["**Score: 4**", 4],
    ["Score: <4>", 4],
    ["SCORE = 2", 2],
    ["Total score: 5", 5],
    ["Score: 4/5", 4],
    ["Score: 4 out of 5", 4],
    ["Score: 4.", 4],
    ["Score: 0", 0],
    ["Score:\n3", 3],
    ["First I thought Score: 1.\nBut then\nScore: 4\n", 4],
    ['```json\n{"reason": "good", "score": 3}\n```', 3],
    ["Score: \\boxed{4}", 4],
    ["**Score: $\\boxed{3.5}$**", 3.5],
    ["Score: \\boxed{4/5}", 4],
    ["Score：4", 4],
    ["Score ： **4**", 4],
    ["Score is 4", 4],
    ["The final score is **4**.", 4],
    ["The score is 4/5", 4],
    ["The score is \\boxed{4}.", 4],
    ["Score: 2\nMy score is 4.", 2],
    // None of these is a score of 0 to 5.
    ["Score: \\boxed{4}/10", null],
    ["The score is 4 or 5.", null],
    ["The score is 4 only where it is complete.", null],
    ["The score is 4/10", null],
    ["The score is not 4", null],
    ["Score: 8", null],
    ["Score: -1", null],
    ["Score: 5.1", null],
    ["Score: 45", null],
    ["Score: 4/10", null],
    ["Score: 80 %", null],
    ["Score: 3-4", null],
    ["Score: 3 to 4", null],
    ["Score: <points from 0 to 5>", null],
    ["Score: four", null],
    ["Score:", null],
    ["I give it 4 points.", null],
    ["Underscore: 4", null],
    ["", null],
  ])("%j is %s", (text, score) => expect(parseJudgement(text, additive)).toBe(score));

  test.each<[string, number | null]>([
    ["Better: A", 1],
    ["better: **b**", 0],
    ["Better: C", 0.5],
    ["A is better.\nBetter: B.", 0],
    ["Better: Answer A", null],
    ["Better: Both", null],
    ["Better: <A, B or C>", 1],
    ["A", null],
  ])("pairwise %j is %s", (text, value) => expect(parseJudgement(text, pairwise)).toBe(value));

  test("words of one's own, without a lead: the text's beginning", () => {
    const rubric = {
      ...additive,
      lead: "",
      range: [0, 1] as const,
      answers: [
        { text: " bad", value: 0 },
        { text: " good", value: 1 },
        { text: " good enough", value: 0.5 },
      ],
    };
    expect([" good", " Good!", " good enough", " goodness", "not good", "bad"].map((text) => parseJudgement(text, rubric))).toEqual([
      1,
      1,
      0.5,
      null,
      null,
      0,
    ]);
  });

  test("JSON: the key is the lead's word", () => {
    expect(leadWord(additive)).toBe("score");
    expect(parseJsonJudgement('{"reason": "Score: 1", "score": 4.5}', additive)).toBe(4.5);
    expect(parseJsonJudgement('{"score": "3"}', additive)).toBe(3);
    expect(parseJsonJudgement('{"score": 6}', additive)).toBeNull();
    expect(parseJsonJudgement('{"points": 3}', additive)).toBeNull();
    expect(parseJsonJudgement("4", additive)).toBeNull();
    expect(parseJsonJudgement('{"better": "B"}', pairwise)).toBe(0);
    expect(parseJsonJudgement('{"better": 1}', pairwise)).toBeNull();
  });
});

describe("a rubric's file", () => {
  const head = "---\nname: mine-v2\nkind: grade\nanswers: {' bad': 0, ' good': 1}\n---\n";

  test("of one's own is read; what is not said follows from the answers", () => {
    expect(parseRubric(`${head}\nReview: {answer}\nVerdict:\n\n`, "mine.md")).toEqual({
      name: "mine-v2",
      kind: "grade",
      lead: "",
      range: [0, 1],
      template: "Review: {answer}\nVerdict:",
      answers: [
        { text: " bad", value: 0 },
        { text: " good", value: 1 },
      ],
    });
  });

  test("may have Windows line ends and a byte order mark", () => {
    expect(parseRubric(`\ufeff${head}Review: {answer}\nVerdict:`.replaceAll("\n", "\r\n"), "mine.md").template).toBe(
      "Review: {answer}\nVerdict:",
    );
  });

  test.each<[string, RegExp]>([
    ["no keys here: {answer}", /mine\.md: expected keys between two lines of ---/],
    [`${head}no answer in it`, /mine\.md: the text lacks \{answer\}/],
    [head.replace("grade", "compare") + "{prompt}", /lacks \{first\}; the text lacks \{second\}/],
    [
      `${head.replace("' good': 1", "' good': 7").replace("kind", "range: [0, 1]\nkind")}{answer}`,
      /" good" is worth 7, which is outside \[0, 1\]/,
    ],
    [`${head.replace("kind: grade", "kind: rank\nlaed: x")}{answer}`, /kind: .*; .*laed/s],
    [`${head.replace("{' bad': 0, ' good': 1}", "{a: 1}")}{answer}`, /at least two, got 1/],
    ["---\n: : :\n---\n{answer}", /not YAML|keys:/],
  ])("%j is refused with what is wrong", (text, message) => {
    expect(() => parseRubric(text, "mine.md")).toThrow(message);
  });

  test("is loaded from a path; a missing one names those that are shipped", async () => {
    const folder = mkdtempSync(join(tmpdir(), "spar-rubric-"));
    try {
      writeFileSync(join(folder, "mine.md"), `${head}{answer}`);
      expect((await loadRubric(join(folder, "mine.md"))).name).toBe("mine-v2");
      await expect(loadRubric(join(folder, "other.md"))).rejects.toMatchObject({
        code: "judge/rubric-missing",
        hint: "Give a file, or one of those that are shipped: additive-v1, pairwise-v1.",
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
