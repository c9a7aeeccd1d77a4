/**
 * Many people labeling at the same time, against `spar label` as people start it: how many requests a second it answers, how long
 * somebody waits until a label is on disk, and whether anything was lost or doubled.
 *
 *   node bench/labeling.mjs [--annotators 200] [--seconds 60] [--think 0] [--tasks 100000] [--kill] [--json]
 *
 * --think: milliseconds between a task's coming and the choice. --kill: ends the server by SIGKILL instead of asking it, in the middle of
 * the labeling. Exit code 1 where a label that was called saved is not in the file, or is there twice.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    annotators: { type: "string", default: "200" },
    seconds: { type: "string", default: "60" },
    think: { type: "string", default: "0" },
    tasks: { type: "string", default: "100000" },
    kill: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const [count, seconds, think, tasks] = [values.annotators, values.seconds, values.think, values.tasks].map(Number);

const folder = mkdtempSync(join(tmpdir(), "spar-bench-labeling-"));
const data = join(folder, "tasks.jsonl");
const words = "a film of rare warmth that never quite finds its feet , though nobody who sees it will regret the evening";
writeFileSync(
  data,
  Array.from({ length: tasks }, (_, i) =>
    JSON.stringify({ id: `t${i}`, prompt: `Review number ${i}:`, answer1: `${words} (${i})`, answer2: `${words.slice(i % 60)} !` }),
  ).join("\n"),
);

const cli = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const server = spawn(process.execPath, [cli, "label", "--data", data, "--out", join(folder, "pairs.jsonl"), "--no-open", "--json"], {
  stdio: ["ignore", "pipe", "pipe"],
});
// Also where this script fails.
process.on("exit", () => {
  server.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});
let errors = "";
server.stderr.on("data", (text) => (errors += text));
const ended = new Promise((resolve) => server.on("close", resolve));
const { origin, token } = await new Promise((resolve, reject) => {
  let out = "";
  server.stdout.on("data", (text) => {
    out += text;
    if (out.includes("\n")) resolve(JSON.parse(out.slice(0, out.indexOf("\n"))));
  });
  void ended.then(() => reject(new Error(`the server ended:\n${errors}`)));
});

const agent = new Agent({ keepAlive: true, maxSockets: 2 * count });

/** Resolves with status, headers and body. */
function send(method, path, headers = {}, body = undefined) {
  return new Promise((resolve, reject) => {
    const sent = request(origin + path, { method, agent, headers: { ...headers, "content-type": "application/json" } }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (piece) => (text += piece));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
      answer.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** As a browser comes in: by the address that spar printed, and from then on with a cookie. */
async function enter() {
  const { status, headers } = await send("GET", `/?token=${token}`);
  if (status !== 303) throw new Error(`coming in: expected 303, got ${status}`);
  return headers["set-cookie"][0].split(";")[0];
}

const saved = new Set();
const sentTwice = new Set();
const submits = [];
const nexts = [];
let requests = 0;
let refused = 0;
let retries = 0;
let isOver = false;

/** As a page does: what got no answer is sent again. A server may close a connection at the very moment in which it is used again. */
async function sendSafely(path, cookie, body) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send("POST", path, { cookie }, body);
    } catch (error) {
      if (isOver || attempt === 5) throw error;
      retries++;
    }
  }
}

async function call(cookie, path, body, times) {
  const started = performance.now();
  const { status, text } = await sendSafely(`/api/label/projects/tasks/${path}`, cookie, body);
  times.push(performance.now() - started);
  requests++;
  if (status !== 200) throw new Error(`${path}: ${status} ${text.slice(0, 200)}`);
  return JSON.parse(text);
}

async function annotate(number) {
  const annotator = `annotator ${number}`;
  const cookie = await enter();
  const tab = randomUUID();
  const held = [];
  while (!isOver) {
    try {
      if (held.length < 3) {
        const { tasks: more } = await call(cookie, "next", { annotator, tab, held: held.map(({ id }) => id), count: 5 }, nexts);
        held.push(...more);
        if (held.length === 0) return;
      }
      if (think > 0) await new Promise((resolve) => setTimeout(resolve, think * (0.5 + Math.random())));
      const task = held.shift();
      const label = {
        id: randomUUID(),
        task: task.id,
        annotator,
        choice: task.answers[0].length > task.answers[1].length ? "left" : "right",
        milliseconds: 4000,
        guidelinesVersion: 0,
      };
      const answer = await call(cookie, "labels", { labels: [label] }, submits);
      for (const id of answer.saved) saved.add(id);
      refused += answer.refused.length;
      // A page whose answer got lost sends the label again.
      if (Math.random() < 0.02) {
        await call(cookie, "labels", { labels: [label] }, submits);
        sentTwice.add(label.id);
      }
    } catch (error) {
      if (!isOver) throw error;
    }
  }
}

/** Milliseconds of processor time that the server has used: unlike waiting, it says the same on a busy machine. Linux only. */
function readServerTime() {
  try {
    const fields = readFileSync(`/proc/${server.pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return 10 * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return NaN;
  }
}

const serverTime = readServerTime();
const started = performance.now();
const stop = setTimeout(() => {
  isOver = true;
  if (values.kill) server.kill("SIGKILL");
}, seconds * 1000);
await Promise.all(Array.from({ length: count }, (_, i) => annotate(i)));
clearTimeout(stop);
const usedTime = readServerTime() - serverTime;
const elapsed = (performance.now() - started) / 1000;
agent.destroy();
server.kill(values.kill ? "SIGKILL" : "SIGINT");
await ended;

const lines = readFileSync(join(folder, "labels.jsonl"), "utf8").split("\n");
// Without its end a line was never called saved.
lines.pop();
const rows = lines.map((line) => JSON.parse(line));
const stored = new Map();
const labelled = new Map();
for (const { id, task } of rows) {
  stored.set(id, (stored.get(id) ?? 0) + 1);
  labelled.set(task, (labelled.get(task) ?? 0) + 1);
}
const pairs = values.kill ? null : readFileSync(join(folder, "pairs.jsonl"), "utf8").split("\n").length - 1;

const quantile = (times, q) => {
  const sorted = Float64Array.from(times).sort();
  return Number(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))].toFixed(1));
};
const result = {
  annotators: count,
  seconds: Number(elapsed.toFixed(1)),
  think_ms: think,
  tasks,
  requests,
  requests_per_second: Math.round(requests / elapsed),
  server_cpu_ms_per_request: Number.isNaN(usedTime) ? null : Number((usedTime / requests).toFixed(2)),
  labels: saved.size,
  labels_per_second: Math.round(saved.size / elapsed),
  submit_ms: { p50: quantile(submits, 0.5), p95: quantile(submits, 0.95), p99: quantile(submits, 0.99), max: quantile(submits, 1) },
  next_ms: { p50: quantile(nexts, 0.5), p95: quantile(nexts, 0.95) },
  sent_twice: sentTwice.size,
  refused,
  retries,
  lost: [...saved].filter((id) => !stored.has(id)).length,
  doubled: [...stored.values()].filter((times) => times > 1).length,
  tasks_labelled_twice: [...labelled.values()].filter((times) => times > 1).length,
  pairs,
};
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
else process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
const isWhole = result.lost === 0 && result.doubled === 0 && result.tasks_labelled_twice === 0 && (pairs === null || pairs === rows.length);
process.exitCode = isWhole ? 0 : 1;
