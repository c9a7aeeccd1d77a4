import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ModelDetails, ModelEntry, StreamEvent } from "./protocol.ts";
import { createChatRoutes, type ChatRoutes } from "./routes.ts";
import { createModelPool, type ModelPool } from "../model-pool.ts";
import { respondWithUIError } from "../ui-error.ts";

const fixtures = fileURLToPath(new URL("../../../../test/fixtures/parity/models/", import.meta.url));
const template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
const json = { "content-type": "application/json" };

let root: string;
let pool: ModelPool;
let chat: ChatRoutes;
let app: Hono;
let models: ModelEntry[];

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "spar-chat-"));
  const copy = (model: string, to: string): string => {
    const folder = join(root, to);
    cpSync(join(fixtures, model), folder, { recursive: true });
    return folder;
  };
  const talking = copy("stories260K", "runs/sft");
  writeFileSync(join(talking, "chat_template.jinja"), template);
  writeFileSync(join(talking, "run.json"), JSON.stringify({ id: "1", status: "finished", method: "sft" }));
  copy("stories260K", "runs/sft/checkpoint-40");
  copy("stories260K-score", "runs/reward");
  mkdirSync(join(root, "runs/broken"));
  writeFileSync(join(root, "runs/broken/config.json"), "{");
  writeFileSync(join(root, "runs/broken/model.safetensors"), "");
  symlinkSync(join(root, "runs"), join(root, "runs/sft/loop"));
  utimesSync(join(talking, "model.safetensors"), new Date(), new Date(Date.now() + 60_000));
  const places = { root, runsFolders: [join(root, "runs")], models: ["org/absent"] };
  pool = createModelPool(places, { most: 1 });
  chat = createChatRoutes({ workspace: { root }, pool });
  app = new Hono();
  app.onError((error) => respondWithUIError(error));
  app.route("/", chat.routes);
  models = (await (await app.request("/models")).json()) as ModelEntry[];
});
afterAll(async () => {
  await chat.close();
  await pool.close();
  rmSync(root, { recursive: true });
});

const idOf = (name: string): string => models.find((model) => model.name === name)?.id ?? "";
const post = (path: string, body: unknown, headers: { [name: string]: string } = json): Promise<Response> =>
  Promise.resolve(app.request(path, { method: "POST", headers, body: JSON.stringify(body) }));

async function stream(body: object): Promise<StreamEvent[]> {
  const answer = await post("/stream", { sampling: { maxNewTokens: 8, temperature: 0 }, seed: 1, ...body });
  expect(answer.status).toBe(200);
  return parseEvents(await answer.text());
}
const parseEvents = (text: string): StreamEvent[] =>
  text
    .split("\n\n")
    .filter((line) => line.startsWith("data: {"))
    .map((line) => JSON.parse(line.slice(6)) as StreamEvent);
const say = (content: string, role = "user") => ({ role, content });
const isType =
  <T extends StreamEvent["type"]>(type: T) =>
  (event: StreamEvent): event is Extract<StreamEvent, { type: T }> =>
    event.type === type;

describe("models", () => {
  test("given ones, runs, checkpoints, reward models and the shipped one, without paths; broken ones and links are passed over", () => {
    const listed = models.map(({ name, kind, origin, method, step }) => [name, kind, origin, method, step]);
    expect(listed.slice(0, 2)).toEqual([
      ["org/absent", "language", "given", null, null],
      ["sft", "language", "run", "sft", null],
    ]);
    expect(listed).toContainEqual(["sft/checkpoint-40", "language", "checkpoint", "sft", 40]);
    expect(listed).toContainEqual(["reward", "score", "folder", null, null]);
    expect(listed.slice(4)).toEqual([["tiny-reviews (shipped)", "language", "shipped", null, null]]);
    expect(JSON.stringify(models)).not.toContain(root);
  });

  test("details come from the loaded model", async () => {
    const details = (await (await app.request(`/models/${idOf("sft")}`)).json()) as ModelDetails;
    expect(details).toMatchObject({ name: "sft", hasChatTemplate: true, maxPositions: 512, sampling: { temperature: 1, topK: 0 } });
  });

  test.each([
    ["nobody", 404, "ui/no-model"],
    ["reward", 400, "ui/wrong-model"],
  ])("%s cannot be talked with", async (name, status, code) => {
    const answer = await app.request(`/models/${idOf(name) || "nobody"}`);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ error: { code } });
  });
});

