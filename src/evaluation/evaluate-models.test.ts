import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveSettings } from "../generation/index.ts";
import { createJudge, createRewardJudge, createRuleReward } from "../rewards/index.ts";
import { createCpuBackend, type Backend } from "../runtime/index.ts";
import { evaluateModels } from "./evaluate-models.ts";
import type { EvaluationOptions } from "./evaluation-options.ts";
import { renderEvaluationMarkdown, renderEvaluationPage } from "./evaluation-page.ts";
import { concludeEvaluation, listEvaluation } from "./evaluation-report.ts";
import type { WriterSource } from "./writer.ts";

const tiny = fileURLToPath(new URL("../../test/fixtures/parity/models/stories260K", import.meta.url));
const scorer = fileURLToPath(new URL("../../test/fixtures/parity/models/stories260K-score", import.meta.url));
let folder: string;
let backend: Backend;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-eval-"));
  cpSync(tiny, join(folder, "chat"), { recursive: true });
  writeFileSync(
    join(folder, "chat", "chat_template.jinja"),
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}",
  );
  backend = createCpuBackend();
});
afterAll(() => {
  backend.close();
  rmSync(folder, { recursive: true, force: true });
});

const source = (path: string, settings: Parameters<typeof resolveSettings>[0] = {}): WriterSource => ({
  name: path,
  folder: path,
  settingsOf: async (_, tokenizer) =>
    resolveSettings({ maxNewTokens: 24, stopIds: tokenizer.eosId === undefined ? [] : [tokenizer.eosId], ...settings }),
});
const rows = ["Once upon a time", "The dog", "Lily went to", "One day a <b>", "He was", "In the"].map((prompt) => ({
  prompt,
  columns: {},
}));
const evaluate = (options: Partial<EvaluationOptions> & Pick<EvaluationOptions, "model">) =>
  evaluateModels({ prompts: { file: "p.jsonl", rows }, asked: {}, batchSize: 8, backend, folder, version: "1", ...options });
const lengthJudge = { name: "rule:length", open: () => createJudge("rule:length") };

