import { describe, expect, test } from "vitest";
import type { Grade } from "../rewards/index.ts";
import { extractAnswer, isRight, measureArithmetic, parseArithmeticQuestion, promptArithmetic } from "./gsm8k.ts";
import { conversationUntil, parseBenchQuestion, summariseBench, temperatureOf, transcribe } from "./mt-bench.ts";

describe("GSM8K", () => {
  test.each([
    ["so she has 5 + 7 = 12 apples.\n#### 12", 12],
    ["#### 3\nNo: #### 1,234.50", 1234.5],
    ["#### $18\nand 99 more words", 18],
    ["#### unknown, perhaps 7", 7],
    ["### 4 of them, then 40%", 40],
    ["it costs $1,000,000.", 1000000],
    ["x = -3", -3],
    ["5-3", 3],
    ["the answer is 2.", 2],
    ["1,23", 23],
    ["0.5 of H2O and x3", 0.5],
    ["none", undefined],
    ["", undefined],
  ])("the answer of %j is %j", (text, number) => {
    expect(extractAnswer(text)).toBe(number);
  });

  test("rows as the data set writes them", () => {
    const question = parseArithmeticQuestion({ question: "How many?", answer: "2*3=<<2*3=6>>6\n#### 6" });
    expect(question).toEqual({ question: "How many?", solution: "2*3=6\n#### 6", answer: 6 });
    expect(parseArithmeticQuestion({ question: "How many?", answer: 6 }).answer).toBe(6);
    expect(() => parseArithmeticQuestion({ question: "", answer: "#### 1" })).toThrow(/question: expected a text/);
    expect(() => parseArithmeticQuestion({ question: "a", answer: "none" })).toThrow(/expected a number/);
    expect(() => parseArithmeticQuestion({ question: "a" })).toThrow(/answer: expected/);
  });

  test("prompts: a conversation with solved examples, or one text that stops before the next question", () => {
    const [example, asked] = [1, 2].map((n) => ({ question: `Q${n}`, solution: `s${n} #### ${n}`, answer: n }));
    const chat = promptArithmetic(asked, [example], true);
    expect((chat.prompt as { role: string }[]).map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(promptArithmetic(asked, [example], false)).toEqual({
      prompt: "Question: Q1\nAnswer: s1 #### 1\n\nQuestion: Q2\nAnswer:",
      stopTexts: ["\nQuestion:"],
    });
  });

  test("accuracy, its interval, and what has no number", () => {
    const questions = [7, 10, 30].map((answer) => ({ question: "q", solution: "", answer }));
    const result = measureArithmetic(questions, ["#### 7", "eleven", "29 or 30.0"]);
    expect(result).toMatchObject({ n: 3, correct: 2, unanswered: 1 });
    expect(result.accuracy).toBeCloseTo(2 / 3, 12);
    expect(result.interval[0]).toBeLessThan(0.3);
    expect(isRight("#### 1e3", { question: "", solution: "", answer: 1000 })).toBe(false);
  });
});

describe("MT-bench", () => {
  const question = parseBenchQuestion({ question_id: 81, category: "math", turns: ["one?", "two?"], reference: ["x", "y"] });
  const grade = (score: number | null): Grade => ({ score, judgements: [score], retries: 0 });

  test("questions, temperatures by category, and refused rows", () => {
    expect(question).toEqual({ id: "81", category: "math", turns: ["one?", "two?"] });
    expect(temperatureOf(question)).toBe(0);
    expect(temperatureOf({ ...question, category: "writing" })).toBe(0.7);
    expect(temperatureOf({ ...question, category: "other" })).toBe(0.7);
    expect(() => parseBenchQuestion({ question_id: 1, turns: [] })).toThrow(/turns: expected/);
    expect(() => parseBenchQuestion({ turns: ["a", 3] })).toThrow(/turns: expected/);
  });

  test("each turn is judged with what was said before", () => {
    expect(conversationUntil(question, ["A1"], 0)).toEqual([{ role: "user", content: "one?" }]);
    expect(conversationUntil(question, ["A1", "A2"], 1)).toEqual([
      { role: "user", content: "one?" },
      { role: "assistant", content: "A1" },
      { role: "user", content: "two?" },
    ]);
    expect(transcribe(question, ["A1", "A2"], 0)).toBe("A1");
    expect(transcribe(question, ["A1", "A2"], 1)).toBe("A1\n\n[User]\ntwo?\n\n[Assistant]\nA2");
  });

  test("means by turn and category; voids are left out and counted", () => {
    const other = { ...question, category: "writing" };
    const scores = summariseBench(
      [question, other],
      [
        [grade(8), grade(4)],
        [grade(6), grade(null)],
      ],
    );
    expect(scores).toMatchObject({ questions: 2, mean: 6, turns: [7, 4], categories: { math: 6, writing: 6 }, voids: 1 });
    expect(summariseBench([question], [[grade(null), grade(null)]])).toMatchObject({ mean: null, interval: null, voids: 2 });
  });
});
