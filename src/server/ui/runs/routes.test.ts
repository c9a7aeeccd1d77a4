import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createEventHub } from "../event-hub.ts";
import type { EventsAnswer, RunChange, RunConfig, RunDetail, RunList, SamplesPage, SeriesAnswer } from "./protocol.ts";
import { createRunsRoutes } from "./routes.ts";
import { respondWithUIError } from "../ui-error.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "spar-runs-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const started = "2026-01-01T00:00:00.000Z";

interface RunParts {
  readonly record?: object;
  readonly metrics?: readonly object[];
  readonly system?: readonly object[];
  readonly samples?: readonly object[];
  readonly events?: readonly object[];
  readonly config?: string;
}

function writeRun(
  name: string,
  { record = {}, metrics = [], system = [], samples = [], events = [], config = "seed: 1\n" }: RunParts,
): string {
  const folder = join(root, "runs", name);
  mkdirSync(folder, { recursive: true });
  const full = {
    schema_version: 1,
    id: name,
    method: "sft",
    status: "finished",
    pid: 1,
    parent: null,
    started,
    ended: null,
    spar: "1.0.0",
    error: null,
  };
  writeFileSync(join(folder, "run.json"), JSON.stringify({ ...full, ...record }));
  writeFileSync(join(folder, "config.yaml"), config);
  for (const [file, rows] of Object.entries({ metrics, system, samples, events }))
    writeFileSync(join(folder, `${file}.jsonl`), lines(rows));
  return folder;
}

function openRoom(): { app: Hono; hub: ReturnType<typeof createEventHub> } {
  const hub = createEventHub({ linger: 0 });
  const app = createRunsRoutes({ root, runsFolders: [join(root, "runs")], hub });
  app.onError((error) => respondWithUIError(error));
  return { app, hub };
}

async function get<T>(app: Hono, path: string, status = 200): Promise<T> {
  const response = await app.request(path);
  expect(response.status, path).toBe(status);
  return (await response.json()) as T;
}

const control = (app: Hono, id: string, request: string): Promise<Response> =>
  Promise.resolve(
    app.request(`/${id}/control`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ request }) }),
  );

/** No process has it: one more than the largest that Linux gives. */
const deadPid = 2 ** 22 + 1;

