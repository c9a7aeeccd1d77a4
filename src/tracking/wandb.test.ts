import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RunEvent, Tracker } from "./tracker.ts";
import { createWandbTracker, type WandbOptions } from "./wandb.ts";
import { frameLogRecord, openWandbLog, parseLog, readWandbLog } from "./wandb-log.ts";
import { decodeRecord, encodeExit, encodeHistory, encodeOutput, formatExtendedJson } from "./wandb-records.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-wandb-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("records are framed in blocks of 32 KiB, and read back", () => {
  // crc32("\x01abc") over type and data, as zlib.crc32 of Python says it.
  expect(hex(frameLogRecord(Buffer.from("abc"), 7))).toBe("a9209d53030001616263");
  const path = join(folder, "x.wandb");
  const records = [1, 100, 32_768 - 7 - 7 - 7 - 200, 3, 100_000, 0, 32_761, 5].map((length, i) => Buffer.alloc(length, i + 1));
  const log = openWandbLog(path, records.slice(0, 2));
  for (const record of records.slice(2)) log.append(record);
  log.close();
  const read = readWandbLog(path);
  expect(read.map((record) => [record.length, record[0]])).toEqual(records.map((record) => [record.length, record[0]]));
  const bytes = readFileSync(path);
  expect(bytes.subarray(0, 7).toString("hex")).toBe("3a572642e1be00");
  // A killed writer's last record is cut off, and so is what follows a damaged byte.
  expect(parseLog(bytes.subarray(0, bytes.length - 1))).toHaveLength(7);
  bytes[40]! ^= 1;
  expect(parseLog(bytes)).toHaveLength(1);
  expect(parseLog(Buffer.from("no log"))).toEqual([]);
  expect(readWandbLog(join(folder, "absent"))).toEqual([]);
});

test("a padded end of a block, where no chunk's head fits", () => {
  for (let gap = 0; gap < 9; gap++) {
    const position = 32_768 - gap;
    const frame = frameLogRecord(Buffer.from("abcdef"), position);
    const log = Buffer.concat([Buffer.from("3a572642e1be00", "hex"), frameLogRecord(Buffer.alloc(position - 14, 9), 7), frame]);
    expect(parseLog(log).map(String).at(-1)).toBe("abcdef");
  }
});

test("records", () => {
  expect(decodeRecord(encodeHistory({ "train/loss": 0.5, bad: Number.NaN, t: { a: [null] } }, 300))).toEqual({
    kind: "history",
    row: { "train/loss": "0.5", bad: "NaN", t: '{"a":[null]}' },
  });
  expect(decodeRecord(encodeOutput("hello", 5))).toEqual({ kind: "output", line: "hello" });
  expect(decodeRecord(encodeExit(1, 2.5))).toEqual({ kind: "exit" });
  expect(formatExtendedJson({ a: [Number.POSITIVE_INFINITY, undefined, "ü"], b: undefined })).toBe('{"a":[Infinity,null,"ü"]}');
});

function open(options: Partial<WandbOptions> = {}): { tracker: Tracker; events: RunEvent[]; stops: () => number } {
  const events: RunEvent[] = [];
  let stops = 0;
  const tracker = createWandbTracker({
    folder,
    config: { learning_rate: 0.1 },
    settings: {},
    project: "huggingface",
    resume: false,
    report: (event) => void events.push(event),
    requestStop: () => stops++,
    version: "1.2.3",
    now: () => 1_700_000_000_000,
    ...options,
  });
  return { tracker, events, stops: () => stops };
}

const findLogs = (): string[] =>
  readdirSync(join(folder, "wandb"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".wandb"))
    .map((name) => join(folder, "wandb", name));
const kindsOf = (path: string): string[] => readWandbLog(path).map((bytes) => decodeRecord(bytes).kind);
const lossesOf = (path: string): (string | undefined)[] =>
  readWandbLog(path)
    .map(decodeRecord)
    .flatMap((record) => (record.kind === "history" ? [record.row["train/loss"]] : []));

