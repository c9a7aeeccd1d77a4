import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { createOpenAIClient, type OpenAIClientOptions } from "./openai-client.ts";
import { createOpenAIJudge, type OpenAIJudgeOptions } from "./judges/openai-judge.ts";
import { loadRubric } from "./judges/rubric-file.ts";

type Asked = { readonly path: string; readonly headers: IncomingMessage["headers"]; readonly body: { [key: string]: unknown } };
type Reaction = (asked: Asked, response: ServerResponse, index: number) => void;

const opened: Server[] = [];
const folders: string[] = [];
afterEach(() => {
  for (const server of opened.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A server on this machine that reacts to each request in turn; `asked` is what it was asked. */
async function serve(react: Reaction): Promise<{ address: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (piece: Buffer) => (text += piece.toString()));
    request.on("end", () => {
      const one = { path: request.url ?? "", headers: request.headers, body: JSON.parse(text) as Asked["body"] };
      react(one, response, asked.push(one) - 1);
    });
  });
  opened.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, asked };
}

function say(
  response: ServerResponse,
  content: string | null | readonly object[],
  usage: object | null = { prompt_tokens: 10, completion_tokens: 4 },
): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }], usage }));
}

function refuse(response: ServerResponse, status: number, message: string, headers: { [name: string]: string } = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ error: { message, type: "error" } }));
}

const additive = await loadRubric("additive-v1");
const pairwise = await loadRubric("pairwise-v1");
const quick = { model: "tiny", timeout: 5, backoff: 0.01, retries: 3 } satisfies Partial<OpenAIClientOptions>;
const judgeAt = (address: string, options: Partial<OpenAIJudgeOptions> = {}) =>
  createOpenAIJudge({ ...quick, address, rubric: additive, judgements: 1, ...options });
const ask = (address: string, options: Partial<OpenAIClientOptions> = {}) =>
  createOpenAIClient({ ...quick, address, ...options }).ask({
    messages: [{ role: "user", content: "hello" }],
    temperature: 0.5,
    topP: 0.9,
    maxTokens: 8,
    seed: 3,
  });
const one = [{ prompt: "What is two and two?", answer: "Four." }];
const textOf = (asked: Asked): string => (asked.body["messages"] as { content: string }[])[0].content;

describe("what is sent", () => {
  test("is OpenAI's protocol, with the rubric, the sampling and a schema", async () => {
    const { address, asked } = await serve((_, response) => say(response, '{"reason": "fine", "score": 4}'));
    const [grade] = await judgeAt(address, { apiKey: "secret", sampling: { temperature: 0, maxNewTokens: 60 } }).grade(one);
    expect(grade).toMatchObject({ score: 4, judgements: [4], retries: 0 });
    expect(asked[0].path).toBe("/v1/chat/completions");
    expect(asked[0].headers.authorization).toBe("Bearer secret");
    expect(asked[0].body).toMatchObject({ model: "tiny", temperature: 0, top_p: 0.9, max_tokens: 60, seed: 0 });
    expect(asked[0].body["response_format"]).toMatchObject({
      type: "json_schema",
      json_schema: { strict: true, schema: { required: ["reason", "score"], additionalProperties: false } },
    });
    expect(textOf(asked[0])).toContain("### Request\nWhat is two and two?\n\n### Answer\nFour.\n");
  });

  test("goes where the address says: a host alone, a base, or the whole path", async () => {
    const { address, asked } = await serve((_, response) => say(response, "x"));
    const host = address.replace("/v1", "");
    for (const form of [host, `${host}/`, address, `${address}/`, `${address}/chat/completions`, `${host}/api/v3?version=2`])
      await ask(form);
    expect(asked.map(({ path }) => path)).toEqual([...Array<string>(5).fill("/v1/chat/completions"), "/api/v3/chat/completions?version=2"]);
    expect(() => createOpenAIClient({ ...quick, address: "localhost:8000" })).toThrow(
      /expected an http\(s\) address, got "localhost:8000"/,
    );
  });

  test("holds credentials of the address as a header only", async () => {
    const { address, asked } = await serve((_, response) => refuse(response, 403, "no"));
    await expect(ask(address.replace("http://", "http://me:p%40ss@"))).rejects.toThrow(/^(?!.*p(%40|@)ss).*answered 403/);
    expect(asked[0].headers.authorization).toBe(`Basic ${Buffer.from("me:p@ss").toString("base64")}`);
  });

  test("k judgements have k seeds, and are averaged", async () => {
    const { address, asked } = await serve(({ body }, response) => say(response, `ok\nScore: ${2 + Number(body["seed"]) * 0.5}`));
    const [grade] = await judgeAt(address, { judgements: 3, sampling: { seed: 0 } }).grade(one);
    expect(asked.map(({ body }) => Number(body["seed"])).sort((a, b) => a - b)).toEqual([0, 1, 2]);
    expect(grade).toMatchObject({ score: 2.5, judgements: [2, 2.5, 3], texts: ["ok\nScore: 2", "ok\nScore: 2.5", "ok\nScore: 3"] });
  });

  test("no more requests at a time than allowed", async () => {
    let [now, most] = [0, 0];
    const { address } = await serve((_, response) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        say(response, "Score: 1");
      }, 15);
    });
    const seen: number[] = [];
    await judgeAt(address, { concurrency: 3 }).grade(
      Array.from({ length: 12 }, (_, i) => ({ prompt: "p", answer: String(i) })),
      { onProgress: (done) => seen.push(done) },
    );
    expect(most).toBe(3);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });
});