describe("the list", () => {
  test("finds runs and their stages, newest first, and tells the dead from the living", async () => {
    writeRun("a", {
      metrics: [
        { step: 1, loss: 2 },
        { step: 2, loss: 1.5 },
        { step: 2, eval_loss: 3 },
      ],
    });
    writeRun("b", {
      record: { method: "ppo", status: "running", pid: deadPid, started: "2026-01-02T00:00:00.000Z" },
      metrics: [{ step: 4, "objective/scores": 0.5 }],
    });
    writeRun("c", { record: { method: "quickstart", status: "running", pid: process.pid, started: "2026-01-03T00:00:00.000Z" } });
    writeRun("c/reward", { record: { id: "stage", parent: "c", method: "reward", started: "2026-01-03T00:01:00.000Z" } });
    writeRun("a/checkpoint-5", {});
    writeFileSync(join(root, "runs", "run.json"), "{torn");
    mkdirSync(join(root, "elsewhere"));
    cpSync(join(root, "runs", "a"), join(root, "elsewhere", "secret"), { recursive: true });
    symlinkSync(join(root, "elsewhere"), join(root, "runs", "link"));
    const { app } = openRoom();
    const { runs, folders } = await get<RunList>(app, "/");
    expect(folders).toEqual(["runs"]);
    expect(runs.map(({ id, name, status }) => [id, name, status])).toEqual([
      ["stage", "runs/c/reward", "finished"],
      ["c", "runs/c", "running"],
      ["b", "runs/b", "killed"],
      ["a", "runs/a", "finished"],
    ]);
    expect(runs[0]!.parent).toBe("c");
    expect(await get<RunDetail>(app, "/stage")).toMatchObject({ parentName: "runs/c", stages: [] });
    const stages = [{ id: "stage", name: "runs/c/reward", method: "reward", status: "finished" }];
    expect(await get<RunDetail>(app, "/c")).toMatchObject({ parentName: null, stages });
    expect(runs[2]).toMatchObject({ step: 4, loss: null, reward: 0.5, rewardKey: "objective/scores" });
    expect(runs[3]).toMatchObject({ step: 2, loss: 1.5, reward: null });
  });

  test("a copied folder is a run of its own", async () => {
    writeRun("a", {});
    cpSync(join(root, "runs", "a"), join(root, "runs", "b"), { recursive: true });
    const { app } = openRoom();
    const { runs } = await get<RunList>(app, "/");
    expect(Object.fromEntries(runs.map(({ id, name }) => [id, name]))).toEqual({ a: "runs/a", "a~2": "runs/b" });
    expect((await get<RunDetail>(app, "/a~2")).folder).toBe(join(root, "runs", "b"));
  });

  test("a folder without runs, and one that is not there, are empty lists", async () => {
    const { app } = openRoom();
    expect((await get<RunList>(app, "/")).runs).toEqual([]);
    expect(await get(app, "/..%2f..%2fetc", 404)).toMatchObject({ error: { code: "runs/not-found" } });
  });

  test("a lock of an earlier process with the same number is not a living run", async () => {
    const folder = writeRun("a", { record: { status: "running", pid: process.pid } });
    writeFileSync(join(folder, ".spar-lock"), JSON.stringify({ pid: process.pid, host: (await import("node:os")).hostname(), born: "1" }));
    const { app } = openRoom();
    expect((await get<RunList>(app, "/")).runs[0]!.status).toBe(process.platform === "linux" ? "killed" : "running");
    writeFileSync(join(folder, ".spar-lock"), JSON.stringify({ pid: process.pid, host: "another.machine", born: "1" }));
    expect((await get<RunDetail>(app, "/a")).status).toBe("running");
  });

  test("a run that has ended since it was found is not called killed", async () => {
    const folder = writeRun("a", { record: { status: "running", pid: process.pid } });
    const { app } = openRoom();
    expect((await get<RunList>(app, "/")).runs[0]!.status).toBe("running");
    // The process is gone, as far as its lock tells, and the search that found it running is still good.
    writeFileSync(join(folder, ".spar-lock"), JSON.stringify({ pid: process.pid, host: (await import("node:os")).hostname(), born: "1" }));
    writeRun("a", { record: { status: "finished", pid: process.pid } });
    expect((await get<RunList>(app, "/")).runs[0]!.status).toBe("finished");
  });
});