test("an offline run says how it is sent, and a resumed one goes on in the same log from its checkpoint", async () => {
  const first = open();
  for (const step of [1, 2, 3]) first.tracker.metrics({ step, loss: step });
  first.tracker.event({ code: "x/y", message: "a word" });
  await first.tracker.close("stopped");
  // Another tracker may have a last word after that.
  first.tracker.event({ code: "tracking/unsent", message: "too late" });
  first.tracker.metrics({ step: 4, loss: 4 });
  await first.tracker.close("stopped");
  const [path] = findLogs();
  expect(kindsOf(path!)).toEqual(["header", "run", "other", "other", "history", "history", "history", "output", "summary", "exit"]);
  expect(first.events).toMatchObject([{ code: "tracking/offline", path: dirname(path!) }]);
  expect(first.events[0]!.message).toContain(`wandb sync ${dirname(path!)}`);
  writeFileSync(`${path}.synced`, "");

  const second = open({ resume: true, now: () => 1_700_000_100_000 });
  second.tracker.event({ code: "run/resumed", message: "going on", step: 2 });
  second.tracker.metrics({ step: 3, loss: 30 });
  await second.tracker.close("finished");
  expect(findLogs()).toEqual([path]);
  expect(readdirSync(dirname(path!)).filter((name) => name.endsWith(".synced"))).toEqual([]);
  expect(lossesOf(path!)).toEqual(["1", "2", "30"]);
  expect(kindsOf(path!).filter((kind) => kind === "exit")).toHaveLength(1);
  const steps = readWandbLog(path!)
    .map(decodeRecord)
    .flatMap((record) => (record.kind === "history" ? [record.row["_step"]] : []));
  expect(steps).toEqual(["0", "1", "2"]);

  // A new run in the folder is another run.
  await open({ now: () => 1_700_000_200_000 }).tracker.close("finished");
  expect(findLogs()).toHaveLength(2);
});

test("a folder of somebody else's names no files outside it", async () => {
  await open().tracker.close("finished");
  const path = join(folder, "trackers", "wandb.json");
  const state = JSON.parse(readFileSync(path, "utf8")) as { [key: string]: unknown };
  writeFileSync(path, JSON.stringify({ ...state, runFolder: "../../evil", runId: "x" }));
  await open({ resume: true, now: () => 1_700_000_300_000 }).tracker.close("finished");
  expect(readdirSync(join(folder, "wandb")).every((name) => name.startsWith("offline-run-"))).toBe(true);
  expect(() => open({ settings: { runId: "../x" } })).toThrow(/WANDB_RUN_ID/);
});

test("a log that was damaged, or is gone, is begun anew", async () => {
  await open().tracker.close("finished");
  const [path] = findLogs();
  writeFileSync(path!, "not a log");
  const { tracker } = open({ resume: true });
  tracker.metrics({ step: 5, loss: 1 });
  await tracker.close("finished");
  expect(kindsOf(path!)).toEqual(["header", "run", "other", "other", "history", "summary", "exit"]);
});