describe("evaluation", () => {
  test("a model against itself: only ties, KL 0, the same figures on both sides", async () => {
    const { report, rows: answers } = await evaluate({
      model: source(tiny),
      against: source(tiny),
      reference: source(tiny),
      judge: lengthJudge,
    });
    expect(report).toMatchObject({ n: 6, voids: 0, win: 0, tie: 6, lose: 0, win_rate: 0.5, interval: [0.5, 0.5] });
    expect(report.sides.model).toEqual(report.sides.against);
    expect(report.sides.model.kl).toBeCloseTo(0, 4);
    expect(report.sides.model.perplexity).toBeGreaterThan(1);
    expect(answers.every(({ model, against, verdict }) => model === against && verdict === "tie")).toBe(true);
    expect(report.prompts).toMatchObject({ file: "p.jsonl", n: 6 });
  });

  test("the longer answers win by length, which length control takes away", async () => {
    const { report } = await evaluate({
      model: source(tiny, { maxNewTokens: 30 }),
      against: source(tiny, { maxNewTokens: 10 }),
      judge: lengthJudge,
    });
    expect(report).toMatchObject({ win: 6, lose: 0, win_rate: 1 });
    expect(report.sides.model.mean_length).toBe(30);
    expect(report.sides.against?.mean_length).toBe(10);
    expect(report.sides.model.cut).toBe(1);
    expect(concludeEvaluation(report).headline).toMatch(/is preferred: it wins 100\.0 %/);
  });

  test("rewards: a rule and a model of the same vocabulary, on both sides", async () => {
    const { report, rewards } = await evaluate({
      model: source(tiny),
      against: source(tiny, { seed: 5 }),
      rewards: ["rule:length", scorer],
    });
    const { model, against } = report.sides;
    expect(Object.keys(model.rewards ?? {})).toEqual(["length", "stories260K-score"]);
    expect(model.mean_reward).toBeCloseTo(
      Object.values(model.rewards ?? {}).reduce((sum, { mean }) => sum + mean, 0),
      6,
    );
    expect(against?.rewards?.["stories260K-score"].mean).not.toBe(model.rewards?.["stories260K-score"].mean);
    expect(rewards.map((list) => list.length)).toEqual([6, 6]);
    expect(report.win_rate).toBeUndefined();
  });

  test("KL is left out where the answers were not drawn from the model itself", async () => {
    const { report } = await evaluate({ model: source(tiny, { temperature: 0 }), reference: source(tiny) });
    expect(report.sides.model.kl).toBeNull();
    expect(report.sides.model.perplexity).toBeLessThan(3);
    expect(listEvaluation(report).find(({ name }) => name === "KL")?.model).toBe("–");
  });

  test("GSM8K and texts need no chat template", async () => {
    const [example, ...questions] = [1, 2, 3].map((n) => ({ question: `How many is ${n}?`, solution: `#### ${n}`, answer: n }));
    const { report, gsm8k } = await evaluate({
      model: source(tiny),
      prompts: undefined,
      gsm8k: { file: "g.jsonl", questions, examples: [example] },
      texts: { file: "t.jsonl", texts: ["Once upon a time there was a cat.", "The dog ran."] },
    });
    expect(gsm8k.map(({ question, answer }) => [question, answer])).toEqual(questions.map(({ question, answer }) => [question, answer]));
    expect(gsm8k.every(({ extracted, answer, right }) => right === (extracted === answer))).toBe(true);
    expect(report.sides.model.gsm8k).toMatchObject({ n: 2, correct: expect.any(Number) as number });
    expect(report.sides.model.text_perplexity).toBeGreaterThan(1);
    expect(report.sides.model.answers).toBeUndefined();
    const page = renderEvaluationPage(report, []);
    expect(page).toContain("<b>GSM8K.</b> Greedy");
    expect(page).not.toMatch(/both models|Temperature 1/);
  });

  test("MT-bench: graded turn by turn, or compared; it needs a chat template", async () => {
    const questions = [
      { id: "1", category: "writing", turns: ["Tell a story.", "Another."] },
      { id: "2", category: "math", turns: ["Count."] },
    ];
    const mtBench = { file: "m.jsonl", questions };
    const chat = source(join(folder, "chat"));
    const graded = await evaluate({ model: chat, prompts: undefined, mtBench, judge: lengthJudge, asked: { maxNewTokens: 12 } });
    expect(graded.report.sides.model.mt_bench).toMatchObject({ questions: 2, voids: 0 });
    expect(graded.report.sides.model.mt_bench?.turns).toHaveLength(2);
    expect(graded.mtBench.map(({ turns }) => turns.map(({ user }) => user))).toEqual([["Tell a story.", "Another."], ["Count."]]);
    expect(renderEvaluationPage(graded.report, [])).toContain("<b>MT-bench.</b> Temperatures by category");
    expect(renderEvaluationPage(graded.report, [])).not.toMatch(/both orders|both models/);
    const silent = { ...graded.report.sides.model, mt_bench: { ...graded.report.sides.model.mt_bench!, mean: 0 } };
    expect(renderEvaluationPage({ ...graded.report, sides: { model: silent } }, [])).toContain("mean grade</");
    // Each turn with its grade: rule:length's is the number of characters.
    for (const { assistant, score } of graded.mtBench.flatMap(({ turns }) => turns)) expect(score).toBe([...assistant].length);
    const grading = createRewardJudge(await createRuleReward("length"));
    const comparing = { name: "pair", open: () => Promise.resolve({ ...grading, kind: "comparisons" as const }) };
    const compared = await evaluate({
      model: chat,
      against: chat,
      prompts: undefined,
      mtBench,
      judge: comparing,
      asked: { maxNewTokens: 12 },
    });
    expect(compared.mtBench.flatMap(({ turns }) => turns.map(({ verdict }) => verdict))).toEqual(new Array(6).fill("tie"));
    expect(compared.report.mt_bench_turns).toEqual([
      { win: 0, tie: 2, lose: 0 },
      { win: 0, tie: 1, lose: 0 },
    ]);
    await expect(evaluate({ model: chat, prompts: undefined, mtBench, judge: comparing })).rejects.toMatchObject({
      code: "judge/cannot-grade",
    });
    await expect(evaluate({ model: source(tiny), prompts: undefined, mtBench, judge: lengthJudge })).rejects.toMatchObject({
      code: "evaluation/no-chat-template",
    });
  });

  test("all prompts that a model cannot take are named, and nothing asked for is an error", async () => {
    const long = "word ".repeat(2000);
    const broken = [{ prompt: long, columns: {} }, rows[0], { prompt: long, columns: {} }];
    const error: unknown = await evaluate({ model: source(tiny), prompts: { file: "p", rows: broken } }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "data/bad-rows" });
    expect((error as Error).message).toMatch(/2 of 3 prompts\n {2}prompt 1: .*positions\n {2}prompt 3: /);
    await expect(evaluate({ model: source(tiny), prompts: undefined })).rejects.toMatchObject({ code: "evaluation/nothing" });
  });

  test("answers are handed over before they are judged; rewards that are not there end it before they are written", async () => {
    const order: string[] = [];
    const judge = {
      name: "broken",
      open: async () => {
        order.push("judge");
        return { ...(await createJudge("rule:length")), grade: () => Promise.reject(new Error("down")) };
      },
    };
    const onWritten = ({ rows: given }: { readonly rows: readonly object[] }): void => void order.push(`${given.length} answers`);
    await expect(evaluate({ model: source(tiny), judge, onWritten })).rejects.toThrow("down");
    expect(order).toEqual(["6 answers", "judge"]);
    await expect(evaluate({ model: source(tiny), rewards: ["rule:nope"], onWritten })).rejects.toMatchObject({
      code: "rewards/unknown-rule",
    });
    expect(order).toHaveLength(2);
  });

  test("a signal ends it", async () => {
    const stopping = new AbortController();
    const running = evaluate({ model: source(tiny, { maxNewTokens: 200 }), signal: stopping.signal, onProgress: () => stopping.abort() });
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
  });

  test("what a model writes is text on the page", async () => {
    const { report, rewards } = await evaluate({
      model: source(tiny),
      against: source(tiny, { seed: 2 }),
      judge: lengthJudge,
      rewards: ["rule:length"],
    });
    const hostile = {
      ...report,
      samples: [
        {
          prompt: "<script>alert(1)</script>",
          model: '"><img onerror=x>',
          against: "a | b\n<i>",
          verdict: "win" as const,
          rewards: [1, -2],
        },
      ],
    };
    const page = renderEvaluationPage(hostile, rewards);
    expect(page).not.toMatch(/<script|<img/);
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(page).toContain("reward −2.00");
    expect(page.match(/class="mark (up|down)"/g)).toHaveLength(2);
    const markdown = renderEvaluationMarkdown(hostile);
    expect(markdown).toContain("a \\| b &lt;i>");
  });
});