describe("answers", () => {
  test("without a score are asked for once more, then void and counted", async () => {
    const { address, asked } = await serve((one, response) =>
      say(response, textOf(one).includes("silent") ? "I would rather not." : "Score: 3"),
    );
    const grades = await judgeAt(address).grade([
      { prompt: "p", answer: "silent" },
      { prompt: "p", answer: "said" },
    ]);
    expect(grades[0]).toMatchObject({ score: null, judgements: [null], retries: 1, texts: ["I would rather not."] });
    expect(grades[1]).toMatchObject({ score: 3, retries: 0 });
    expect(asked).toHaveLength(3);
  });

  test("at the second try count, and one void judgement leaves the others", async () => {
    const { address } = await serve(({ body }, response) => say(response, [0, 1, 3].includes(Number(body["seed"])) ? "hm" : "Score: 2"));
    // Seeds 0 and 1 are silent; their second tries have seeds 2 and 3.
    const [grade] = await judgeAt(address, { judgements: 2 }).grade(one);
    expect(grade).toMatchObject({ score: 2, judgements: [2, null], retries: 2 });
  });

  test("may come as a list of parts", async () => {
    const parts = [
      { type: "thinking", thinking: [] },
      { type: "text", text: "Fine.\nSco" },
      { type: "text", text: "re: 4" },
    ];
    const { address } = await serve((_, response) => say(response, parts));
    expect((await judgeAt(address).grade(one))[0]).toMatchObject({ score: 4, texts: ["Fine.\nScore: 4"] });
  });

  test("that are refused (no content) are void", async () => {
    const { address } = await serve((_, response) => say(response, null, null));
    expect((await judgeAt(address).grade(one))[0]).toMatchObject({ score: null, texts: [""] });
  });

  test("pairs are asked in both orders: a win counts only where both agree", async () => {
    // Prefers the first, unless one answer is much the best.
    const { address, asked } = await serve((one, response) => {
      const [, first] = /### Answer A\n(.*)\n/.exec(textOf(one)) ?? [];
      const [, second] = /### Answer B\n(.*)\n/.exec(textOf(one)) ?? [];
      say(response, `{"reason": "", "better": "${second === "best" ? "B" : first === second ? "C" : "A"}"}`);
    });
    const comparisons = await judgeAt(address, { rubric: pairwise }).compare([
      { prompt: "p", a: "best", b: "bad" },
      { prompt: "p", a: "bad", b: "best" },
      { prompt: "p", a: "good", b: "fine" },
      { prompt: "p", a: "same", b: "same" },
    ]);
    expect(asked).toHaveLength(8);
    expect(comparisons.map(({ verdict }) => verdict)).toEqual(["a", "b", "tie", "tie"]);
    expect(comparisons.map(({ orders }) => orders)).toEqual([
      ["a", "a"],
      ["b", "b"],
      ["a", "b"],
      ["tie", "tie"],
    ]);
    expect(comparisons.map(({ preference }) => preference)).toEqual([1, 0, 0.5, 0.5]);
  });

  test("an order without a verdict makes the comparison void", async () => {
    const { address } = await serve((one, response) => say(response, textOf(one).includes("### Answer A\nx") ? "Better: A" : "cannot say"));
    const [comparison] = await judgeAt(address, { rubric: pairwise }).compare([{ prompt: "p", a: "x", b: "y" }]);
    expect(comparison).toMatchObject({ verdict: null, orders: ["a", null], preference: null, retries: 1 });
  });

  test("tokens and cost are counted", async () => {
    const { address } = await serve((_, response) => say(response, "Score: 1", { prompt_tokens: 1000, completion_tokens: 500 }));
    const judge = judgeAt(address, { prices: { prompt: 2, completion: 10 } });
    await judge.grade([...one, { prompt: "p", answer: "q" }]);
    expect(judge.usage?.()).toEqual({ requests: 2, cached: 0, repeated: 0, promptTokens: 2000, completionTokens: 1000, cost: 0.014 });
  });
});