/** As much of a server as one run needs. */
async function startServer(
  answer: (path: string, body: { [key: string]: unknown }) => { status?: number; json: unknown },
): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks)
        .toString("utf8")
        .replaceAll(/\bNaN\b/g, "null");
      const { status = 200, json } = answer(request.url ?? "", JSON.parse(text) as { [key: string]: unknown });
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return { server, url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}` };
}

const bucket = (historyLineCount: number): unknown => ({
  data: {
    upsertBucket: { bucket: { id: "s", name: "abc", project: { name: "proj", entity: { name: "me" } }, historyLineCount }, inserted: true },
  },
});

type Streamed = { files?: { [name: string]: { offset: number; content: string[] } }; complete?: boolean; exitcode?: number };

test("online: what the server lacks of an earlier session is sent from the log, then what is new", async () => {
  let lines = 0;
  let isUp = true;
  const streamed: Streamed[] = [];
  const { server, url } = await startServer((path, body) => {
    if (!isUp) return { status: 503, json: {} };
    if (path === "/graphql") return { json: bucket(lines) };
    const files = (body as Streamed).files?.["wandb-history.jsonl"];
    if (files !== undefined) lines = Math.max(lines, files.offset + files.content.length);
    streamed.push(body as Streamed);
    return { json: { stopped: true } };
  });
  try {
    const settings = { apiKey: "key", baseUrl: url };
    const first = open({ settings });
    first.tracker.metrics({ step: 1, loss: 1 });
    await first.tracker.close("finished");
    expect(lines).toBe(1);
    expect(first.events.map(({ code }) => code)).toEqual(["tracking/run-page", "tracking/stop-requested"]);
    expect(first.events[0]!["url"]).toBe(`${url}/me/proj/runs/abc`);
    expect(first.stops()).toBe(1);
    expect(streamed.at(-1)).toEqual({ complete: true, exitcode: 0 });

    isUp = false;
    const second = open({ settings, resume: true });
    second.tracker.metrics({ step: 2, loss: 2 });
    await second.tracker.close("failed");
    expect(second.events.map(({ code }) => code)).toEqual(["tracking/unreachable", "tracking/unsent"]);
    expect(second.events[1]!.message).toContain("wandb sync --no-skip-online");

    isUp = true;
    streamed.length = 0;
    const third = open({ settings, resume: true });
    third.tracker.metrics({ step: 3, loss: 3 });
    await third.tracker.close("finished");
    const sent = streamed.flatMap(({ files }) => files?.["wandb-history.jsonl"] ?? []);
    expect(
      sent.map(({ offset, content }) => [offset, content.map((line) => (JSON.parse(line) as { [key: string]: unknown })["train/loss"])]),
    ).toEqual([
      [1, [2]],
      [2, [3]],
    ]);
    expect(lossesOf(findLogs()[0]!)).toEqual(["1", "2", "3"]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("a server that says no in GraphQL's way gets no rows, and the key is in no message", async () => {
  const { server, url } = await startServer(() => ({ json: { errors: [{ message: "permission denied" }], data: null } }));
  try {
    const { tracker, events } = open({ settings: { apiKey: "very-secret", baseUrl: url } });
    tracker.metrics({ step: 1, loss: 1 });
    await tracker.close("finished");
    expect(events.map(({ code }) => code)).toEqual(["tracking/denied", "tracking/unsent"]);
    expect(events[0]!.message).toContain("permission denied");
    expect(JSON.stringify(events)).not.toContain("very-secret");
    expect(readFileSync(join(folder, "trackers", "wandb.json"), "utf8")).not.toContain("very-secret");
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("samples are tables below files/, and what cannot be written is the fan-out's to tell", async () => {
  const { tracker } = open();
  tracker.samples([{ step: 4, prompt: "p", completion: "c", scores: { rm: Number.NaN }, extra: { a: 1 } }]);
  tracker.samples([]);
  tracker.histograms?.(4, { score: [1, 2], none: [Number.NaN] });
  await tracker.close("finished");
  const [path] = findLogs();
  const [table] = readdirSync(join(dirname(path!), "files", "media", "table"));
  expect(JSON.parse(readFileSync(join(dirname(path!), "files", "media", "table", table!), "utf8"))).toEqual({
    columns: ["prompt", "completion", "rm", "step", "extra"],
    data: [["p", "c", null, 4, '{"a":1}']],
  });
  const rows = readWandbLog(path!)
    .map(decodeRecord)
    .flatMap((record) => (record.kind === "history" ? [record.row] : []));
  expect(Object.keys(rows[1]!)).toEqual(["_step", "_runtime", "_timestamp", "histograms/score", "train/global_step"]);
  mkdirSync(join(folder, "other"));
  writeFileSync(join(folder, "other", "wandb"), "a file in the way");
  expect(() => open({ settings: { folder: join(folder, "other") } })).toThrow(/EEXIST|ENOTDIR/);
});
