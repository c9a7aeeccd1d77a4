import { describe, expect, test } from "vitest";
import { createTokenizer, loadTokenizer } from "../tokenizer/index.ts";
import { loadRubric, renderRubric, type Rubric } from "../rewards/index.ts";
import { createAnswerEncoder } from "../rewards/judges/judge-prompt.ts";
import { createTokeniseContext, tokeniseText } from "../data/index.ts";
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

  test("what cannot be used is named by its row", async () => {
    const build = (row: object) => () => buildJudgingExamples([{ answer: "x", label: true }, { ...row }], verdict, plain);
    expect(build({ answer: "x", score: 7 })).toThrow("judging example 2: score: expected a number from 0 to 1, got 7");
    expect(build({ answer: "x", label: "good" })).toThrow("label: expected true or false");
    expect(build({ score: 1 })).toThrow("expected an answer");
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