describe("a run", () => {
  const metrics = [
    { step: 10, epoch: 0.5, loss: 3, num_tokens: 100 },
    { step: 20, epoch: 1, loss: 2, num_tokens: 300 },
    { step: 20, epoch: 1, eval_loss: 2.5 },
    { step: 30, epoch: 1.5, loss: 1, num_tokens: 400 },
  ];
  const system = [
    { time: "2026-01-01T00:00:05.000Z", step: 10, cpu_percent: 90, memory_mb: 500 },
    { time: "2026-01-01T00:00:15.000Z", step: 30, cpu_percent: 95, memory_mb: 510, tokens_per_second: 30 },
  ];

  test("says what it has, and how far it will go", async () => {
    writeRun("a", {
      metrics,
      system,
      config: "num_train_epochs: 3\nadap_kl_ctrl: true\nkl_target: 6\ndatasets:\n  - {path: json}\nmodel:\n  deep: {x: null}\n",
    });
    const { app } = openRoom();
    const detail = await get<RunDetail>(app, "/a");
    expect(detail).toMatchObject({
      steps: 60,
      axes: ["step", "time", "tokens"],
      targets: { "objective/kl": 6 },
      uncontrollable: "it is not running",
    });
    expect(detail.metrics.rows).toBe(4);
    expect(detail.metrics.keys).toContainEqual({ key: "eval_loss", count: 1, last: 2.5 });
    expect(detail.system.keys.map(({ key }) => key)).toContain("cpu_percent");
    const config = await get<RunConfig>(app, "/a/config");
    expect(config.values).toEqual({
      num_train_epochs: 3,
      adap_kl_ctrl: true,
      kl_target: 6,
      datasets: [{ path: "json" }],
      "model.deep.x": null,
    });
    expect(config.yaml).toContain("kl_target: 6");
  });

  test("curves over steps, time and tokens", async () => {
    const folder = writeRun("a", { metrics, system });
    const { app } = openRoom();
    const ask = (query: string): Promise<SeriesAnswer> => get(app, `/a/series?${query}`);
    expect((await ask("keys=loss,eval_loss,nothing")).series).toEqual({
      loss: { count: 3, x: [10, 20, 30], y: [3, 2, 1] },
      eval_loss: { count: 1, x: [20], y: [2.5] },
    });
    expect((await ask("keys=loss&x=time")).series["loss"]!.x).toEqual([5, 10, 15]);
    expect((await ask("keys=eval_loss&x=tokens")).series["eval_loss"]!.x).toEqual([300]);
    expect((await ask("keys=loss&from=15&to=25")).series["loss"]!.x).toEqual([20]);
    expect((await ask("keys=memory_mb&source=system&x=time")).series["memory_mb"]).toEqual({ count: 2, x: [5, 15], y: [500, 510] });
    appendFileSync(join(folder, "metrics.jsonl"), lines([{ step: 40, loss: 0.5 }]));
    expect((await ask("keys=loss")).series["loss"]!.y).toEqual([3, 2, 1, 0.5]);
    for (const query of ["", "keys=loss&x=epoch", "keys=loss&points=1", "keys=loss&from=abc", "keys=loss&source=other"]) {
      expect(await get(app, `/a/series?${query}`, 400), query).toMatchObject({ error: { code: "runs/bad-request" } });
    }
  });

  test("samples by step, text and score, a page at a time", async () => {
    const samples = [
      { step: 1, prompt: "the Film", completion: "is dull", scores: { rm: -1 }, score: -1 },
      { step: 1, prompt: "the film", completion: "is fine", scores: { rm: 2, words: 1 }, score: 3 },
      { step: 5, prompt: "a play", completion: "<img src=x>", scores: {} },
      { step: 5, prompt: [{ role: "user", content: "film?" }], completion: "ü", scores: { rm: 0.5 }, model: "after" },
    ];
    writeRun("a", { samples });
    const { app } = openRoom();
    const ask = (query: string): Promise<SamplesPage> => get(app, `/a/samples?${query}`);
    const rowsOf = async (query: string): Promise<number[]> => (await ask(query)).rows.map(({ row }) => row);
    expect((await get<RunDetail>(app, "/a")).samples).toEqual({ rows: 4, steps: [1, 5] });
    expect(await rowsOf("")).toEqual([0, 1, 2, 3]);
    expect(await rowsOf("step=5")).toEqual([2, 3]);
    expect(await rowsOf("text=FILM")).toEqual([0, 1, 3]);
    expect(await rowsOf("text=film&step=1&offset=1")).toEqual([1]);
    expect(await rowsOf("sort=-score")).toEqual([1, 3, 0, 2]);
    expect(await rowsOf("sort=score")).toEqual([0, 3, 1, 2]);
    const page = await ask("offset=1&limit=1");
    expect(page.total).toBe(4);
    expect(page.rows).toEqual([
      { row: 1, step: 1, prompt: "the film", completion: "is fine", scores: { score: 3, rm: 2, words: 1 }, columns: { score: 3 } },
    ]);
    expect((await ask("offset=3")).rows[0]).toMatchObject({ prompt: '[{"role":"user","content":"film?"}]', columns: { model: "after" } });
    expect(await get(app, "/a/samples?limit=0", 400)).toMatchObject({ error: { code: "runs/bad-request" } });
  });

  test("events are explained, and curves that look bad too", async () => {
    const flat = Array.from({ length: 12 }, (_, i) => ({
      step: i + 1,
      "objective/scores": i < 3 ? i : 1,
      "objective/kl": i < 8 ? 5 : 40,
      "policy/entropy_avg": i < 6 ? 3 : 0.1,
    }));
    writeRun("a", {
      metrics: [...flat, { step: 13, loss: null }],
      events: [
        { time: started, code: "dpo/both-fall", level: "info", message: "both", step: 4 },
        { time: started, code: "new/code", level: "warning", message: "what" },
      ],
    });
    const { app } = openRoom();
    const { events, signs } = await get<EventsAnswer>(app, "/a/events");
    expect(events[0]).toMatchObject({ code: "dpo/both-fall", step: 4, explanation: { meaning: expect.stringContaining("less likely") } });
    expect(events[1]).toMatchObject({ level: "warning", step: null, explanation: null });
    expect(signs.map(({ code, key, step }) => [code, key, step])).toEqual([
      ["sign/not-a-number", "loss", 13],
      ["sign/kl-high", "objective/kl", 9],
      ["sign/entropy-collapse", "policy/entropy_avg", 7],
      ["sign/reward-constant", "objective/scores", 4],
    ]);
    expect((await get<RunDetail>(app, "/a")).events).toEqual({ rows: 2, warnings: 1, signs: 4 });
  });
});