describe("stream", () => {
  test("tokens with text, log-probability and alternatives; their texts are the answer", async () => {
    const events = await stream({ model: idOf("tiny-reviews (shipped)"), messages: [say("the film is")] });
    expect(events.map(({ type }) => type).filter((type) => type !== "piece")).toEqual(["loading", "start", "end"]);
    expect(events.find(isType("start"))).toMatchObject({ mode: "text", leftOut: 0, maxPositions: 256 });
    const pieces = events.filter(isType("piece")).map(({ piece }) => piece);
    const end = events.find(isType("end"));
    expect(pieces.map(({ text }) => text).join("")).toBe(end?.text);
    expect(end).toMatchObject({ finishReason: "length", tokens: 8 });
    for (const { token } of pieces) {
      expect(token?.top).toHaveLength(6);
      // Greedy: what was taken is the likeliest.
      expect(token?.top[0]).toEqual({ text: token?.text, logprob: token?.logprob });
      expect(token?.logprob).toBeLessThanOrEqual(0);
    }
  });

  test("a chat template is used where there is one, and the same seed says the same", async () => {
    const ask = (seed: number) =>
      stream({ model: idOf("sft"), messages: [say("Be kind.", "system"), say("Once")], seed, sampling: { maxNewTokens: 12 } });
    const [first, again, other] = [await ask(5), await ask(5), await ask(6)];
    expect(first.find(isType("start"))?.mode).toBe("chat");
    expect(again.find(isType("end"))?.text).toBe(first.find(isType("end"))?.text);
    expect(other.find(isType("end"))?.text).not.toBe(first.find(isType("end"))?.text);
  });

  test("turns that no longer fit are left out and counted", async () => {
    const long = Array.from({ length: 40 }, () => [
      say("a story about a cat and a dog and a bird"),
      say("once upon a time", "assistant"),
    ]).flat();
    const events = await stream({ model: idOf("sft"), messages: [...long, say("and then?")] });
    const start = events.find(isType("start"));
    expect(start?.leftOut).toBeGreaterThan(5);
    expect(start?.promptTokens).toBeLessThanOrEqual(512 - 8);
  });

  test("what goes wrong is the last event, or an answer before anything is loaded", async () => {
    expect(await stream({ model: idOf("reward"), messages: [say("x")] })).toEqual([
      { type: "loading" },
      { type: "error", code: "ui/wrong-model", message: "reward is a reward model; expected a language model" },
    ]);
    const absent = await stream({ model: "absent", messages: [say("x")] });
    expect(absent).toMatchObject([{ type: "error", code: "ui/no-model" }]);
    const empty = await stream({ model: idOf("tiny-reviews (shipped)"), messages: [say("")] });
    expect(empty.at(-1)?.type).toBe("error");
    for (const [body, message] of [
      [{ model: "x", messages: [], sampling: {}, seed: 0 }, /messages/],
      [{ model: "x", messages: [say("a")], sampling: { temperature: -1, topP: 2 }, seed: 0 }, /temperature.*topP/],
      [{ model: "x", messages: [say("a", "root")], sampling: { fun: 1 }, seed: 0.5 }, /role.*fun.*seed/],
    ] as const) {
      const answer = await post("/stream", body);
      expect(answer.status).toBe(400);
      expect(((await answer.json()) as { error: { message: string } }).error.message).toMatch(message);
    }
    expect((await post("/stream", {}, { "content-type": "text/plain" })).status).toBe(415);
  });

  test("whoever leaves frees the model, and the next is served though only one fits into memory", async () => {
    const request = { model: idOf("tiny-reviews (shipped)"), messages: [say("the film")], sampling: { maxNewTokens: 240 }, seed: 3 };
    const left = await post("/stream", request);
    const reader = left.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    const events = await stream({ model: idOf("sft"), messages: [say("Once")] });
    expect(events.at(-1)?.type).toBe("end");
    const both = await Promise.all(
      ["sft", "tiny-reviews (shipped)", "sft/checkpoint-40"].map((name) => stream({ model: idOf(name), messages: [say("a")] })),
    );
    expect(both.map((some) => some.at(-1)?.type)).toEqual(["end", "end", "end"]);
    const loaded = (await pool.list()).filter(({ isLoaded }) => isLoaded);
    expect(loaded).toHaveLength(1);
  });
});

