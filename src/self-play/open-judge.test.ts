/** Judges of a self-rewarding run: who is asked, with which key, what it costs, and what is wrong with them before anything is made. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { createCpuBackend } from "../runtime/index.ts";
import type { MetricsRow, RunEvent } from "../tracking/index.ts";
import { selfRewardingConfigSchema, type SelfRewardingConfig, type TrainingContext } from "../trainers/configs.ts";
import { configureOutside, nameJudge } from "./open-judge.ts";
import { trainSelfRewarding } from "./self-rewarding.ts";

const folder = mkdtempSync(join(tmpdir(), "spar-open-judge-"));
const backend = createCpuBackend();
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
  backend.close();
  rmSync(folder, { recursive: true });
});

const model = fileURLToPath(new URL("../../models/tiny-reviews", import.meta.url));
const put = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const prompts = put(
  "prompts.jsonl",
  Array.from({ length: 8 }, (_, i) => `${JSON.stringify({ prompt: `the film number ${i} is` })}\n`).join(""),
);
const verdict = put(
  "verdict.md",
  `---\nname: tiny\nkind: grade\nrange: [0, 1]\nanswers: { " bad": 0, " good": 1 }\n---\n{prompt}{answer}\nVerdict:\n`,
);

interface Asked {
  readonly key: string | undefined;
  readonly text: string;
}

/** Grades by length of what it is shown, or says `words`. */
async function serve(words?: string): Promise<{ judge: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece: Buffer) => (body += piece.toString()));
    request.on("end", () => {
      const { messages } = JSON.parse(body) as { messages: { content: string }[] };
      asked.push({ key: request.headers.authorization, text: messages[0].content });
      const content = words ?? `Score: ${messages[0].content.length % 6}`;
      response.end(JSON.stringify({ choices: [{ message: { content } }], usage: { prompt_tokens: 100, completion_tokens: 5 } }));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { judge: `openai:http://127.0.0.1:${(server.address() as AddressInfo).port}/v1#stub`, asked };
}

function createContext(more: Partial<TrainingContext> = {}): TrainingContext & { rows: MetricsRow[]; events: RunEvent[] } {
  const rows: MetricsRow[] = [];
  const events: RunEvent[] = [];
  const tracker = {
    metrics: (row: MetricsRow) => void rows.push(row),
    samples() {},
    event: (event: RunEvent) => void events.push(event),
    progress() {},
    async close() {},
  };
  return { rows, events, backend, resume: false, signal: new AbortController().signal, tracker, ...more };
}

/** Runs up to a stage: what comes after it costs time and says nothing here. */
async function stopAt(
  config: SelfRewardingConfig,
  stage: string,
  more: Partial<TrainingContext> = {},
): Promise<ReturnType<typeof createContext>> {
  const controller = new AbortController();
  const context = createContext({ signal: controller.signal, ...more });
  const event = context.tracker.event.bind(context.tracker);
  context.tracker.event = (told) => {
    event(told);
    if (told.code === "stage/started" && told.message === stage) controller.abort();
  };
  await expect(trainSelfRewarding(config, context)).rejects.toMatchObject({ code: "run/interrupted" });
  return context;
}

const configure = (name: string, more: object): SelfRewardingConfig =>
  selfRewardingConfigSchema.parse({
    model_name_or_path: model,
    dataset_name: prompts,
    num_eval_prompts: 3,
    num_iterations: 1,
    num_candidates: 2,
    num_judgements: 1,
    max_length: 48,
    max_new_tokens: 6,
    temperature: 1,
    top_p: 1,
    per_device_train_batch_size: 8,
    gradient_checkpointing: false,
    seed: 7,
    output_dir: join(folder, name),
    ...more,
  });

describe("endpoints in the loop", () => {
  test("each has its own key and rubric, answers are kept for the next run, and the metrics say what was used up", async () => {
    const [inner, outer] = [await serve(), await serve()];
    const keys = {
      judge: inner.judge,
      judge_api_key_file: put("key", "sk-inner\n"),
      judge_cache: join(folder, "shared"),
      judge_price_in: 2,
      judge_price_out: 10,
      outside_judge: outer.judge,
      outside_judge_rubric: put(
        "outside.md",
        "---\nname: o\nkind: grade\nlead: 'Score: '\nanswers: {'0': 0, '5': 5}\n---\nOUTSIDE {prompt} {answer}",
      ),
    };
    const context = createContext({ judgeApiKey: "sk-environment" });
    await trainSelfRewarding(configure("endpoints", keys), context);
    expect(new Set(inner.asked.map(({ key }) => key))).toEqual(new Set(["Bearer sk-inner"]));
    expect(new Set(outer.asked.map(({ key }) => key))).toEqual(new Set([undefined]));
    expect(outer.asked.every(({ text }) => text.startsWith("OUTSIDE "))).toBe(true);
    const [first, second] = context.rows;
    expect(first["judge/requests"]).toBeUndefined();
    const { length } = inner.asked;
    expect(second).toMatchObject({
      "judge/requests": length,
      "judge/prompt_tokens": 100 * length,
      "judge/completion_tokens": 5 * length,
      "outside/voids": 0,
    });
    expect(second["judge/cost"]).toBeCloseTo((100 * length * 2 + 5 * length * 10) / 1e6, 12);
    expect(first["outside/requests"] + second["outside/requests"]).toBe(outer.asked.length);
    expect(context.events.filter(({ code }) => code === "self-play/judge-usage")).toHaveLength(3);

    const again = configure("endpoints-again", keys);
    await stopAt(again, "M2/pairs");
    expect(inner.asked).toHaveLength(length);
    const { judge } = JSON.parse(readFileSync(join(again.output_dir, "M2", "judge-usage.json"), "utf8")) as { judge: { cached: number } };
    expect(judge).toMatchObject({ requests: 0, cost: 0 });
    expect(judge.cached).toBeGreaterThanOrEqual(length);
  });

  test("a self-judge by expected scores may be watched by an endpoint that samples; what that does not grade is told", async () => {
    const outer = await serve("I would rather not say.");
    const config = configure("voids", {
      judge_rubric: verdict,
      judge_mode: "expected",
      outside_judge: outer.judge,
      outside_judge_rubric: "additive-v1",
      stop_without_gain: true,
    });
    const context = await stopAt(config, "M2/candidates", { judgeApiKey: "sk-environment" });
    // No other endpoint was named, so the key is for this one.
    expect(outer.asked[0].key).toBe("Bearer sk-environment");
    expect(context.rows.map((row) => row["outside/voids"])).toEqual([1]);
    expect(context.events.filter(({ code }) => code === "self-play/outside-voids")).toHaveLength(2);
    expect(existsSync(join(config.output_dir, "judge-cache"))).toBe(true);
    expect(JSON.parse(readFileSync(join(config.output_dir, "M1", "judge-usage.json"), "utf8"))).toMatchObject({ outside: { cost: null } });
  });
});

test("the outside judge has its own keys, or sensible ones", () => {
  const outside = (more: object): unknown => {
    const { judge_mode, judge_rubric } = configureOutside(configure("x", { judge_rubric: verdict, judge_mode: "expected", ...more })) ?? {};
    return [judge_mode, judge_rubric];
  };
  expect(outside({ outside_judge: "openai:http://x#m" })).toEqual(["sample", verdict]);
  expect(outside({ outside_judge: "model:x" })).toEqual(["expected", verdict]);
  expect(outside({ outside_judge: "model:x", outside_judge_mode: "sample", outside_judge_rubric: "additive-v1" })).toEqual([
    "sample",
    "additive-v1",
  ]);
  expect(configureOutside(configure("x", {}))).toBeUndefined();
});

test("self, frozen and start are the models of the iteration, of M1 and of M0", () => {
  const folders = { current: "runs/M3", first: "runs/M1", start: "models/base" };
  const name = (judge: string): string | undefined => nameJudge(configure("x", { judge }), folders);
  expect(["self", "frozen", "start", "rule:length"].map(name)).toEqual([
    "model:runs/M3",
    "model:runs/M1",
    "model:models/base",
    "rule:length",
  ]);
});

describe("what is wrong with a judge comes at once", () => {
  test.each<[object, string, RegExp]>([
    [{ judge_rubric: "nope.md" }, "judge/rubric-missing", /nope\.md/],
    [{ judge: "rule:nope" }, "rewards/unknown-rule", /rule:nope/],
    [{ reward_funcs: ["rule:nope"] }, "rewards/unknown-rule", /rule:nope/],
    [{ judge: "model:./no/folder" }, "hub/no-such-folder", /no\/folder/],
    [{ judge: "openai:http://x#m", judge_api_key_file: "no-key" }, "recipe/invalid", /judge_api_key_file: no-key cannot be read/],
    [{ judge: "openai:ftp://x#m" }, "judge/invalid-address", /ftp:/],
    [{ outside_judge: "rule:nope" }, "rewards/unknown-rule", /rule:nope/],
    [{ outside_judge: "openai:http://x#m", outside_judge_rubric: "nope.md" }, "judge/rubric-missing", /nope\.md/],
    [
      { outside_judge: "openai:http://x#m", outside_judge_rubric: "pairwise-v1", stop_without_gain: true },
      "recipe/invalid",
      /stop_without_gain: expected an outside judge that grades/,
    ],
  ])("%o", async (keys, code, message) => {
    const context = createContext();
    const config = configure("refused", keys);
    await expect(trainSelfRewarding(config, context)).rejects.toMatchObject({
      code: expect.stringContaining(code) as string,
      message: expect.stringMatching(message) as string,
    });
    expect(existsSync(config.output_dir)).toBe(false);
  });

  test.each<[object, RegExp]>([
    [{ judge: "openai:http://x" }, /judge/],
    [{ judge: "openai:http://x#m", judge_mode: "expected" }, /expected sample with an openai: judge/],
    [{ reward_funcs: ["rule:length"], reward_weights: [1, 2] }, /expected a weight for each reward \(1\), found 2/],
    [{ reward_weights: [1] }, /expected a weight for each reward \(0\), found 1/],
    [{ outside_judge: "nobody" }, /outside_judge/],
    [{ outside_judge: "openai:http://x#m", outside_judge_mode: "expected" }, /outside_judge_mode/],
    [{ judge_api_key_file: "key", outside_judge: "openai:http://x#m" }, /outside_judge_api_key_file/],
    [{ outside_judge_api_key_file: "key", outside_judge: "rule:length" }, /outside_judge_api_key_file/],
  ])("as an error of the recipe: %o", (keys, message) => {
    expect(() => configure("refused", keys)).toThrow(message);
  });
});
