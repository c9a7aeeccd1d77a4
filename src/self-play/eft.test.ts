import { describe, expect, test } from "vitest";
import { createTokenizer, loadTokenizer } from "../tokenizer/index.ts";
import { loadRubric, renderRubric, type Rubric } from "../rewards/index.ts";
import { createAnswerEncoder } from "../rewards/judges/judge-prompt.ts";
import { createTokeniseContext, tokeniseText, type Row } from "../data/index.ts";
import { fileURLToPath } from "node:url";
import { buildJudgingExamples } from "./eft.ts";

const verdict: Rubric = {
  name: "verdict",
  kind: "grade",
  range: [0, 1],
  template: "{prompt}{answer}\nVerdict:",
  lead: "",
  answers: [
    { text: " bad", value: 0 },
    { text: " good", value: 1 },
  ],
};
const plain = { isChat: false };

describe("buildJudgingExamples", () => {
  test("labels, scores and preferences become judgements in the rubric's words", () => {
    expect(
      buildJudgingExamples(
        [
          { answer: "fine", label: true },
          { text: "dull", label: false },
        ],
        verdict,
        plain,
      ),
    ).toEqual([
      { prompt: "fine\nVerdict:", completion: " good" },
      { prompt: "dull\nVerdict:", completion: " bad" },
    ]);
    expect(buildJudgingExamples([{ prompt: "the ", chosen: "best", rejected: "worst" }], verdict, plain)).toEqual([
      { prompt: "the best\nVerdict:", completion: " good" },
      { prompt: "the worst\nVerdict:", completion: " bad" },
    ]);
    expect(buildJudgingExamples([{ prompt: "as it is", completion: " stays" }], verdict, plain)).toEqual([
      { prompt: "as it is", completion: " stays" },
    ]);
  });

  test("the shipped rubric: the nearest of its scores, reasons before it, as messages for chat models", async () => {
    const rubric = await loadRubric("additive-v1");
    const [example] = buildJudgingExamples([{ prompt: "Q?", answer: "A.", score: 3.6, reason: "Mostly there." }], rubric, { isChat: true });
    expect(example.completion).toEqual([{ role: "assistant", content: "Mostly there.\nScore: 4" }]);
    expect(example.prompt).toEqual([{ role: "user", content: renderRubric(rubric, { prompt: "Q?", answer: "A." }) }]);
    const comparing = await loadRubric("pairwise-v1");
    const both = buildJudgingExamples([{ prompt: "Q?", chosen: "right", rejected: "wrong" }], comparing, { isChat: true });
    expect(both).toHaveLength(2);
    expect(new Set(both.map(({ completion }) => JSON.stringify(completion))).size).toBe(2);
  });

  const grade: Rubric = { ...verdict, template: "{prompt} -> {answer}\nVerdict:" };
  const turn = (role: string, content: string) => ({ role, content });
  const [asked, good, poor] = [turn("user", "Q?"), turn("assistant", "GOOD"), turn("assistant", "POOR")];
  const both = [
    { prompt: "Q? -> GOOD\nVerdict:", completion: " good" },
    { prompt: "Q? -> POOR\nVerdict:", completion: " bad" },
  ];

  test.each<[layout: string, row: Row]>([
    ["conversations without a prompt", { chosen: [asked, good], rejected: [asked, poor] }],
    [
      "UltraFeedback's",
      { prompt: "Q?", prompt_id: "1", chosen: [asked, good], rejected: [asked, poor], score_chosen: 8, score_rejected: 2 },
    ],
    ["a prompt of messages, repeated", { prompt: [asked], chosen: [asked, good], rejected: [asked, poor] }],
    ["messages throughout", { prompt: [asked], chosen: [good], rejected: [poor] }],
    ["a text and messages", { prompt: "Q?", chosen: [good], rejected: [poor] }],
    ["messages and texts", { prompt: [asked], chosen: "GOOD", rejected: "POOR" }],
    [
      "ShareGPT's",
      { conversations: [{ from: "human", value: "Q?" }], chosen: { from: "gpt", value: "GOOD" }, rejected: { from: "gpt", value: "POOR" } },
    ],
    ["Alpaca's", { instruction: "Q?", chosen: "GOOD", rejected: "POOR" }],
    ["sides with labels", { prompt: "Q?", a: "POOR", b: "GOOD", labels: ["b", "tie", "b"] }],
    ["sides with one label", { prompt: "Q?", a: "GOOD", b: "POOR", label: "a" }],
  ])("preferences in the layout of %s", (_, row) => {
    expect(buildJudgingExamples([row], grade, plain)).toEqual(both);
  });

  test("turns before the last are what was asked", () => {
    const earlier = [turn("system", "Be brief."), asked, turn("assistant", "What?"), turn("user", "Again: Q?")];
    const pairs = [
      { chosen: [...earlier, good], rejected: [...earlier, poor] },
      { prompt: [asked], chosen: [...earlier, good], rejected: [...earlier, poor] },
      { prompt: earlier, chosen: [good], rejected: [poor] },
    ];
    const whole = "System: Be brief.\n\nUser: Q?\n\nAssistant: What?\n\nUser: Again: Q?";
    for (const pair of pairs)
      expect(buildJudgingExamples([pair], grade, plain).map(({ prompt }) => prompt)).toEqual([
        `${whole} -> GOOD\nVerdict:`,
        `${whole} -> POOR\nVerdict:`,
      ]);
    for (const row of [
      { messages: [asked, good], label: true },
      { completion: [asked, good], label: 1 },
      { prompt: "Q?", completion: [asked, good], score: 1 },
      { prompt: [asked], completion: [good], scores: [1, 0.5] },
      { prompt: "Q?", answer: "GOOD", label: 1, score: null },
    ])
      expect(buildJudgingExamples([row], grade, plain)).toEqual([both[0]]);
    expect(buildJudgingExamples([{ prompt: "Q?", completion: "POOR", label: 0 }], grade, plain)).toEqual([both[1]]);
    expect(buildJudgingExamples([{ prompt: "Q?", completion: "POOR", scores: [0, 1, 0] }], grade, plain)).toEqual([both[1]]);
    // A conversation without a judgement is an example already.
    expect(buildJudgingExamples([{ messages: [asked, good] }], grade, { isChat: true })).toEqual([{ prompt: [asked], completion: [good] }]);
  });

  test("labels of spar label: revised ones and ties do not count, and what people said of a task belongs together", async () => {
    const label = (id: string, choice: string, more: object = {}): Row => ({
      id,
      task: "1",
      annotator: id,
      prompt: "Q?",
      candidates: [{ text: "POOR" }, { text: "GOOD" }],
      choice,
      order: [0, 1],
      milliseconds: 1,
      guidelines_version: 1,
      given: "2026-01-01T00:00:00Z",
      ...more,
    });
    const labels = [label("x", "a"), label("y", "b"), label("z", "b", { annotator: "x", revises: "x" })];
    expect(buildJudgingExamples(labels, grade, plain)).toEqual(both);
    expect(() => buildJudgingExamples([label("x", "tie")], grade, plain)).toThrow("none of 1 rows says which answer is the better one");
    expect(() => buildJudgingExamples([{ ...label("x", "c") }], grade, plain)).toThrow("judging example 1: expected choice");
    const comparing = await loadRubric("pairwise-v1");
    expect(buildJudgingExamples([label("x", "tie")], comparing, plain).map(({ completion }) => completion)).toEqual([
      "Better: C",
      "Better: C",
    ]);
  });

  test("what cannot be used is named by its row", async () => {
    const build = (row: object) => () => buildJudgingExamples([{ answer: "x", label: true }, { ...row }], verdict, plain);
    expect(build({ answer: "x", score: 7 })).toThrow("judging example 2: score: expected a number from 0 to 1, got 7");
    expect(build({ answer: "x", label: "good" })).toThrow("label: expected true or false");
    expect(build({ score: 1 })).toThrow("expected an answer");
    expect(build({ answer: "x", scores: [] })).toThrow("judging example 2: scores: expected numbers from 0 to 1");
    expect(build({ answer: "x", scores: [1, "1"] })).toThrow('scores: expected a number from 0 to 1, got "1"');
    expect(build({ prompt: "Q?", a: "x", b: "y" })).toThrow("judging example 2: labels: expected");
    expect(build({ messages: [good, asked], label: 1 })).toThrow("ends with the assistant's answer");
    expect(build({ thing: 1 })).toThrow("found the columns thing");
    const comparing = await loadRubric("pairwise-v1");
    expect(() => buildJudgingExamples([{ answer: "x", score: 1 }], comparing, plain)).toThrow("compares two");
  });

  test("are learnt in the very tokens that the judge is asked in, with and without a chat template", async () => {
    const bare = await loadTokenizer(fileURLToPath(new URL("../../models/tiny-reviews", import.meta.url)));
    const chatty = createTokenizer({
      ...bare.files,
      "chat_template.jinja":
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
    });
    for (const tokenizer of [bare, chatty]) {
      const [example] = buildJudgingExamples(
        [{ prompt: "the film", answer: " is fine .", label: true }],
        { ...verdict, chat: false },
        { isChat: tokenizer.hasChatTemplate },
      );
      const learnt = tokeniseText({ kind: "prompt-completion", ...example }, createTokeniseContext(tokenizer));
      const { ids, tokens } = createAnswerEncoder({ ...verdict, chat: false }, tokenizer)({ prompt: "the film", answer: " is fine ." });
      const from = learnt.completionMask.indexOf(1);
      expect(learnt.inputIds.slice(0, from)).toEqual(ids);
      expect(learnt.inputIds[from]).toBe(tokens[1]);
    }
  });
});