describe("preferences", () => {
  const uuid = (n: number): string => `00000000-0000-4000-8000-00000000000${n}`;
  const request = () => ({
    id: uuid(1),
    form: "text",
    messages: [say("the film")],
    answers: [
      { model: idOf("sft"), text: " is bad" },
      { model: idOf("tiny-reviews (shipped)"), text: " is a joy" },
    ],
    choice: "right",
    milliseconds: 1200,
  });
  const lines = (file: string): { [key: string]: unknown }[] =>
    readFileSync(join(root, "labels", file), "utf8")
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { [key: string]: unknown });

  test("a label, and a pair beside it; twice is once; swapped sides are the same task", async () => {
    expect(await (await post("/preferences", request())).json()).toEqual({
      saved: uuid(1),
      labels: "labels/chat.jsonl",
      pairs: "labels/chat-pairs.jsonl",
      pairCount: 1,
    });
    expect((await post("/preferences", request())).status).toBe(200);
    expect(lines("chat.jsonl")).toHaveLength(1);
    expect(lines("chat.jsonl")[0]).toMatchObject({ id: uuid(1), annotator: "chat", order: [1, 0], choice: "a", milliseconds: 1200 });
    expect(lines("chat-pairs.jsonl")).toMatchObject([
      { prompt: "the film", chosen: " is a joy", rejected: " is bad", chosen_model: "tiny-reviews (shipped)", rejected_model: "sft" },
    ]);
    const swapped = { ...request(), id: uuid(2), answers: request().answers.toReversed() };
    const refused = await post("/preferences", swapped);
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({ error: { code: "ui/preference-conflict" } });
  });

  test("another choice takes the place of the first; messages make pairs of messages", async () => {
    const tie = { ...request(), id: uuid(3), choice: "tie", revises: uuid(1) };
    expect(await (await post("/preferences", tie)).json()).toMatchObject({ pairCount: 0 });
    expect((await post("/preferences", { ...tie, id: uuid(4) })).status).toBe(409);
    const messages = { ...request(), id: uuid(5), form: "messages", choice: "left" };
    expect(await (await post("/preferences", messages)).json()).toMatchObject({ pairCount: 1 });
    expect(lines("chat-pairs.jsonl")).toMatchObject([
      { prompt: [say("the film")], chosen: [say(" is bad", "assistant")], rejected: [say(" is a joy", "assistant")] },
    ]);
    expect(lines("chat.jsonl")).toHaveLength(3);
  });

  test.each([
    [{ choice: "best" }, 400],
    [{ id: "1" }, 400],
    [{ id: "00000000-0000-4000-8000-000000000009", revises: "00000000-0000-4000-8000-000000000008" }, 409],
    [
      {
        id: "00000000-0000-4000-8000-000000000009",
        answers: [
          { model: "a", text: "x" },
          { model: "b", text: "x" },
        ],
      },
      400,
    ],
  ])("%j is refused", async (changes, status) => {
    const count = lines("chat.jsonl").length;
    expect((await post("/preferences", { ...request(), ...changes })).status).toBe(status);
    expect(lines("chat.jsonl")).toHaveLength(count);
  });

  test("another process that holds the file is told of", async () => {
    const second = createChatRoutes({ workspace: { root }, pool });
    const other = new Hono();
    other.onError((error) => respondWithUIError(error));
    other.route("/", second.routes);
    const answer = await other.request("/preferences", {
      method: "POST",
      headers: json,
      body: JSON.stringify({ ...request(), id: uuid(7) }),
    });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ error: { code: "labeling/locked" } });
    await second.close();
    expect(existsSync(join(root, "labels", "chat.jsonl"))).toBe(true);
  });
});
