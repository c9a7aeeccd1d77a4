import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createMlflowTracker, type MlflowOptions } from "./mlflow.ts";
import type { RunEvent } from "./tracker.ts";

type Json = { [key: string]: unknown };
type Request = { method: string; path: string; authorization: string | undefined; body: Json };

let folder: string;
let server: Server;
let uri: string;
let requests: Request[];
/** What a path is answered with instead. */
let answers: { [path: string]: { status: number; json: Json }[] };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "spar-mlflow-"));
  requests = [];
  answers = {};
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString("utf8");
      const path = (request.url ?? "").replace("/api/2.0/", "");
      requests.push({
        method: request.method ?? "",
        path,
        authorization: request.headers.authorization,
        body: text === "" ? {} : (JSON.parse(text) as Json),
      });
      const run = { run: { info: { run_id: "r1", experiment_id: "7", artifact_uri: "mlflow-artifacts:/7/r1/artifacts" } } };
      const { status, json } = answers[path]?.shift() ?? {
        status: 200,
        json:
          path.startsWith("mlflow/runs/create") || path.startsWith("mlflow/runs/get")
            ? run
            : path.includes("experiments")
              ? { experiment: { experiment_id: "7" }, experiment_id: "7" }
              : {},
      };
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  uri = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(options: Partial<MlflowOptions> = {}) {
  const events: RunEvent[] = [];
  const tracker = createMlflowTracker({
    folder,
    config: { learning_rate: 0.1, list: [1, "a"], nothing: null },
    settings: { trackingUri: uri },
    project: "Default",
    resume: false,
    report: (event) => void events.push(event),
    version: "1.2.3",
    now: () => 1000,
    ...options,
  });
  return { tracker, events };
}

const pathsOf = (): string[] => requests.map(({ method, path }) => `${method} ${path}`);
const bodiesOf = (path: string): Json[] => requests.filter((request) => request.path === path).map(({ body }) => body);

test("a run from its beginning to its end", async () => {
  answers["mlflow/experiments/get-by-name?experiment_name=my%20project"] = [
    { status: 404, json: { error_code: "RESOURCE_DOES_NOT_EXIST" } },
  ];
  const { tracker, events } = open({
    project: "my project",
    runName: "first",
    settings: { trackingUri: `${uri}/`, username: "u", password: "p" },
  });
  tracker.metrics({ step: 1, loss: 0.5, "rewards/margins(x)": Number.NaN, big: Number.POSITIVE_INFINITY });
  tracker.metrics({ step: 2 });
  tracker.samples([{ step: 2, prompt: "p", completion: "c" }]);
  await tracker.close("stopped");
  expect(pathsOf()).toEqual([
    "GET mlflow/experiments/get-by-name?experiment_name=my%20project",
    "POST mlflow/experiments/create",
    "POST mlflow/runs/create",
    "POST mlflow/runs/log-batch",
    "PUT mlflow-artifacts/artifacts/7/r1/artifacts/samples/step-00000002.json",
    "POST mlflow/runs/set-tag",
    "POST mlflow/runs/update",
  ]);
  expect(new Set(requests.map(({ authorization }) => authorization))).toEqual(new Set([`Basic ${Buffer.from("u:p").toString("base64")}`]));
  expect(bodiesOf("mlflow/runs/create")).toEqual([{ experiment_id: "7", start_time: 1000, run_name: "first" }]);
  const [batch] = bodiesOf("mlflow/runs/log-batch");
  expect(batch).toMatchObject({
    run_id: "r1",
    metrics: [
      { key: "loss", value: 0.5, timestamp: 1000, step: 1 },
      { key: "rewards/margins_x_", value: "NaN", timestamp: 1000, step: 1 },
      { key: "big", value: "Infinity", timestamp: 1000, step: 1 },
    ],
    params: [
      { key: "learning_rate", value: "0.1" },
      { key: "list", value: '[1,"a"]' },
      { key: "nothing", value: "None" },
    ],
  });
  expect(bodiesOf("mlflow/runs/update")).toEqual([{ run_id: "r1", status: "KILLED", end_time: 1000 }]);
  expect(events).toMatchObject([{ code: "tracking/run-page", url: `${uri}/#/experiments/7/runs/r1` }]);
});

test("no request holds more than the API takes", async () => {
  const config = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`key_${i}`, i]));
  const { tracker } = open({ config });
  for (let step = 1; step <= 900; step++) tracker.metrics({ step, a: 1, b: 2, c: 3 });
  await tracker.close("finished");
  const batches = bodiesOf("mlflow/runs/log-batch") as { metrics: unknown[]; params: unknown[]; tags: unknown[] }[];
  for (const { metrics, params, tags } of batches) {
    expect(params.length).toBeLessThanOrEqual(100);
    expect(tags.length).toBeLessThanOrEqual(100);
    expect(metrics.length + params.length + tags.length).toBeLessThanOrEqual(1000);
  }
  expect(batches.reduce((sum, { metrics }) => sum + metrics.length, 0)).toBe(2700);
  expect(batches.reduce((sum, { params }) => sum + params.length, 0)).toBe(250);
});

test("a resumed run is the same run, without its parameters a second time", async () => {
  await open().tracker.close("stopped");
  requests.length = 0;
  const { tracker } = open({ resume: true });
  tracker.metrics({ step: 5, loss: 1 });
  await tracker.close("finished");
  expect(pathsOf()).toEqual([
    "POST mlflow/runs/update",
    "GET mlflow/runs/get?run_id=r1",
    "POST mlflow/runs/log-batch",
    "POST mlflow/runs/update",
  ]);
  expect(bodiesOf("mlflow/runs/update")[0]).toEqual({ run_id: "r1", status: "RUNNING" });
  expect(bodiesOf("mlflow/runs/log-batch")[0]).toMatchObject({ params: [] });
});

test("a wrong password is told apart from a server that has a bad moment; what waits is sent by the next session", async () => {
  const path = "mlflow/experiments/get-by-name?experiment_name=Default";
  answers[path] = [{ status: 401, json: { message: "not you" } }];
  const first = open();
  first.tracker.metrics({ step: 1, loss: 1 });
  await first.tracker.close("finished");
  expect(first.events.map(({ code }) => code)).toEqual(["tracking/denied", "tracking/unsent"]);
  expect(existsSync(join(folder, "trackers", "mlflow.unsent.jsonl"))).toBe(true);
  answers[path] = [{ status: 503, json: {} }];
  const second = open({ resume: true });
  second.tracker.metrics({ step: 2, loss: 2 });
  await second.tracker.close("finished");
  expect(second.events.map(({ code }) => code)).toEqual(["tracking/unreachable", "tracking/run-page", "tracking/reached"]);
  const batches = bodiesOf("mlflow/runs/log-batch") as { metrics: Json[]; params: Json[] }[];
  expect(batches.flatMap(({ metrics }) => metrics).map(({ step, value }) => [step, value])).toEqual([
    [1, 1],
    [2, 2],
  ]);
  expect(batches.flatMap(({ params }) => params)).toHaveLength(3);
  // One end, that of this session.
  expect(bodiesOf("mlflow/runs/update")).toHaveLength(1);
  expect(JSON.parse(readFileSync(join(folder, "trackers", "mlflow.json"), "utf8"))).toEqual({ uri, runId: "r1", experimentId: "7" });
});
