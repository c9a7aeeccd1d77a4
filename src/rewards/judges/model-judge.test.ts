import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { createScorer } from "../../generation/index.ts";
import { freeModel, initializeModel, loadModel } from "../../models/index.ts";
import { createCpuBackend } from "../../runtime/index.ts";
import { createTokenizer, loadTokenizer } from "../../tokenizer/index.ts";
import { createModelJudge } from "./model-judge.ts";
import { createAnswerEncoder } from "./judge-prompt.ts";
import { loadRubric } from "./rubric-file.ts";
import type { Rubric } from "./rubric.ts";

const folder = fileURLToPath(new URL("../../../models/tiny-reviews", import.meta.url));
const backend = createCpuBackend();
const model = await loadModel(folder, backend);
const tokenizer = await loadTokenizer(folder);
afterAll(() => {
  freeModel(model);
  backend.close();
});

/** As a small model is taught to judge: its own words, two tokens. */
const reviews: Rubric = {
  name: "reviews-v1",
  kind: "grade",
  range: [0, 1],
  template: "Review: {answer}\nVerdict:",
  lead: "",
  answers: [
    { text: " bad", value: 0 },
    { text: " good", value: 1 },
  ],
};
const duel: Rubric = {
  name: "duel-v1",
  kind: "compare",
  range: [0, 1],
  template: "{prompt} One: {first} Two: {second}\nThe better one is number",
  lead: "",
  answers: [
    { text: " one", value: 1 },
    { text: " two", value: 0 },
  ],
};
const answers = [
  "a wonderful film, warm and funny.",
  "a dull film.",
  "It is a mess from the first scene to the last, and the actors know it.",
];

