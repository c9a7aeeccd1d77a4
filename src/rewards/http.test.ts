import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createHTTPReward } from "./http.ts";
import type { RewardRow } from "./reward.ts";

type Body = { prompts: string[]; completions: string[]; columns: { [name: string]: unknown[] } };
type Answer = (body: Body, response: ServerResponse, request: IncomingMessage) => void;

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(...answers: Answer[]): Promise<{ address: string; bodies: Body[] }> {
  const bodies: Body[] = [];
  server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => (text += chunk));
    request.on("end", () => {
      const body = JSON.parse(text) as Body;
      bodies.push(body);
      answers[Math.min(bodies.length, answers.length) - 1](body, response, request);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/score`, bodies };
}

const lengths: Answer = (body, response) => void response.end(JSON.stringify({ scores: body.completions.map((text) => text.length) }));
const status =
  (code: number, text = "", headers: { [name: string]: string } = {}): Answer =>
  (_body, response) =>
    void response.writeHead(code, headers).end(text);
const rowsOf = (...completions: string[]): RewardRow[] =>
  completions.map((completion, i) => ({
    prompt: `p${i}`,
    completion,
    prompt_ids: [1],
    completion_ids: [2],
    ...(i === 0 ? { topic: "x" } : {}),
  }));
const quick = { backoff: 0.001 };

describe("createHTTPReward", () => {
  it("sends prompts, completions and columns", async () => {
    const { address, bodies } = await serve(lengths);
    const reward = createHTTPReward(address);
    expect(await reward.score(rowsOf("a", "bcd"))).toEqual([1, 3]);
    expect(bodies).toEqual([{ prompts: ["p0", "p1"], completions: ["a", "bcd"], columns: { topic: ["x", null] } }]);
    expect(reward.name).toMatch(/^127\.0\.0\.1:\d+\/score$/);
    expect(await reward.score([])).toEqual([]);
  });

  it("batches, a few requests at a time, and keeps the order", async () => {
    let [now, most] = [0, 0];
    const { address, bodies } = await serve((body, response, request) => {
      most = Math.max(most, ++now);
      // The first answers last.
      setTimeout(
        () => {
          now--;
          lengths(body, response, request);
        },
        body.prompts[0] === "p0" ? 60 : 15,
      );
    });
    const scores = await createHTTPReward(address, { batchSize: 2, concurrency: 3 }).score(
      rowsOf("a", "bb", "ccc", "dddd", "eeeee", "ffffff", "g"),
    );
    expect(scores).toEqual([1, 2, 3, 4, 5, 6, 1]);
    expect(bodies.map((body) => body.prompts.length).toSorted((a, b) => a - b)).toEqual([1, 2, 2, 2]);
    expect(most).toBe(3);
  });

  it("tries again after failures that may pass, as late as it is told to", async () => {
    const { address, bodies } = await serve(
      status(503),
      (_body, response) => void response.destroy(),
      status(429, "", { "retry-after": "1" }),
      lengths,
    );
    const start = performance.now();
    expect(await createHTTPReward(address, quick).score(rowsOf("a"))).toEqual([1]);
    expect(bodies.length).toBe(4);
    expect(performance.now() - start).toBeGreaterThan(950);
  });

  it("gives up in the end, and at once where nothing will change", async () => {
    const broken = await serve(status(500, "out of memory"));
    await expect(createHTTPReward(broken.address, { ...quick, retries: 2 }).score(rowsOf("a"))).rejects.toThrow(
      /answered 500: out of memory \(3 attempts\)/,
    );
    expect(broken.bodies.length).toBe(3);
    server?.close();
    const missing = await serve(status(404));
    await expect(createHTTPReward(missing.address, quick).score(rowsOf("a"))).rejects.toThrow(/answered 404$/);
    expect(missing.bodies.length).toBe(1);
  });

  it("gives up on silence", async () => {
    const { address } = await serve(() => undefined);
    await expect(createHTTPReward(address, { ...quick, retries: 1, timeout: 0.05 }).score(rowsOf("a"))).rejects.toThrow(
      /did not answer within 0.05 s \(2 attempts\)/,
    );
  });

  it("says that nobody is there", async () => {
    const { address } = await serve(lengths);
    await new Promise((resolve) => server?.close(resolve));
    await expect(createHTTPReward(address, { ...quick, retries: 0 }).score(rowsOf("a"))).rejects.toThrow(
      /cannot be reached: .*ECONNREFUSED/,
    );
  });

  it.each([
    ["{}", /answered without "scores"/],
    ["<html>", /not JSON: <html>/],
    ['{"scores": [1]}', /expected a list of 2 numbers .* got 1/],
    ['{"scores": [1, "NaN"]}', /got "NaN" for row 1/],
  ])("refuses %s", async (text, message) => {
    const { address, bodies } = await serve(status(200, text));
    await expect(createHTTPReward(address, quick).score(rowsOf("a", "b"))).rejects.toThrow(message);
    expect(bodies.length).toBe(1);
  });

  it("takes null for: does not apply", async () => {
    const { address } = await serve(status(200, '{"scores": [null, 2]}'));
    expect(await createHTTPReward(address).score(rowsOf("a", "b"))).toEqual([null, 2]);
  });

  it("stops when asked to", async () => {
    const { address } = await serve(() => undefined);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 20);
    const start = performance.now();
    await expect(createHTTPReward(address).score(rowsOf("a"), { signal: stop.signal })).rejects.toThrow(/abort/i);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it("sends credentials as a header and shows them nowhere", async () => {
    let seen: string | undefined;
    const { address } = await serve((_body, response, request) => {
      seen = request.headers.authorization;
      response.writeHead(403).end();
    });
    const reward = createHTTPReward(address.replace("http://", "http://me:s%40cret@"), quick);
    const error = (await reward.score(rowsOf("a")).catch((cause: unknown) => cause)) as Error;
    expect(error.message).toContain("answered 403");
    expect(error.message).not.toContain("cret");
    expect(seen).toBe(`Basic ${Buffer.from("me:s@cret").toString("base64")}`);
    expect(reward.name).not.toContain("cret");
    expect(() => createHTTPReward("http://")).toThrow(/expected an http\(s\) address/);
  });
});