describe("a server that cannot do all", () => {
  test.each([
    ["response_format", "response_format other than text is not supported by this server"],
    ["response_format", "Unknown parameter: json_schema"],
    ["seed", "Extra inputs are not permitted: seed"],
  ])("is asked without %s once it refused it (%s), for good", async (name, message) => {
    const { address, asked } = await serve(({ body }, response) => {
      if (name in body) refuse(response, 400, message);
      else say(response, "Fine.\nScore: 5");
    });
    const judge = judgeAt(address, { concurrency: 1 });
    const grades = await judge.grade([...one, { prompt: "p", answer: "q" }]);
    expect(grades.map(({ score }) => score)).toEqual([5, 5]);
    expect(asked).toHaveLength(3);
    expect(judge.usage?.()).toMatchObject({ requests: 3, repeated: 1 });
  });

  test("is given max_completion_tokens where it insists on it", async () => {
    const { address, asked } = await serve(({ body }, response) => {
      if ("max_tokens" in body) refuse(response, 400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.");
      else say(response, "hello");
    });
    expect((await ask(address)).text).toBe("hello");
    expect(asked[1].body).toMatchObject({ max_completion_tokens: 8 });
  });

  test("that complains about the request itself is not asked again", async () => {
    const { address, asked } = await serve((_, response) => refuse(response, 400, "This model's maximum context length is 10 tokens"));
    await expect(judgeAt(address).grade(one)).rejects.toMatchObject({ code: "judge/service-failed" });
    expect(asked).toHaveLength(1);
  });
});

describe("trouble", () => {
  test("429 with Retry-After is waited out, by all requests", async () => {
    const times: number[] = [];
    const { address } = await serve((_, response, index) => {
      times.push(Date.now());
      if (index === 0) refuse(response, 429, "slow down", { "retry-after-ms": "300" });
      else say(response, "Score: 1");
    });
    const grades = await judgeAt(address, { concurrency: 1 }).grade([...one, { prompt: "p", answer: "q" }]);
    expect(grades.map(({ score }) => score)).toEqual([1, 1]);
    expect(times[1] - times[0]).toBeGreaterThanOrEqual(290);
  });

  test("Retry-After in seconds and as a date; the attempts are limited", async () => {
    const { address, asked } = await serve((_, response, index) =>
      refuse(response, 429, "no", { "retry-after": index === 0 ? "0" : new Date(Date.now() - 5000).toUTCString() }),
    );
    await expect(ask(address)).rejects.toThrow(/answered 429: .*no.* \(4 attempts\)$/);
    expect(asked).toHaveLength(4);
  });

  test.each<[string, Reaction]>([
    ["500", (_, response) => refuse(response, 500, "oops")],
    ["JSON that ends in the middle", (_, response) => response.end('{"choices": [{"mess')],
    ["a page of a proxy", (_, response) => response.end("<html>bad gateway</html>")],
    ["JSON without choices", (_, response) => response.end('{"object": "error", "choices": []}')],
    ["a connection that is cut before the answer", (_, response) => response.destroy()],
    [
      "a connection that is cut within the answer",
      (_, response) => {
        response.writeHead(200, { "content-length": "1000" });
        response.write("{");
        setTimeout(() => response.destroy(), 10);
      },
    ],
  ])("%s is tried again", async (_, react) => {
    const { address, asked } = await serve((one, response, index) => (index < 2 ? react(one, response, index) : say(response, "at last")));
    expect((await ask(address)).text).toBe("at last");
    expect(asked).toHaveLength(3);
  });

  test("a server that hangs, or sends its answer drop by drop, is left after the time-out", async () => {
    const { address, asked } = await serve((_, response, index) => {
      if (index === 0) return;
      if (index > 1) return say(response, "at last");
      response.writeHead(200);
      const drops = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(drops));
    });
    expect((await ask(address, { timeout: 0.15 })).text).toBe("at last");
    expect(asked).toHaveLength(3);
    const dead = await serve(() => undefined);
    await expect(ask(dead.address, { timeout: 0.1, retries: 0 })).rejects.toThrow(/did not answer within 0.1 s$/);
  });

  test("nobody at the address: the reason is said, after all attempts", async () => {
    const { address } = await serve(() => undefined);
    opened[0].close();
    await expect(ask(address, { retries: 1 })).rejects.toThrow(/cannot be reached: .*ECONNREFUSED.*\(2 attempts\)$/);
  });

  test.each([401, 403, 404])("%i ends it at once, says what to do and does not show the key", async (status) => {
    const { address, asked } = await serve(({ headers }, response) => refuse(response, status, `bad key ${headers.authorization}`));
    const error = await ask(address, { apiKey: "sk-secret" }).catch((cause: unknown) => cause as Error & { hint: string });
    expect((error as Error).message).toContain(`answered ${status}`);
    expect((error as Error).message).not.toContain("sk-secret");
    expect((error as { hint: string }).hint).toMatch(status === 404 ? /model's name/ : /OPENAI_API_KEY/);
    expect(asked).toHaveLength(1);
  });

  test("hints say how the caller gives a key, whether one was sent, and of a cache only where there is one", async () => {
    const cacheFolder = mkdtempSync(join(tmpdir(), "spar-hints-"));
    folders.push(cacheFolder);
    const { address } = await serve((_, response, index) => refuse(response, index < 2 ? 401 : 503, "no", { "retry-after": "0" }));
    const hintOf = (options: Partial<OpenAIClientOptions>): Promise<string> =>
      ask(address, { retries: 0, ...options }).then(
        () => "",
        (error: { hint: string }) => error.hint,
      );
    expect(await hintOf({ keyHint: "Use a file." })).toBe("No key was sent. Use a file.");
    expect(await hintOf({ apiKey: "sk-secret" })).toMatch(/^The key that was sent is refused\. Set OPENAI_API_KEY/);
    expect(await hintOf({})).toBe(
      `Is the server at ${new URL(address).origin} running? No cache keeps the answers that came: they are asked for again.`,
    );
    expect(await hintOf({ cacheFolder })).toMatch(/^Answers that came are in the cache/);
  });

  test("one request that fails for good ends the call, and those that wait are not sent", async () => {
    const { address, asked } = await serve((_, response, index) => (index === 1 ? refuse(response, 401, "no") : say(response, "Score: 1")));
    const requests = Array.from({ length: 50 }, (_, i) => ({ prompt: "p", answer: String(i) }));
    await expect(judgeAt(address, { concurrency: 2 }).grade(requests)).rejects.toMatchObject({ code: "judge/service-failed" });
    expect(asked.length).toBeLessThan(10);
  });

  test("an abort ends requests on their way and waits, without a warning about listeners", async () => {
    const warnings: string[] = [];
    const listen = (warning: Error): void => void warnings.push(warning.message);
    process.on("warning", listen);
    const { address } = await serve((_, response, index) => {
      if (index % 2 === 0) refuse(response, 503, "busy", { "retry-after": "30" });
    });
    const controller = new AbortController();
    const requests = Array.from({ length: 40 }, (_, i) => ({ prompt: "p", answer: String(i) }));
    const started = Date.now();
    setTimeout(() => controller.abort(), 80);
    await expect(judgeAt(address, { concurrency: 30 }).grade(requests, { signal: controller.signal })).rejects.toThrow(/abort/i);
    expect(Date.now() - started).toBeLessThan(3000);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", listen);
    expect(warnings).toEqual([]);
  });
});

describe("the cache", () => {
  const makeFolder = (): string => {
    const folder = mkdtempSync(join(tmpdir(), "spar-judge-"));
    folders.push(folder);
    return folder;
  };
  const listFiles = (folder: string): string[] =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"));

  test("answers what was asked before, also after a restart; anything else is asked", async () => {
    const { address, asked } = await serve((_, response) => say(response, "Score: 2"));
    const cacheFolder = makeFolder();
    await judgeAt(address, { cacheFolder, judgements: 2, apiKey: "sk-secret" }).grade(one);
    const again = judgeAt(address, { cacheFolder, judgements: 2 });
    expect(await again.grade(one)).toMatchObject([{ score: 2 }]);
    expect(asked).toHaveLength(2);
    expect(again.usage?.()).toMatchObject({ requests: 0, cached: 2, promptTokens: 0 });
    expect(listFiles(cacheFolder)).toHaveLength(2);
    for (const name of listFiles(cacheFolder)) expect(readFileSync(join(cacheFolder, name), "utf8")).not.toContain("sk-secret");
    for (const other of [{ model: "other" }, { sampling: { temperature: 0 } }, { sampling: { seed: 9 } }])
      await judgeAt(address, { cacheFolder, ...other }).grade(one);
    expect(asked).toHaveLength(5);
  });

  test("a damaged file is asked for again; an error is not kept", async () => {
    const { address, asked } = await serve((_, response, index) =>
      index === 0 ? refuse(response, 404, "no such model") : say(response, "Score: 2"),
    );
    const cacheFolder = makeFolder();
    await expect(judgeAt(address, { cacheFolder }).grade(one)).rejects.toThrow(/404/);
    expect(listFiles(cacheFolder)).toEqual([]);
    await judgeAt(address, { cacheFolder }).grade(one);
    writeFileSync(join(cacheFolder, listFiles(cacheFolder)[0]), '{"value": {"text"');
    expect(await judgeAt(address, { cacheFolder }).grade(one)).toMatchObject([{ score: 2 }]);
    expect(asked).toHaveLength(3);
    expect(listFiles(cacheFolder)).toHaveLength(1);
  });
});
