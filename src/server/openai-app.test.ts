import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createLiveGenerator, resolveSettings, type LiveGenerator } from "../generation/index.ts";
import { freeModel, loadModel, type LanguageModel } from "../models/index.ts";
import { createCpuBackend, type Backend } from "../runtime/index.ts";
import { createTokenizer, loadTokenizer, type Tokenizer } from "../tokenizer/index.ts";
import { listen, type RunningServer } from "./listen.ts";
import { createOpenAIApp, type AppOptions } from "./openai-app.ts";

const folder = fileURLToPath(new URL("../../test/fixtures/parity/models/stories260K", import.meta.url));
const template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
const json = { host: "127.0.0.1:8000", "content-type": "application/json" };

let backend: Backend;
let model: LanguageModel;
let tokenizer: Tokenizer;
let generator: LiveGenerator;

beforeAll(async () => {
  backend = createCpuBackend();
  model = await loadModel(folder, backend);
  const plain = await loadTokenizer(folder);
  tokenizer = createTokenizer({ ...plain.files, "chat_template.jinja": template });
  generator = createLiveGenerator(model, backend, { tokenizer, maxBatch: 8 });
});
afterAll(async () => {
  await generator.close();
  freeModel(model);
  backend.close();
});

function createApp(options: Partial<AppOptions> = {}) {
  return createOpenAIApp({
    model: {
      id: "org/tiny",
      tokenizer,
      generator,
      settings: resolveSettings({ maxNewTokens: 24, stopIds: tokenizer.eosId === undefined ? [] : [tokenizer.eosId] }),
      maxPositions: model.config.maxPositions,
    },
    hosts: ["127.0.0.1"],
    anyAddress: false,
    apiKeys: [],
    maxWaiting: 64,
    maxBytes: 10_000,
    timeout: 60,
    ...options,
  });
}

type Body = { [key: string]: unknown };
const post = (path: string, body: Body | string, headers: { [name: string]: string } = json, options: Partial<AppOptions> = {}) =>
  Promise.resolve(
    createApp(options).request(path, { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) }),
  );
const chat = (body: Body, options: Partial<AppOptions> = {}) =>
  post("/v1/chat/completions", { messages: [{ role: "user", content: "Once upon a time" }], ...body }, json, options);
const text = (body: Body, options: Partial<AppOptions> = {}) =>
  post("/v1/completions", { prompt: "Once upon a time", ...body }, json, options);

interface Choice {
  index: number;
  text: string;
  message: { role: string; content: string };
  delta: { role?: string; content?: string };
  finish_reason: string | null;
  logprobs: {
    content: { token: string; logprob: number; bytes: number[] | null; top_logprobs: { token: string; logprob: number }[] }[];
    tokens: string[];
    token_logprobs: number[];
    top_logprobs: { [token: string]: number }[];
    text_offset: number[];
  } | null;
}
interface Answered {
  id: string;
  object: string;
  model: string;
  choices: Choice[];
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}
const read = async (response: Response): Promise<Answered> => {
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as Answered;
};
const readError = async (response: Response) => ({
  status: response.status,
  ...((await response.json()) as { error: { message: string; type: string; param: string | null; code: string | null } }).error,
});
const readEvents = async (response: Response): Promise<Answered[]> => {
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  const events = (await response.text()).split("\n\n").filter((event) => event !== "");
  expect(events.pop()).toBe("data: [DONE]");
  return events.map((event) => JSON.parse(event.replace(/^data: /, "")) as Answered);
};

