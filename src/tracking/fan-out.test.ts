import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFanOut } from "./fan-out.ts";
import { createJsonLinesTracker } from "./json-lines.ts";
import { createTrackers } from "./report-to.ts";
import type { MetricsRow, RunEvent, Tracker } from "./tracker.ts";

function collect() {
  const rows: MetricsRow[] = [];
  const events: RunEvent[] = [];
  const closed: unknown[] = [];
  const tracker: Tracker = {
    metrics: (row) => void rows.push(row),
    samples() {},
    event: (event) => void events.push(event),
    progress() {},
    close: async (...how) => void closed.push(how),
  };
  return { rows, events, closed, tracker };
}

test("a tracker that throws is left out, reported once, and still closed", async () => {
  const good = collect();
  let calls = 0;
  const fail = (): never => {
    calls++;
    throw new Error("no network");
  };
  const closed: string[] = [];
  const bad: Tracker = { metrics: fail, samples: fail, event: fail, progress: fail, close: async (status) => void closed.push(status) };
  const all = createFanOut([
    { name: "bad", tracker: bad },
    { name: "good", tracker: good.tracker },
  ]);
  for (const step of [1, 2, 3]) all.metrics({ step });
  all.progress({ stage: "train", done: 1 });
  await all.close("finished");
  expect(calls).toBe(1);
  expect(good.rows).toHaveLength(3);
  expect(good.events).toMatchObject([{ code: "tracking/failed", level: "warning", tracker: "bad" }]);
  expect(good.events[0]!.message).toContain("no network");
  expect(closed).toEqual(["finished"]);
  expect(good.closed).toEqual([["finished", undefined]]);
});

test("an event has one time, whoever writes it down", () => {
  const [a, b] = [collect(), collect()];
  const all = createFanOut([a, b].map(({ tracker }, i) => ({ name: String(i), tracker })));
  all.event({ code: "run/note", message: "hello" });
  expect(a.events[0]!["time"]).toMatch(/^\d{4}-\d\d-\d\dT/);
  expect(b.events).toEqual(a.events);
});

test("all of them failing, the event included, does not throw", () => {
  const fail = (): never => {
    throw new Error("x");
  };
  const bad: Tracker = { metrics: fail, samples: fail, event: fail, progress: fail, close: fail };
  const all = createFanOut([
    { name: "a", tracker: bad },
    { name: "b", tracker: bad },
  ]);
  expect(() => all.metrics({ step: 1 })).not.toThrow();
  expect(() => all.event({ code: "x", message: "" })).not.toThrow();
});

test("a slow tracker is reported once; one that never closes is not waited for", async () => {
  const good = collect();
  const slow: Tracker = {
    ...collect().tracker,
    metrics() {
      for (const end = performance.now() + 8; performance.now() < end;);
    },
    close: () => new Promise(() => {}),
  };
  const all = createFanOut(
    [
      { name: "slow", tracker: slow },
      { name: "good", tracker: good.tracker },
    ],
    { slowAfter: 4, closeTimeout: 10 },
  );
  all.metrics({ step: 1 });
  all.metrics({ step: 2 });
  await all.close("stopped");
  expect(good.events).toMatchObject([{ code: "tracking/slow", tracker: "slow" }]);
  expect(good.closed).toEqual([["stopped", undefined]]);
});

test("an asynchronous failure counts too", async () => {
  const good = collect();
  const lazy = { ...collect().tracker, metrics: (): Promise<void> => Promise.reject(new Error("later")) };
  const all = createFanOut([
    { name: "lazy", tracker: lazy },
    { name: "good", tracker: good.tracker },
  ]);
  all.metrics({ step: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  expect(good.events).toMatchObject([{ code: "tracking/failed", tracker: "lazy" }]);
});

test("report_to names what is not there in one event", () => {
  const options = { folder: "/nowhere", config: {}, version: "1" };
  const { trackers, events } = createTrackers(["comet_ml", "clearml", "comet_ml"], options);
  expect(trackers).toEqual([]);
  expect(events).toHaveLength(1);
  expect(events[0]).toMatchObject({ code: "tracking/not-available", level: "warning", trackers: ["comet_ml", "clearml"] });
  expect(createTrackers([], options)).toEqual({ trackers: [], events: [] });
});

test("a tracker that cannot begin is one warning, and the others begin", () => {
  const folder = mkdtempSync(join(tmpdir(), "spar-report-"));
  try {
    const settings = { mlflow: { trackingUri: "sqlite:///x.db" }, wandb: { mode: "disabled" } } as const;
    const { trackers, events } = createTrackers(["mlflow", "wandb", "tensorboard"], { folder, config: {}, version: "1", settings });
    expect(trackers.map(({ name }) => name)).toEqual(["tensorboard"]);
    expect(events).toMatchObject([{ code: "tracking/failed", level: "warning", tracker: "mlflow" }]);
    expect(events[0]!.message).toContain("mlflow server --backend-store-uri sqlite:///x.db");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("what the recipe says wins over the environment, where it says something", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spar-report-"));
  try {
    const stateOf = async (config: object): Promise<unknown> => {
      const settings = { trackio: { project: "from-env", folder: join(folder, "trackio") } };
      const { trackers } = createTrackers(["trackio"], { folder, config: { ...config }, version: "1", settings });
      await trackers[0]!.tracker.close("finished");
      return JSON.parse(readFileSync(join(folder, "trackers", "trackio.json"), "utf8"));
    };
    expect(await stateOf({ project: "huggingface", run_name: "a" })).toMatchObject({ project: "from-env", run: "a" });
    expect(await stateOf({ project: "mine" })).toMatchObject({ project: "mine" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("JSON lines: metrics as they are, events with time and level", async () => {
  const rows: unknown[] = [];
  const tracker = createJsonLinesTracker((row) => rows.push(row));
  tracker.metrics({ step: 1, loss: 2 });
  tracker.event({ code: "x/y", message: "m", detail: 3 });
  tracker.progress({ stage: "train", done: 1 });
  await tracker.close("failed", new Error("boom"));
  expect(rows).toMatchObject([
    { step: 1, loss: 2 },
    { code: "x/y", level: "info", message: "m", detail: 3 },
    { code: "internal/bug", level: "error", message: "boom" },
  ]);
  expect((rows[1] as { time: string }).time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
});
