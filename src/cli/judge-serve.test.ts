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
const remote = (apiKey: string) =>
  createOpenAIJudge({
    address: `${server.url}/v1`,
    model: "tiny",
    apiKey,
    rubric,
    judgements: 1,
    retries: 1,
    timeout: 30,
    sampling: { temperature: 0, maxNewTokens: 3 },
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

test("a wrong key is refused at once", async () => {
  await expect(remote("sk-other").grade(requests)).rejects.toMatchObject({
    code: "judge/service-failed",
    message: expect.stringContaining("answered 401") as string,
  });
});
