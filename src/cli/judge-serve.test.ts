/** Judging through `spar serve`'s protocol: the same model, asked over HTTP and in memory. */
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { createLiveGenerator, resolveSettings } from "../generation/index.ts";
import { freeModel, loadModel } from "../models/index.ts";
import { createModelJudge, createOpenAIJudge, type Rubric } from "../rewards/index.ts";
import { createCpuBackend } from "../runtime/index.ts";
import { createOpenAIApp, listen } from "../server/index.ts";
import { createTokenizer, loadTokenizer } from "../tokenizer/index.ts";

const folder = fileURLToPath(new URL("../../models/tiny-reviews", import.meta.url));
const backend = createCpuBackend();
const model = await loadModel(folder, backend);
const { files } = await loadTokenizer(folder);
// The tiny model has no chat template: this one shows the text as it is.
const tokenizer = createTokenizer({ ...files, "chat_template.jinja": "{% for m in messages %}{{ m.content }}{% endfor %}" });
const generator = createLiveGenerator(model, backend, { tokenizer, maxBatch: 4 });
const app = createOpenAIApp({
  model: { id: "tiny", tokenizer, generator, settings: resolveSettings({}), maxPositions: model.config.maxPositions },
  hosts: ["127.0.0.1"],
  anyAddress: false,
  apiKeys: ["sk-judge"],
  maxWaiting: 64,
  maxBytes: 1e6,
  timeout: 60,
});
const server = await listen(app, { host: "127.0.0.1", port: 0, idleTimeout: 60 });
afterAll(async () => {
  await server.close();
  await generator.close();
  freeModel(model);
  backend.close();
});

const rubric: Rubric = {
  name: "first-word",
  kind: "grade",
  range: [0, 1],
  template: "{prompt}{answer} It is",
  lead: "",
  answers: [
    { text: "a", value: 1 },
    { text: "not", value: 0 },
    { text: "the", value: 0.5 },
  ],
};
const requests = ["I loved it.", "A mess.", "The cast is fine, the story is not.", "Boring!"].map((answer) => ({ prompt: "", answer }));
const remote = (apiKey: string, changes: Partial<Parameters<typeof createOpenAIJudge>[0]> = {}) =>
  createOpenAIJudge({
    address: `${server.url}/v1`,
    model: "tiny",
    apiKey,
    rubric,
    judgements: 1,
    retries: 1,
    timeout: 30,
    sampling: { temperature: 0, maxNewTokens: 3 },
    ...changes,
  });

test("spar serve judges as the model in memory does", async () => {
  const served = remote("sk-judge");
  const local = createModelJudge({ model, tokenizer, backend, rubric, judgements: 1, sampling: { temperature: 0, maxNewTokens: 3 } });
  const [over, here] = [await served.grade(requests), await local.grade(requests)];
  const certain = here.flatMap(({ retries }, i) => (retries === 0 ? [i] : []));
  // A void judgement of a greedy judge is sampled at the second try, here and there with other numbers.
  expect(certain.length).toBeGreaterThan(0);
  expect(certain.map((i) => over[i])).toEqual(certain.map((i) => here[i]));
  const used = served.usage?.();
  // The server does not write JSON of a schema: it said so once, and was asked for text.
  expect(used?.repeated).toBeGreaterThanOrEqual(1);
  expect(used?.promptTokens).toBeGreaterThan(20);
  expect(used?.completionTokens).toBeGreaterThanOrEqual(4);
  local.release?.();
});

const firstWord: Rubric = {
  name: "first-word-of-two",
  kind: "compare",
  range: [0, 1],
  template: "{prompt}{first} {second} It is",
  lead: "",
  answers: [
    { text: "a", value: 1 },
    { text: "the", value: 0 },
  ],
};
const pairs = [
  ["I loved it.", "A mess."],
  ["A mess.", "wonderful"],
  ["wonderful", "a"],
].map(([a, b]) => ({ prompt: "", a, b }));

test("pairs are asked in both orders: a win in both counts, one in the first place only is a tie", async () => {
  const served = remote("sk-judge", { rubric: firstWord });
  const local = createModelJudge({
    model,
    tokenizer,
    backend,
    rubric: firstWord,
    judgements: 1,
    sampling: { temperature: 0, maxNewTokens: 3 },
  });
  const over = await served.compare(pairs);
  expect(over).toEqual(await local.compare(pairs));
  expect(over.map(({ verdict, orders, retries }) => [verdict, ...orders, retries])).toEqual([
    ["tie", "a", "b", 0],
    ["b", "b", "b", 0],
    ["a", "a", "a", 0],
  ]);
  const used = served.usage?.();
  expect((used?.requests ?? 0) - (used?.repeated ?? 0)).toBe(2 * pairs.length);
  local.release?.();
});

test("a judge that never says one of the answers is asked twice, in both orders, and is void", async () => {
  const strange = {
    ...firstWord,
    answers: [
      { text: "zebra", value: 1 },
      { text: "xylophone", value: 0 },
    ],
  };
  const served = remote("sk-judge", { rubric: strange });
  for (const { verdict, orders, retries } of await served.compare(pairs.slice(1)))
    expect([verdict, orders, retries]).toEqual([null, [null, null], 2]);
  const used = served.usage?.();
  expect((used?.requests ?? 0) - (used?.repeated ?? 0)).toBe(2 * 2 * 2);
});

test("a second try may bring what the first lacked; what stays void leaves the others", async () => {
  const served = remote("sk-judge", { judgements: 8, sampling: { temperature: 1, maxNewTokens: 2, seed: 1 } });
  const grades = await served.grade(requests);
  const given = grades.flatMap(({ judgements }) => judgements.filter((value) => value !== null));
  const retries = grades.reduce((sum, grade) => sum + grade.retries, 0);
  expect(grades.map(({ judgements }) => judgements.length)).toEqual([8, 8, 8, 8]);
  expect(retries).toBeGreaterThan(0);
  // Some of those asked twice have a score.
  expect(given.length).toBeGreaterThan(32 - retries);
  expect(given.length).toBeLessThan(32);
  for (const { score, judgements } of grades) {
    const own = judgements.filter((value) => value !== null);
    if (own.length === 0) expect(score).toBeNull();
    else expect(score).toBeCloseTo(own.reduce((sum, value) => sum + value, 0) / own.length, 9);
  }
});

test("a wrong key is refused at once", async () => {
  await expect(remote("sk-other").grade(requests)).rejects.toMatchObject({
    code: "judge/service-failed",
    message: expect.stringContaining("answered 401") as string,
  });
});