describe("answers", () => {
  test("a chat is what the generator gives for its template's ids, and counts tokens", async () => {
    const answer = await read(await chat({ temperature: 0, max_completion_tokens: 12, model: "org/tiny" }));
    const ids = tokenizer.encodeChat([{ role: "user", content: "Once upon a time" }], { addGenerationPrompt: true });
    const direct = await generator.generate({ promptIds: ids, settings: { temperature: 0, maxNewTokens: 12 } });
    expect(answer.object).toBe("chat.completion");
    expect(answer.model).toBe("org/tiny");
    expect(answer.choices[0].message).toEqual({ role: "assistant", content: direct.text, refusal: null });
    expect(answer.choices[0].finish_reason).toBe("length");
    expect(answer.usage).toEqual({ prompt_tokens: ids.length, completion_tokens: 12, total_tokens: ids.length + 12 });
  });

  test("parts of text are one text, and developer speaks as the system", async () => {
    const said = { temperature: 0, max_tokens: 8 };
    const parts = await read(
      await chat({
        ...said,
        messages: [
          { role: "developer", content: "Be." },
          {
            role: "user",
            content: [
              { type: "text", text: "A" },
              { type: "text", text: "B" },
            ],
          },
        ],
      }),
    );
    const whole = await read(
      await chat({
        ...said,
        messages: [
          { role: "system", content: "Be." },
          { role: "user", content: "AB" },
        ],
      }),
    );
    expect(parts.choices).toEqual(whole.choices);
    expect(parts.usage).toEqual(whole.usage);
  });

  test("a stream holds the same text, piece by piece, and usage where asked for", async () => {
    const asked = { seed: 5, max_tokens: 20, n: 2 };
    const whole = await read(await chat(asked));
    const events = await readEvents(await chat({ ...asked, stream: true, stream_options: { include_usage: true } }));
    for (const { index, message, finish_reason } of whole.choices) {
      const own = events.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
      expect(own[0].delta).toEqual({ role: "assistant", content: "" });
      expect(own.map(({ delta }) => delta.content ?? "").join("")).toBe(message.content);
      expect(own.filter((choice) => choice.finish_reason !== null).map((choice) => choice.finish_reason)).toEqual([finish_reason]);
    }
    expect(new Set(events.map(({ id }) => id)).size).toBe(1);
    expect(events.at(-1)?.usage).toEqual(whole.usage);
    expect(events.filter(({ usage }) => usage !== undefined)).toHaveLength(1);
    expect(whole.choices[0].message.content).not.toBe(whole.choices[1].message.content);
  });

  test("the same seed gives the same answer, whatever else is computed; other seeds and none give others", async () => {
    const alone = await read(await text({ seed: 3, max_tokens: 16 }));
    const [again, other, penalised] = await Promise.all([
      text({ seed: 3, max_tokens: 16 }).then(read),
      text({ seed: 4, max_tokens: 16, temperature: 1.5 }).then(read),
      text({ seed: 3, max_tokens: 16, repetition_penalty: 5 }).then(read),
      text({ seed: 9, max_tokens: 5, top_k: 3, prompt: "The" }).then(read),
    ]);
    expect(again.choices).toEqual(alone.choices);
    expect(other.choices[0].text).not.toBe(alone.choices[0].text);
    expect(penalised.choices[0].text).not.toBe(alone.choices[0].text);
    const [a, b] = await Promise.all([text({ max_tokens: 16 }), text({ max_tokens: 16 })].map(async (one) => read(await one)));
    expect(a.choices[0].text).not.toBe(b.choices[0].text);
  });

  test("several prompts, as texts or ids, have n completions each in their order", async () => {
    const one = await read(await text({ temperature: 0, max_tokens: 6 }));
    const ids = tokenizer.encode("Once upon a time");
    const many = await read(await text({ prompt: [ids, tokenizer.encode("The")], n: 2, temperature: 0, max_tokens: 6 }));
    expect(many.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(many.choices.slice(0, 2).map((choice) => choice.text)).toEqual([one.choices[0].text, one.choices[0].text]);
    expect(many.choices[2].text).not.toBe(one.choices[0].text);
    expect(many.usage.prompt_tokens).toBe(ids.length + tokenizer.encode("The").length);
    expect((await read(await text({ prompt: ids, temperature: 0, max_tokens: 6 }))).choices).toEqual(one.choices);
  });

  test("stop texts end an answer and are not part of it, in a stream neither", async () => {
    const whole = await read(await text({ temperature: 0, max_tokens: 40 }));
    const stop = whole.choices[0].text.slice(10, 14);
    const cut = await read(await text({ temperature: 0, max_tokens: 40, stop }));
    expect(cut.choices[0].finish_reason).toBe("stop");
    expect(cut.choices[0].text).toBe(whole.choices[0].text.slice(0, whole.choices[0].text.indexOf(stop)));
    const events = await readEvents(await text({ temperature: 0, max_tokens: 40, stop: [stop], stream: true }));
    expect(events.flatMap(({ choices }) => choices.map((choice) => choice.text)).join("")).toBe(cut.choices[0].text);
  });

  test("log-probabilities: of each token and the likeliest beside it, in both protocols and in streams", async () => {
    const asked = { temperature: 0, max_tokens: 6 };
    const answer = await read(await chat({ ...asked, logprobs: true, top_logprobs: 3 }));
    const content = answer.choices[0].logprobs?.content ?? [];
    expect(content).toHaveLength(6);
    expect(
      content
        .map(({ token }) => token)
        .join("")
        .trim(),
    ).toBe(answer.choices[0].message.content.trim());
    for (const { token, logprob, bytes, top_logprobs: top } of content) {
      expect(top).toHaveLength(3);
      // Greedy: the drawn token is the likeliest.
      expect(top[0]).toMatchObject({ token, logprob });
      expect(top[1].logprob).toBeLessThanOrEqual(logprob);
      expect(bytes).toEqual([...Buffer.from(token)]);
      expect(top.reduce((sum, one) => sum + Math.exp(one.logprob), 0)).toBeLessThanOrEqual(1 + 1e-6);
    }
    const events = await readEvents(await chat({ ...asked, logprobs: true, top_logprobs: 3, stream: true }));
    expect(events.flatMap(({ choices }) => choices.flatMap((choice) => choice.logprobs?.content ?? []))).toEqual(content);
    const legacy = (await read(await text({ ...asked, logprobs: 2 }))).choices[0];
    expect(legacy.logprobs?.tokens).toHaveLength(6);
    expect(legacy.logprobs?.text_offset[0]).toBe(0);
    expect(Object.keys(legacy.logprobs?.top_logprobs[0] ?? {})).toHaveLength(2);
    expect((await read(await chat({ ...asked }))).choices[0].logprobs).toBeNull();
  });

  test("models and health", async () => {
    const app = createApp({ apiKeys: ["k"] });
    const get = (path: string, headers = {}) => app.request(path, { headers: { host: "localhost", ...headers } });
    expect(await (await get("/health")).json()).toEqual({ status: "ok", active: 0, waiting: 0 });
    const authorization = "Bearer k";
    const list = (await (await get("/v1/models", { authorization })).json()) as { data: { id: string; object: string }[] };
    expect(list.data).toHaveLength(1);
    expect(list.data[0]).toMatchObject({ id: "org/tiny", object: "model", max_model_len: model.config.maxPositions });
    expect(await (await get("/v1/models/org/tiny", { authorization })).json()).toEqual(list.data[0]);
    expect((await get("/v1/models/other", { authorization })).status).toBe(404);
  });
});

describe("refused requests", () => {
  test.each([
    ["JSON that is none", "{", undefined, /not valid JSON/],
    ["no messages", {}, "messages", /messages/],
    ["a wrong type", { messages: [{ role: "user", content: "a" }], temperature: "hot" }, "temperature", /temperature: .*number/],
    ["an unknown key", { messages: [{ role: "user", content: "a" }], temprature: 1 }, "temprature", /temprature: no such key/],
    [
      "a JSON schema",
      { messages: [{ role: "user", content: "a" }], response_format: { type: "json_schema", json_schema: {} } },
      "response_format",
      /not supported/,
    ],
    ["tools", { messages: [{ role: "user", content: "a" }], tools: [{ type: "function" }] }, "tools", /tools is not supported/],
    ["images", { messages: [{ role: "user", content: [{ type: "image_url" }] }] }, "messages[0].content", /images/],
    [
      "a frequency penalty",
      { messages: [{ role: "user", content: "a" }], frequency_penalty: 0.5 },
      "frequency_penalty",
      /repetition_penalty is/,
    ],
    ["alternatives without logprobs", { messages: [{ role: "user", content: "a" }], top_logprobs: 2 }, "top_logprobs", /logprobs: true/],
    ["a prompt beyond the model", { messages: [{ role: "user", content: "long ".repeat(1500) }] }, null, /positions/],
  ])("%s", async (_, body, param, message) => {
    const error = await readError(await post("/v1/chat/completions", body as Body | string));
    expect(error).toMatchObject({ status: 400, type: "invalid_request_error", ...(param === undefined ? {} : { param }) });
    expect(error.message).toMatch(message);
  });

  test("all problems are named at once", async () => {
    const { message } = await readError(await text({ temperature: -1, n: 0, echo: true }));
    expect(message).toMatch(/temperature/);
    expect(message).toMatch(/n: /);
    expect(message).toMatch(/echo is not supported/);
  });

  test("another model, another path, a chat with a model that has no template", async () => {
    expect(await readError(await text({ model: "gpt-4" }))).toMatchObject({ status: 404, code: "model_not_found", param: "model" });
    expect(await readError(await post("/v1/embeddings", {}))).toMatchObject({ status: 404, code: "not_found" });
    const plain = await loadTokenizer(folder);
    const served = { id: "plain", tokenizer: plain, generator, settings: resolveSettings({}), maxPositions: 512 };
    expect(await readError(await chat({}, { model: served }))).toMatchObject({ status: 400, code: "no_chat_template" });
  });

  test("more than may wait", async () => {
    const app = createApp({ maxWaiting: 4 });
    const ask = (n: number) =>
      app.request("/v1/completions", { method: "POST", headers: json, body: JSON.stringify({ prompt: "A", n, max_tokens: 30 }) });
    const first = ask(12);
    await vi.waitFor(() => expect(generator.load().waiting).toBeGreaterThan(0));
    const refused = await ask(2);
    expect(refused.headers.get("retry-after")).toBe("2");
    expect(await readError(refused)).toMatchObject({ status: 429, code: "queue_full", type: "rate_limit_error" });
    expect((await read(await first)).choices).toHaveLength(12);
    expect((await ask(2)).status).toBe(200);
  });

  test("an answer that takes too long, and one in a stream", async () => {
    expect(await readError(await text({ max_tokens: 400, n: 8 }, { timeout: 0.02 }))).toMatchObject({ status: 504, code: "timeout" });
    const stream = await text({ max_tokens: 400, n: 8, stream: true }, { timeout: 0.02 });
    expect(await stream.text()).toMatch(/"code":"timeout"/);
    await vi.waitFor(() => expect(generator.load()).toEqual({ active: 0, waiting: 0 }));
  });
});

describe("against a hostile network", () => {
  const good = { prompt: "A", max_tokens: 1 };
  test.each([
    ["a foreign name that resolves here (DNS rebinding)", { host: "evil.example:8000" }, 403, "host_not_allowed"],
    ["a foreign name with ours in it", { host: "127.0.0.1.evil.example" }, 403, "host_not_allowed"],
    ["userinfo in the host", { host: "127.0.0.1@evil.example" }, 403, "host_not_allowed"],
    ["another address of this machine", { host: "192.168.1.5" }, 403, "host_not_allowed"],
    ["no host", { host: "" }, 403, "host_not_allowed"],
    ["a page of another site", { origin: "https://evil.example" }, 403, "origin_not_allowed"],
    ["a page of another port", { origin: "http://127.0.0.1:3000" }, 403, "origin_not_allowed"],
    ["a sandboxed page", { origin: "null" }, 403, "origin_not_allowed"],
    ["a page that hides its origin", { "sec-fetch-site": "cross-site" }, 403, "origin_not_allowed"],
    ["a form's content type", { "content-type": "text/plain" }, 415, "unsupported_media_type"],
    ["no key", {}, 401, "invalid_api_key"],
    ["a wrong key", { authorization: "Bearer wrong" }, 401, "invalid_api_key"],
    ["the key in another scheme", { authorization: "Basic right" }, 401, "invalid_api_key"],
  ] as [string, { [name: string]: string }, number, string][])("%s is refused", async (_, headers, status, code) => {
    const withKey: { [name: string]: string } = status === 401 ? {} : { authorization: "Bearer right" };
    const response = await post("/v1/completions", good, { ...json, ...withKey, ...headers }, { apiKeys: ["other", "right"] });
    expect(await readError(response)).toMatchObject({ status, code });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("a preflight is refused without any permission in its headers", async () => {
    const response = await createApp().request("/v1/completions", {
      method: "OPTIONS",
      headers: { host: "127.0.0.1:8000", origin: "https://evil.example", "access-control-request-method": "POST" },
    });
    expect(response.status).toBe(403);
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  test("the server's own page, its names and its key are welcome", async () => {
    const options = { apiKeys: ["right"], hosts: ["box.lan"] };
    for (const host of ["127.0.0.1:8000", "LOCALHOST:8000", "[::1]:8000", "box.lan"]) {
      const headers = { ...json, host, origin: `http://${host}`, authorization: "bearer right" };
      expect((await post("/v1/completions", good, headers, options)).status).toBe(200);
    }
    const elsewhere = { ...json, host: "192.168.1.5:8000", authorization: "Bearer right" };
    expect((await post("/v1/completions", good, elsewhere, { ...options, anyAddress: true })).status).toBe(200);
  });

  test("a request that is too large is refused, by its own account and by count", async () => {
    const large = { prompt: "x".repeat(20_000) };
    expect(await readError(await post("/v1/completions", large))).toMatchObject({ status: 413, code: "request_too_large" });
    const chunks = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(4000).fill(32));
      },
    });
    const endless = new Request("http://localhost/v1/completions", {
      method: "POST",
      headers: json,
      body: chunks,
      duplex: "half",
    } as RequestInit);
    expect((await createApp().request(endless)).status).toBe(413);
  });

  test("what nobody foresaw is told to the log and not to the client", async () => {
    const seen: unknown[] = [];
    const broken = { ...generator, generate: () => Promise.reject(new Error("secret /etc/path")) };
    const served = { id: "m", tokenizer, generator: broken, settings: resolveSettings({}), maxPositions: 512 };
    const error = await readError(await text({ n: 2 }, { model: served, onError: (e) => seen.push(e) }));
    expect(error).toMatchObject({ status: 500, type: "server_error", code: "internal_error" });
    expect(error.message).not.toMatch(/secret/);
    expect(seen).toHaveLength(1);
  });
});

describe("on a real socket", () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await listen(createApp(), { host: "127.0.0.1", port: 0, idleTimeout: 30 });
  });
  afterAll(() => server.close());
  const send = (body: Body, signal?: AbortSignal) =>
    fetch(`${server.url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
  const idle = { active: 0, waiting: 0 };

  test("many clients at once are answered in one batch", async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_, i) =>
        read(await send({ prompt: "Once", seed: i, max_tokens: 8 + i, temperature: 0.5 + i / 10 })),
      ),
    );
    expect(answers.map(({ usage }) => usage.completion_tokens)).toEqual(Array.from({ length: 12 }, (_, i) => 8 + i));
    expect(generator.load()).toEqual(idle);
  });

  test("a client that leaves, streaming or waiting, frees its rows", async () => {
    const leaving = new AbortController();
    const response = await send({ prompt: "Once upon", max_tokens: 450, n: 4, stream: true }, leaving.signal);
    const reader = response.body!.getReader();
    await reader.read();
    expect(generator.load().active).toBe(4);
    leaving.abort();
    await vi.waitFor(() => expect(generator.load()).toEqual(idle), 1000);
    const impatient = new AbortController();
    const waiting = send({ prompt: "Once upon", max_tokens: 450, n: 4 }, impatient.signal).catch((error: Error) => error.name);
    await vi.waitFor(() => expect(generator.load().active).toBe(4));
    impatient.abort();
    expect(await waiting).toBe("AbortError");
    await vi.waitFor(() => expect(generator.load()).toEqual(idle), 1000);
  });

  test("a port that is taken", async () => {
    await expect(listen(createApp(), { host: "127.0.0.1", port: server.port, idleTimeout: 1 })).rejects.toMatchObject({
      code: "server/address",
      message: `listening on 127.0.0.1:${server.port}: another program listens there`,
    });
    // There is no advice for a name that does not exist, and no empty line in its place.
    const nowhere = listen(createApp(), { host: "nowhere.invalid", port: 0, idleTimeout: 1 });
    await expect(nowhere).rejects.toMatchObject({ code: "server/address", hint: undefined });
  });
});
