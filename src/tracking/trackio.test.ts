import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunEvent } from "./tracker.ts";
import { createTrackioTracker, type TrackioOptions } from "./trackio.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-trackio-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Json = { [key: string]: unknown };

function open(options: Partial<TrackioOptions> = {}) {
  const events: RunEvent[] = [];
  const tracker = createTrackioTracker({
    folder,
    config: { method: "sft", learning_rate: 0.1, warmup: Number.POSITIVE_INFINITY },
    settings: {},
    project: "huggingface",
    resume: false,
    report: (event) => void events.push(event),
    now: () => 1_700_000_000_000,
    ...options,
  });
  return { tracker, events };
}

const listFiles = (path: string): string[] =>
  readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => /\.\w+$/.test(name));
const readInbox = (path: string): Json[] =>
  listFiles(path).flatMap((name) =>
    readFileSync(join(path, name), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Json),
  );

test("fragments: whole files of JSON lines, the config with the first row", async () => {
  const { tracker, events } = open({ runName: "first" });
  tracker.metrics({ step: 1, loss: Number.NaN, eval_loss: 2 });
  tracker.metrics({ step: 2, loss: 1 });
  tracker.samples([{ step: 2, prompt: "p", completion: "c", scores: { rm: 1 } }]);
  tracker.event({ code: "a/b", message: "note" });
  tracker.event({ code: "a/c", level: "error", message: "bad" });
  await tracker.close("finished");
  const inbox = join(folder, "trackio", "inbox");
  expect(listFiles(inbox)).toHaveLength(1);
  expect(listFiles(inbox)[0]).toMatch(/^[0-9a-f]{16}\/00000000\.jsonl$/);
  const records = readInbox(inbox);
  expect(records).toMatchObject([
    {
      v: 1,
      kind: "metric",
      project: "huggingface",
      run: "first",
      step: 1,
      timestamp: "2023-11-14T22:13:20.000Z",
      metrics: { "train/loss": "NaN", "eval/loss": 2, "train/global_step": 1 },
      config: { learning_rate: 0.1, warmup: "Infinity", _Created: "2023-11-14T22:13:20.000Z" },
    },
    { kind: "metric", step: 2, config: null },
    {
      kind: "metric",
      step: 2,
      metrics: { samples: { _type: "trackio.table", _value: [{ prompt: "p", completion: "c", rm: 1, step: 2 }] } },
    },
    { kind: "alert", title: "a/c", text: "bad", level: "ERROR", step: 2 },
  ]);
  const ids = records.map((record) => record["log_id"] ?? record["alert_id"]);
  expect(new Set(ids).size).toBe(4);
  expect(new Set(records.map((record) => record["run_id"])).size).toBe(1);
  expect(events).toEqual([]);
});

test("an inbox that cannot be written to: rows are kept, and sent with the same ids when the run is resumed", async () => {
  const place = join(folder, "place");
  writeFileSync(place, "a file in the way");
  const first = open({ settings: { folder: place } });
  first.tracker.metrics({ step: 1, loss: 1 });
  await first.tracker.close("finished");
  expect(first.events.map(({ code }) => code)).toEqual(["tracking/unreachable", "tracking/unsent"]);
  rmSync(place);
  const second = open({ settings: { folder: place }, resume: true });
  second.tracker.metrics({ step: 2, loss: 2 });
  await second.tracker.close("finished");
  const records = readInbox(join(place, "inbox"));
  expect(records.map(({ step }) => step)).toEqual([1, 2]);
  expect(records[0]!["run_id"]).toBe(records[1]!["run_id"]);
  expect(records[0]!["run"]).toMatch(/^sft-[0-9a-f]{6}$/);
  expect(records[1]!["run"]).toBe(records[0]!["run"]);
});

test("a server: the write token in a header only, the hub's token not at all, errors in its own way", async () => {
  const seen: { url: string; headers: Json; body: Json }[] = [];
  const replies: { status: number; json: Json }[] = [{ status: 200, json: { data: null } }];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      seen.push({ url: request.url ?? "", headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString("utf8")) as Json });
      const { status, json } = replies.shift() ?? { status: 200, json: { data: null } };
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const serverUrl = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/?write_token=abc`;
  try {
    const settings = { serverUrl, hubToken: "hf_secret" };
    const first = open({ settings });
    first.tracker.metrics({ step: 1, loss: 1 });
    first.tracker.event({ code: "a/b", level: "warning", message: "careful" });
    await first.tracker.close("finished");
    expect(seen.map(({ url }) => url)).toEqual(["/api/bulk_log", "/api/bulk_alert"]);
    expect(seen[0]!.headers).toMatchObject({ "x-trackio-write-token": "abc" });
    expect(JSON.stringify(seen)).not.toContain("hf_secret");
    expect(seen[0]!.body).toMatchObject({ args: [], kwargs: { hf_token: null, logs: [{ step: 1, metrics: { "train/loss": 1 } }] } });
    expect(seen[1]!.body).toMatchObject({ kwargs: { alerts: [{ title: "a/b", level: "WARN" }] } });

    replies.push({ status: 200, json: { error: "A write_token is required" } });
    const second = open({ settings });
    second.tracker.metrics({ step: 1, loss: 1 });
    await second.tracker.close("finished");
    expect(second.events.map(({ code }) => code)).toEqual(["tracking/denied", "tracking/unsent"]);
    expect(JSON.stringify(second.events)).not.toContain("abc");
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