describe("expected scores", () => {
  const judge = createModelJudge({ model, tokenizer, backend, rubric: reviews, mode: "expected", batchSize: 2 });
  afterAll(() => judge.release?.());

  test("are the mean of the values under the answers' probabilities, softmax over these tokens only", async () => {
    const grades = await judge.grade(answers.map((answer) => ({ prompt: "", answer })));
    const scorer = createScorer(model, backend);
    for (const [i, answer] of answers.entries()) {
      const rows = [" bad", " good"].map((word) => tokenizer.encode(`Review: ${answer}\nVerdict:${word}`));
      const [bad, good] = (await scorer.logprobs(rows.map((ids) => ({ ids, from: ids.length - 1 })))).map(({ logprobs }) =>
        Math.exp(logprobs[0]),
      );
      expect(grades[i].score).toBeCloseTo(good / (bad + good), 5);
      expect(grades[i].mass).toBeCloseTo(bad + good, 5);
      expect(grades[i].judgements).toEqual([grades[i].score]);
      expect(grades[i].retries).toBe(0);
    }
    scorer.release();
  });

  test("do not depend on what else is in the batch", async () => {
    const together = await judge.grade(answers.map((answer) => ({ prompt: "", answer })));
    for (const [i, answer] of answers.entries()) {
      const [alone] = await judge.grade([{ prompt: "", answer }]);
      expect(Math.abs((alone.score ?? NaN) - (together[i].score ?? NaN))).toBeLessThan(1e-5);
    }
  });

  test("make comparisons: the higher grade wins, in both orders alike", async () => {
    const [better, same] = await judge.compare([
      { prompt: "", a: answers[0], b: answers[1] },
      { prompt: "", a: answers[1], b: answers[1] },
    ]);
    const [a, b] = better.grades as [number, number];
    expect(better.verdict).toBe(a > b ? "a" : "b");
    expect(better.orders).toEqual([better.verdict, better.verdict]);
    expect(same.verdict).toBe("tie");
  });

  test("an answer that does not fit is void and says why; the others are graded", async () => {
    const seen: number[] = [];
    const grades = await judge.grade(
      [
        { prompt: "", answer: "long ".repeat(model.config.maxPositions) },
        { prompt: "", answer: "short." },
      ],
      { onProgress: (done) => seen.push(done) },
    );
    expect(grades[0].score).toBeNull();
    expect(grades[0].judgements).toEqual([null]);
    expect(grades[0].problem).toMatch(/^the question has \d+ tokens, the model has \d+ positions for it$/);
    expect(grades[1].score).toBeGreaterThan(0);
    expect(seen).toEqual([1]);
  });

  test("no requests give no grades, and an aborted call throws", async () => {
    expect(await judge.grade([])).toEqual([]);
    await expect(judge.grade([{ prompt: "", answer: "x" }], { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    // The next call is not hindered by it.
    expect(await judge.grade([{ prompt: "", answer: "x" }])).toHaveLength(1);
  });

  test("a comparing rubric is asked in both orders", async () => {
    const pairwise = createModelJudge({ model, tokenizer, backend, rubric: duel, mode: "expected" });
    expect(pairwise.kind).toBe("comparisons");
    const [forward, backward] = await pairwise.compare([
      { prompt: "Which?", a: answers[0], b: answers[1] },
      { prompt: "Which?", a: answers[1], b: answers[0] },
    ]);
    // Swapping a and b swaps everything, whatever the model prefers.
    const swap = { a: "b", b: "a", tie: "tie" } as const;
    expect(backward.orders.map((verdict) => verdict && swap[verdict])).toEqual(forward.orders.toReversed());
    expect(backward.preference).toBeCloseTo(1 - (forward.preference ?? NaN), 5);
    await expect(pairwise.grade([{ prompt: "", answer: "x" }])).rejects.toMatchObject({ code: "judge/cannot-grade" });
    pairwise.release?.();
  });
});

describe("answer tokens", () => {
  test("are found whatever the tokenizer does with the space before them", () => {
    const { ids, tokens } = createAnswerEncoder(reviews, tokenizer)({ prompt: "", answer: "fine." });
    expect(tokens.map((id) => tokenizer.decode([id]))).toEqual([" bad", " good"]);
    expect(tokenizer.decode(ids)).toBe("Review: fine.\nVerdict:");
  });

  test("an answer of several tokens is an error that shows them", () => {
    const rubric: Rubric = { ...reviews, answers: [{ text: " unwatchable nonsense", value: 0 }, reviews.answers[1]] };
    expect(() => createAnswerEncoder(rubric, tokenizer)({ prompt: "", answer: "fine." })).toThrow(
      /expected each answer to be one token .* after "Verdict:|expected each answer to be one token/,
    );
    try {
      createAnswerEncoder(rubric, tokenizer)({ prompt: "", answer: "fine." });
    } catch (error) {
      expect(error).toMatchObject({ code: "judge/answer-tokens" });
      expect((error as Error).message).toMatch(/" unwatchable nonsense" is ("[^"]+" ){1,}"[^"]+"; " good" is "[^"]+"$/);
    }
  });

  test("a chat template's turn comes before the lead, and no special tokens are added to it", async () => {
    const chatty = createTokenizer({
      ...tokenizer.files,
      "chat_template.jinja":
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
    });
    const { ids } = createAnswerEncoder({ ...reviews, lead: "Verdict:" }, chatty)({ prompt: "", answer: "fine." });
    expect(chatty.decode(ids)).toBe("<user>Review: fine.\nVerdict:\n<assistant>Verdict:");
    const plain = createAnswerEncoder({ ...reviews, chat: false }, chatty)({ prompt: "", answer: "fine." });
    expect(chatty.decode(plain.ids)).toBe("Review: fine.\nVerdict:");
  });
});

describe("sampled judgements", () => {
  test("a model that gives no score is void after one retry each, all counted", async () => {
    const judge = createModelJudge({
      model,
      tokenizer,
      backend,
      rubric: { ...reviews, lead: "Score: ", template: "{answer}" },
      judgements: 2,
      sampling: { maxNewTokens: 4 },
    });
    const seen: number[] = [];
    const [grade] = await judge.grade([{ prompt: "", answer: "fine." }], { onProgress: (done) => seen.push(done) });
    expect(grade).toMatchObject({ score: null, judgements: [null, null], retries: 2 });
    expect(grade.texts).toHaveLength(2);
    expect(Math.max(...seen)).toBe(1);
    judge.release?.();
  });

  test("the second try is another draw; the same call gives the same grades", async () => {
    // Every letter counts as a grade, so that some draws are void and some are not.
    const rubric: Rubric = {
      ...reviews,
      template: "{answer}",
      answers: [
        { text: "the", value: 0 },
        { text: "a", value: 1 },
        { text: "it", value: 0.5 },
      ],
    };
    const make = () =>
      createModelJudge({
        model,
        tokenizer,
        backend,
        rubric,
        judgements: 8,
        sampling: { maxNewTokens: 2, temperature: 1, topP: 1, seed: 5 },
      });
    const [one, two] = [make(), make()];
    const requests = ["This is", "I liked", "What"].map((answer) => ({ prompt: "", answer }));
    const grades = await one.grade(requests);
    expect(await two.grade(requests)).toEqual(grades);
    expect(await one.grade(requests)).toEqual(grades);
    const judgements = grades.flatMap((grade) => grade.judgements);
    expect(judgements).toHaveLength(24);
    expect(judgements.some((score) => score === null)).toBe(true);
    expect(judgements.some((score) => score !== null)).toBe(true);
    for (const { score, judgements } of grades) {
      const given = judgements.filter((value) => value !== null);
      if (given.length > 0) expect(score).toBeCloseTo(given.reduce((sum, value) => sum + value, 0) / given.length, 12);
    }
    expect(grades.reduce((sum, { retries }) => sum + retries, 0)).toBeGreaterThanOrEqual(
      judgements.filter((score) => score === null).length,
    );
    one.release?.();
    two.release?.();
  });

  test("calls at the same time take turns", async () => {
    const judge = createModelJudge({ model, tokenizer, backend, rubric: reviews, judgements: 1, sampling: { maxNewTokens: 1 } });
    const both = await Promise.all([judge.grade([{ prompt: "", answer: "x" }]), judge.grade([{ prompt: "", answer: "y" }])]);
    expect(both.map((grades) => grades.length)).toEqual([1, 1]);
    judge.release?.();
  });
});

test("what cannot judge is refused at once", async () => {
  const scored = initializeModel({ ...model.config.raw }, backend, { head: "score", seed: 1 });
  const rubric = await loadRubric("additive-v1");
  expect(() => createModelJudge({ model: scored, tokenizer, backend, rubric })).toThrow(
    /expected a language model, got a model with a score head/,
  );
  expect(() => createModelJudge({ model, tokenizer, backend, rubric, judgements: 0 })).toThrow(/whole number from 1, got 0/);
  freeModel(scored);
});
