import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { renderStudioConfig } from "../labeling/index.ts";
import type { RewardRow } from "../rewards/index.ts";
import { createStudioBackend } from "./label-studio-backend.ts";

let folder: string;
let scored: RewardRow[][];
let failure: Error | undefined;
const errors: unknown[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-test-"));
  writeFileSync(join(folder, "model.safetensors"), "weights");
  scored = [];
  failure = undefined;
  errors.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Longer answers are better. */
function open(options: { basicAuth?: string; hasChatTemplate?: boolean; maxBytes?: number } = {}): Hono {
  const { basicAuth = "", hasChatTemplate = false, maxBytes = 1e6 } = options;
  return createStudioBackend({
    hosts: ["127.0.0.1"],
    anyAddress: false,
    basicAuth,
    maxBytes,
    model: {
      name: "runs/reward/",
      folder,
      hasChatTemplate,
      score(rows) {
        scored.push([...rows]);
        return failure === undefined ? Promise.resolve(rows.map(({ completion }) => completion.length)) : Promise.reject(failure);
      },
    },
    onError: (error) => errors.push(error),
  });
}

type Asked = { body?: unknown; headers?: { [name: string]: string }; method?: string };
const send = async (app: Hono, path: string, { body, headers = {}, method = body === undefined ? "GET" : "POST" }: Asked = {}) => {
  const response = await app.request(`http://127.0.0.1:9090${path}`, {
    method,
    headers: { host: "127.0.0.1:9090", ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text === "" ? {} : JSON.parse(text)) as { [key: string]: unknown } };
};
/** As Label Studio 1.23.2 asks. */
const predict = (app: Hono, tasks: unknown, config = renderStudioConfig("pair")) =>
  send(app, "/predict", {
    body: { tasks, project: "4.1795417635", label_config: config, params: { login: null, password: null, context: null } },
  });
const task = (answer1: string, answer2: string, meta: object = {}) => ({
  id: 8,
  data: { prompt: "Q", answer1, answer2 },
  meta,
  project: 4,
});

describe("the backend", () => {
  it("is well, and takes projects that compare answers", async () => {
    const app = open();
    const version = expect.stringMatching(/^runs\/reward@[0-9a-f]{8}$/) as string;
    expect(await send(app, "/health")).toMatchObject({ status: 200, body: { status: "UP", model_version: version } });
    expect((await send(app, "/")).status).toBe(200);
    const setup = {
      project: "4.17",
      schema: renderStudioConfig("pair"),
      hostname: "http://localhost:8080",
      access_token: "secret",
      extra_params: null,
    };
    expect(await send(app, "/setup", { body: setup })).toMatchObject({ status: 200, body: { model_version: version } });
    expect(await send(app, "/setup", { body: { ...setup, schema: renderStudioConfig("rating") } })).toMatchObject({
      status: 400,
      body: { error: { code: "label-studio/config" } },
    });
    expect((await send(app, "/webhook", { body: { action: "ANNOTATION_CREATED", annotation: {} } })).status).toBe(201);
    expect((await send(app, "/train", { body: { annotations: [] } })).status).toBe(201);
    expect((await send(app, "/versions")).body).toEqual({ versions: [version], message: "" });
    expect((await send(app, "/nothing")).status).toBe(404);
  });

  it("chooses the answer with the higher score, as displayed, and says how sure it is", async () => {
    const { body, status } = await predict(open(), [
      task("longest", "long"),
      task("a", "ab", { swap: true }),
      { id: 9, data: { image: "x" } },
      task("same", "size"),
    ]);
    expect(status).toBe(200);
    const results = body["results"] as { result: { value: { selected: string } }[]; score?: number; model_version: string }[];
    expect(results.map(({ result }) => result[0]?.value.selected)).toEqual(["left", "right", undefined, "left"]);
    expect(results[0].result[0]).toEqual({
      id: "spar-1",
      from_name: "comparison",
      to_name: "comparison",
      type: "pairwise",
      value: { selected: "left" },
    });
    expect(results[0].score).toBeCloseTo(1 / (1 + Math.exp(-3)), 10);
    expect(results[1].score).toBeCloseTo(1 / (1 + Math.exp(-1)), 10);
    expect(results[3].score).toBe(0.5);
    expect(results[0].model_version).toBe(body["model_version"]);
    // One call of the model for all, the prompt as in training.
    expect(scored).toHaveLength(1);
    expect(scored[0].map(({ prompt, completion }) => [prompt, completion]).slice(0, 4)).toEqual([
      ["Q\n", "longest"],
      ["Q\n", "long"],
      ["Q\n", "a"],
      ["Q\n", "ab"],
    ]);
  });

  it("uses the project's own names, asks chat models in their turns, and ranks lists", async () => {
    const own =
      '<View><Text name="p" value="$prompt"/><Pairwise toName="a,b" name="pw"/><Text name="a" value="$answer1"/><Text name="b" value="$answer2"/></View>';
    const named = await predict(open({ hasChatTemplate: true }), [task("x", "xyz")], own);
    expect((named.body["results"] as { result: object[] }[])[0].result[0]).toMatchObject({
      from_name: "pw",
      to_name: "pw",
      value: { selected: "right" },
    });
    expect(scored[0][0].prompt).toEqual([{ role: "user", content: "Q" }]);
    const mirrored = await predict(open(), [task("x", "xyz")], own.replace('"a,b"', '"b,a"'));
    expect((mirrored.body["results"] as { result: object[] }[])[0].result[0]).toMatchObject({ value: { selected: "left" } });
    const items = ["aa", "a", "aaa"].map((text, i) => ({ id: `i${i}`, body: text }));
    const ranked = await predict(open(), [{ id: 1, data: { prompt: "Q", items } }], renderStudioConfig("ranking"));
    expect((ranked.body["results"] as { result: object[] }[])[0]).toMatchObject({
      result: [{ type: "ranker", from_name: "ranking", to_name: "answers", value: { ranker: { ranking: ["i2", "i0", "i1"] } } }],
      score: 1 / (1 + Math.exp(-1)),
    });
  });

  it("has another version once the model's files are others", async () => {
    const app = open();
    const before = (await send(app, "/health")).body["model_version"];
    expect((await send(app, "/health")).body["model_version"]).toBe(before);
    utimesSync(join(folder, "model.safetensors"), 1, 1);
    expect((await send(app, "/health")).body["model_version"]).not.toBe(before);
  });

  it("answers bad requests with what is wrong, and its own faults without their texts", async () => {
    const app = open({ maxBytes: 2000 });
    expect((await send(app, "/predict", { body: "{" })).status).toBe(400);
    expect((await send(app, "/predict", { body: "[]" })).status).toBe(400);
    expect((await send(app, "/predict", { body: { tasks: 3 } })).status).toBe(400);
    expect((await send(app, "/predict", { body: { tasks: [] } })).status).toBe(400);
    expect((await predict(app, [task("x".repeat(3000), "y")])).status).toBe(413);
    expect((await send(app, "/predict", { body: "{}", headers: { "content-type": "text/plain" } })).status).toBe(415);
    failure = new Error("/home/me/secret");
    const failed = await predict(open(), [task("a", "b")]);
    expect([failed.status, JSON.stringify(failed.body).includes("secret"), errors]).toEqual([500, false, [failure]]);
    // The next one is not held up.
    failure = undefined;
    expect((await predict(app, [task("a", "b")])).status).toBe(200);
  });

  it("lets in nobody from another site, by another name, or without the password", async () => {
    const app = open({ basicAuth: "studio:open sésame" });
    const basic = (text: string): { authorization: string } => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });
    expect((await send(app, "/health", { headers: basic("studio:open sésame") })).status).toBe(200);
    for (const headers of [{}, basic("studio:open"), basic(""), { authorization: "Bearer studio:open sésame" }]) {
      const refused = await send(app, "/health", { headers: headers as { [name: string]: string } });
      expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, 'Basic realm="spar"']);
    }
    const ours = open();
    expect((await send(ours, "/health", { headers: { host: "evil.example" } })).status).toBe(403);
    expect((await send(ours, "/predict", { body: {}, headers: { origin: "http://evil.example" } })).status).toBe(403);
    expect((await send(ours, "/health", { headers: { "sec-fetch-site": "cross-site" } })).status).toBe(403);
    expect((await send(ours, "/health")).headers.get("content-security-policy")).toContain("default-src 'none'");
  });
});