describe("control", () => {
  test("writes what the run reads, and refuses what makes no sense", async () => {
    const folder = writeRun("a", { record: { status: "running", pid: process.pid } });
    const file = join(folder, "control");
    const { app } = openRoom();
    const ask = async (request: string): Promise<[number, unknown]> => {
      const response = await control(app, "a", request);
      return [response.status, await response.json()];
    };
    expect(await ask("save")).toEqual([200, { control: "save" }]);
    expect(readFileSync(file, "utf8").trim()).toBe("save");
    expect(await ask("pause")).toEqual([200, { control: "pause" }]);
    expect((await get<RunDetail>(app, "/a")).status).toBe("paused");
    expect(await ask("save")).toMatchObject([409, { error: { code: "runs/paused" } }]);
    expect(await ask("resume")).toEqual([200, { control: null }]);
    expect(existsSync(file)).toBe(false);
    expect(await ask("resume")).toEqual([200, { control: null }]);
    expect(await ask("stop")).toEqual([200, { control: "stop" }]);
    expect(await ask("pause")).toMatchObject([409, { error: { code: "runs/stopping" } }]);
    expect(await ask("rm -rf")).toMatchObject([400, { error: { code: "runs/bad-request" } }]);
    expect((await app.request("/a/control", { method: "POST", body: "{" })).status).toBe(400);
  });

  test("a finished run takes no requests; a stage of self-play obeys the whole", async () => {
    writeRun("done", {});
    const whole = writeRun("play", { record: { method: "spin", status: "running", pid: process.pid } });
    writeRun("play/M1", { record: { id: "stage", parent: "play", method: "sft", status: "running", pid: process.pid } });
    writeRun("quick", { record: { method: "quickstart", status: "running", pid: process.pid } });
    const { app } = openRoom();
    expect((await control(app, "done", "stop")).status).toBe(409);
    expect((await control(app, "quick", "stop")).status).toBe(409);
    expect(existsSync(join(root, "runs", "done", "control"))).toBe(false);
    expect((await control(app, "stage", "pause")).status).toBe(200);
    expect(readFileSync(join(whole, "control"), "utf8").trim()).toBe("pause");
  });
});

test("pages that look are told what grew, and only they", async () => {
  const folder = writeRun("a", { record: { status: "running", pid: process.pid }, metrics: [{ step: 1, loss: 1 }] });
  const { hub } = openRoom();
  const changes: RunChange[] = [];
  const wait = async (until: () => boolean): Promise<void> => {
    for (let i = 0; i < 100 && !until(); i++) await new Promise((resolve) => setTimeout(resolve, 30));
    expect(until()).toBe(true);
  };
  const { stop } = hub.subscribe(["run:a"], { deliver: ({ text }) => changes.push((JSON.parse(text) as { data: RunChange }).data) });
  await wait(() => changes.length === 1);
  expect(changes[0]).toMatchObject({ metrics: 1, samples: 0, status: "running", control: null });
  appendFileSync(join(folder, "metrics.jsonl"), lines([{ step: 2, loss: 1 }]));
  await wait(() => changes.at(-1)!.metrics === 2);
  writeFileSync(join(folder, "metrics.jsonl"), lines([{ step: 1, loss: 1 }]));
  await wait(() => changes.at(-1)!.metrics === 1);
  expect(changes.at(-1)!.generation).toBe(1);
  stop();
  hub.close();
});
