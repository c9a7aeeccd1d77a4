/** What trackers write and send, taken in by the real W&B, TensorBoard, Trackio and MLflow. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTrackers } from "../../src/tracking/report-to.ts";
import type { TrackerSettings } from "../../src/tracking/tracker-settings.ts";
import type { RunEvent, SampleRow, Tracker } from "../../src/tracking/tracker.ts";
import { startWandbStub, type WandbStub } from "./wandb-stub.ts";

const python = process.env["SPAR_TRACKERS_PYTHON"];
const bin = (name: string): string => join(dirname(python ?? ""), name);
const exec = promisify(execFile);

/** Seconds of a server's start that are normal on two busy cores. */
const startLimit = 120_000;

let folder: string;
let stub: WandbStub | undefined;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-trackers-"));
});
afterEach(async () => {
  await Promise.all(
    children.splice(0).map(async (child) => {
      if (child.exitCode !== null || child.pid === undefined) return;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      // Its workers are in its own group.
      process.kill(-child.pid, "SIGKILL");
      await gone;
    }),
  );
  await stub?.close();
  stub = undefined;
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

const config = { method: "ppo", learning_rate: 1e-5, packing: true, nothing: null, reward_funcs: ["a", "b"], text: "häß / x" };

const samples: SampleRow[] = Array.from({ length: 20 }, (_, i) => ({
  step: 10,
  prompt: `prompt ${i} | x`,
  completion: i === 3 ? "zwei\nZeilen 😀" : `completion ${i}`,
  scores: { rm: i / 10 },
}));

/** Three steps, an evaluation, samples and a warning. */
function train(tracker: Tracker, from = 0): void {
  for (let step = from + 1; step <= from + 3; step++) {
    tracker.metrics({ step: step * 10, epoch: step / 10, loss: 1 / step, "objective/kl": step / 4 });
  }
  tracker.metrics({ step: (from + 3) * 10, eval_loss: Number.NaN, eval_accuracy: 0.75 });
  tracker.samples(samples);
  tracker.histograms?.(10, { score: [1, 2, 3, 3, 4.5] });
  tracker.event({ code: "data/rows-dropped", level: "warning", message: "two rows were left out" });
}

function open(name: string, settings: TrackerSettings, options: { resume?: boolean; config?: object } = {}) {
  const events: RunEvent[] = [];
  const { trackers, events: early } = createTrackers([name], {
    folder,
    config: { ...config, ...options.config },
    version: "1.2.3",
    settings,
    resume: options.resume ?? false,
    report: (event) => void events.push(event),
  });
  expect(early).toEqual([]);
  return { tracker: trackers[0]!.tracker, events };
}

/** Folders of W&B's runs; its programs put their own logs beside them. */
const listRuns = (): string[] => readdirSync(join(folder, "wandb")).filter((name) => /^(offline-)?run-/.test(name));

async function runPython(script: string, args: readonly string[], env: { [name: string]: string } = {}): Promise<string> {
  const { stdout } = await exec(python as string, ["-c", script, ...args], {
    env: { ...process.env, ...env },
    cwd: folder,
    maxBuffer: 1 << 26,
  });
  return stdout;
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startServer(command: string, args: readonly string[], env: { [name: string]: string }, probe: string): Promise<void> {
  const child = spawn(command, args, { env: { ...process.env, ...env }, cwd: folder, stdio: ["ignore", "pipe", "pipe"], detached: true });
  children.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString("utf8")));
  const deadline = Date.now() + startLimit;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}: ${output.slice(-2000)}`);
    try {
      if ((await fetch(probe)).ok) return;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`${command} does not answer: ${output.slice(-2000)}`);
}

const wandbEnvironment = (url: string): { [name: string]: string } => ({
  WANDB_BASE_URL: url,
  WANDB_API_KEY: "k".repeat(40),
  WANDB_ERROR_REPORTING: "false",
  WANDB_CONFIG_DIR: join(folder, "wandb-config"),
  WANDB_CACHE_DIR: join(folder, "wandb-cache"),
});

type Row = { [key: string]: unknown };
/** W&B's JSON, in which NaN stands bare. */
const parseLines = (lines: readonly string[] = []): Row[] =>
  lines.map((line) => JSON.parse(line.replaceAll(/:(NaN|-?Infinity)\b/g, ':"$1"')) as Row);

/** What a run on the server must hold, whichever client sent it. */
function expectWandbRun(server: WandbStub): void {
  expect(server.runs.size).toBe(1);
  const [run] = [...server.runs.values()];
  expect(run).toMatchObject({ entity: "someone", project: "proj", displayName: "my run", exitCode: 0 });
  expect(run!.config).toMatchObject({
    learning_rate: { value: 1e-5 },
    reward_funcs: { value: ["a", "b"] },
    text: { value: "häß / x" },
    _wandb: {
      value: {
        m: [
          { 1: "train/global_step", 6: [3] },
          { 2: "*", 5: 1, 6: [1] },
        ],
      },
    },
  });
  const history = parseLines(run!.files["wandb-history.jsonl"]);
  expect(history.map((row) => row["_step"])).toEqual([0, 1, 2, 3, 4, 5]);
  expect(history.map((row) => row["train/global_step"])).toEqual([10, 20, 30, 30, 10, 10]);
  expect(history.slice(0, 3).map((row) => row["train/loss"])).toEqual([1, 1 / 2, 1 / 3]);
  expect(history[3]).toMatchObject({ "eval/loss": "NaN", "eval/accuracy": 0.75 });
  expect(history[5]).toMatchObject({ "histograms/score": { _type: "histogram" } });
  const table = history[4]!["samples"] as { path: string; nrows: number };
  expect(table).toMatchObject({ _type: "table-file", nrows: 20, ncols: 4 });
  const content = JSON.parse(run!.contents[table.path]!.toString("utf8")) as { columns: string[]; data: unknown[][] };
  expect(content.columns).toEqual(["prompt", "completion", "rm", "step"]);
  expect(content.data[3]).toEqual(["prompt 3 | x", "zwei\nZeilen 😀", 0.3, 10]);
  expect(parseLines(run!.files["wandb-summary.json"])[0]).toMatchObject({ "train/loss": 1 / 3, "eval/accuracy": 0.75 });
  expect((run!.files["output.log"] ?? []).join("\n")).toContain("two rows were left out");
}

describe.skipIf(python === undefined)("trackers", () => {
  test("W&B: `wandb sync` sends an offline run, and the rest of it after a resume", async () => {
    stub = await startWandbStub();
    const settings = { wandb: { mode: "offline", project: "proj", name: "my run" } } as const;
    const first = open("wandb", settings);
    train(first.tracker);
    await first.tracker.close("finished");
    const [name] = listRuns();
    expect(name).toMatch(/^offline-run-\d{8}_\d{6}-[a-z0-9]{8}$/);
    const path = join(folder, "wandb", name!);
    await exec(bin("wandb"), ["sync", path], { env: { ...process.env, ...wandbEnvironment(stub.url) }, cwd: folder });
    expectWandbRun(stub);

    // Steps after 20 are given up: a resumed run writes them again.
    const second = open("wandb", settings, { resume: true });
    second.tracker.event({ code: "run/resumed", message: "going on after step 20", step: 20 });
    second.tracker.metrics({ step: 30, loss: 7 });
    await second.tracker.close("failed");
    expect(listRuns()).toEqual([name]);
    await stub.close();
    stub = await startWandbStub();
    await exec(bin("wandb"), ["sync", path], { env: { ...process.env, ...wandbEnvironment(stub.url) }, cwd: folder });
    const [run] = [...stub.runs.values()];
    expect(run!.exitCode).toBe(1);
    const history = parseLines(run!.files["wandb-history.jsonl"]);
    expect(history.map((row) => [row["train/global_step"], row["train/loss"]])).toEqual([
      [10, 1],
      [20, 1 / 2],
      [10, undefined],
      [10, undefined],
      [30, 7],
    ]);
    const steps = history.map((row) => row["_step"] as number);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  });

  test("W&B: `wandb sync` sends what a killed run wrote", async () => {
    stub = await startWandbStub();
    const { tracker } = open("wandb", { wandb: { project: "proj" } });
    for (let step = 1; step <= 500; step++) tracker.metrics({ step, loss: 1 / step });
    const path = join(folder, "wandb", listRuns()[0]!);
    const log = join(
      path,
      readdirSync(path).find((name) => name.endsWith(".wandb"))!,
    );
    // The last record is torn; there is no end.
    truncateSync(log, statSync(log).size - 10);
    await exec(bin("wandb"), ["sync", path], { env: { ...process.env, ...wandbEnvironment(stub.url) }, cwd: folder });
    const [run] = [...stub.runs.values()];
    expect(parseLines(run!.files["wandb-history.jsonl"]).map((row) => row["train/global_step"])).toEqual(
      Array.from({ length: 499 }, (_, i) => i + 1),
    );
    expect(run!.exitCode).toBe(1);
    await tracker.close("failed");
  });

  test("W&B: what goes online is what the real client sends, to the same server", async () => {
    stub = await startWandbStub();
    const settings = { wandb: { apiKey: "k".repeat(40), baseUrl: stub.url, project: "proj", name: "my run" } };
    const { tracker, events } = open("wandb", settings);
    train(tracker);
    await tracker.close("finished");
    expect([...stub.keys]).toEqual([`api:${"k".repeat(40)}`]);
    expectWandbRun(stub);
    const ours = [...stub.runs.values()][0]!;
    expect(events).toMatchObject([{ code: "tracking/run-page", url: `${stub.url}/someone/proj/runs/${ours.id}` }]);

    // The local log of an online run is whole too.
    const name = listRuns().at(-1);
    const theirs = await startWandbStub();
    try {
      await exec(bin("wandb"), ["sync", "--no-skip-online", join(folder, "wandb", name!)], {
        env: { ...process.env, ...wandbEnvironment(theirs.url) },
        cwd: folder,
      });
      expectWandbRun(theirs);
    } finally {
      await theirs.close();
    }

    // The real client on the stub: the same requests, the same forms.
    const real = await startWandbStub();
    try {
      const script = `
import wandb
run = wandb.init(project="proj", name="my run", config={"learning_rate": 1e-5}, settings=wandb.Settings(x_disable_stats=True, disable_git=True, save_code=False, console="off"))
run.define_metric("train/global_step"); run.define_metric("*", step_metric="train/global_step", step_sync=True)
for step in (1, 2, 3): run.log({"train/loss": 1 / step, "train/global_step": step * 10})
run.log({"eval/loss": float("nan"), "train/global_step": 30})
run.log({"histograms/score": wandb.Histogram([1, 2, 3, 3, 4.5], num_bins=4), "train/global_step": 30})
run.finish()`;
      await runPython(script, [], wandbEnvironment(real.url));
      const [run] = [...real.runs.values()];
      expect(run).toMatchObject({ project: "proj", displayName: "my run", exitCode: 0 });
      const theirRows = parseLines(run!.files["wandb-history.jsonl"]);
      const ourRows = parseLines(ours.files["wandb-history.jsonl"]);
      const forms = (rows: Row[], key: string): unknown =>
        rows
          .filter((row) => key in row)
          .map((row) => [typeof row[key], row["_step"]])
          .slice(0, 3);
      for (const key of ["_runtime", "_timestamp", "train/loss"]) expect(forms(ourRows, key), key).toEqual(forms(theirRows, key));
      const keysOf = (value: unknown): string[] => Object.keys(value as object).toSorted();
      const histogramOf = (rows: Row[]): unknown => rows.find((row) => "histograms/score" in row)!["histograms/score"];
      expect(keysOf(histogramOf(theirRows)).filter((key) => !keysOf(histogramOf(ourRows)).includes(key))).toEqual([]);
      const operations = (server: WandbStub): string[] =>
        [...new Set(server.log.map((line) => line.replace(/\/[a-z0-9]{8}\//, "/ID/").replace(/^PUT .*/, "PUT")))].toSorted();
      // It does nothing that the real client does not do.
      expect(operations(stub).filter((line) => !operations(real).includes(line))).toEqual([]);
    } finally {
      await real.close();
    }
  });

  test("TensorBoard reads scalars, text, histograms and hyper-parameters", async () => {
    const { tracker } = open("tensorboard", {});
    train(tracker);
    await tracker.close("finished");
    const script = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator, TENSORS
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.plugins.hparams import backend_context, list_session_groups, api_pb2
from tensorboard.plugins import base_plugin
from tensorboard.context import RequestContext
from tensorboard.util import tensor_util
folder = sys.argv[1]
events = EventAccumulator(folder, size_guidance={TENSORS: 0}); events.Reload()
tags = events.Tags()
out = {"scalars": {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in tags["scalars"]}, "tensors": {}}
for tag in tags["tensors"]:
    plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
    values = [tensor_util.make_ndarray(e.tensor_proto) for e in events.Tensors(tag)]
    out["tensors"][tag] = [plugin, [[x.decode() for x in v] if plugin == "text" else v.tolist() for v in values]]
multiplexer = EventMultiplexer(tensor_size_guidance={"hparams": 0}); multiplexer.AddRunsFromDirectory(folder); multiplexer.Reload()
provider = MultiplexerDataProvider(multiplexer, folder)
context = base_plugin.TBContext(logdir=folder, multiplexer=multiplexer, data_provider=provider)
backend = backend_context.Context(context)
ctx = RequestContext()
metadata = backend.hparams_metadata(ctx, "")
experiment = backend.experiment_from_metadata(ctx, "", True, metadata, backend.hparams_from_data_provider(ctx, "", 100))
request = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=10, allowed_statuses=[api_pb2.STATUS_SUCCESS, api_pb2.STATUS_UNKNOWN])
groups = list_session_groups.Handler(ctx, backend, "", request).run().session_groups
def value(v): return getattr(v, v.WhichOneof("kind"))
out["hparams"] = [{name: value(v) for name, v in group.hparams.items()} for group in groups]
out["status"] = [session.status for group in groups for session in group.sessions]
print(json.dumps(out))`;
    const read = JSON.parse((await runPython(script, [join(folder, "runs")])).trim().split("\n").at(-1)!.replaceAll("NaN", '"NaN"')) as {
      scalars: { [tag: string]: [number, unknown][] };
      tensors: { [tag: string]: [string, unknown[]] };
      hparams: Row[];
      status: number[];
    };
    expect(read.scalars["train/loss"]!.map(([step]) => step)).toEqual([10, 20, 30]);
    expect(read.scalars["train/objective/kl"]).toEqual([
      [10, 0.25],
      [20, 0.5],
      [30, 0.75],
    ]);
    expect(read.scalars["eval/loss"]).toEqual([[30, "NaN"]]);
    expect(read.tensors["samples/text_summary"]![0]).toBe("text");
    expect(JSON.stringify(read.tensors["samples/text_summary"]![1])).toContain("| prompt 3 \\\\| x | zwei<br>Zeilen 😀 | rm 0.300 |");
    const [plugin, [histogram]] = read.tensors["histograms/score"] as [string, number[][][]];
    expect(plugin).toBe("histograms");
    expect(histogram![0]![0]).toBe(1);
    expect(histogram!.at(-1)![1]).toBe(4.5);
    expect(histogram!.reduce((sum, row) => sum + row[2]!, 0)).toBe(5);
    expect(read.tensors["histograms/completion_characters"]![0]).toBe("histograms");
    expect(read.hparams).toMatchObject([{ learning_rate: 1e-5, packing: true, method: "ppo", text: "häß / x" }]);
    expect(read.status).toEqual([1]);
  });

  /** Asks Trackio itself, after it has taken in what waits in its inbox. */
  const readTrackio = `
import json, sys
from trackio import fragments
from trackio.sqlite_storage import SQLiteStorage
imported = fragments.import_inbox_dir()
project = sys.argv[1]
runs = SQLiteStorage.get_run_records(project) if hasattr(SQLiteStorage, "get_run_records") else None
name = SQLiteStorage.get_runs(project)
logs = SQLiteStorage.get_logs(project, name[0])
print(json.dumps({"imported": imported, "runs": name, "logs": logs, "config": SQLiteStorage.get_run_config(project, name[0]), "alerts": SQLiteStorage.get_alerts(project)}, default=str))`;
  type TrackioContent = { imported: number; runs: string[]; logs: Row[]; config: Row; alerts: Row[] };
  const askTrackio = async (env: { [name: string]: string }): Promise<TrackioContent> =>
    JSON.parse((await runPython(readTrackio, ["proj"], env)).trim().split("\n").at(-1)!.replaceAll("NaN", '"NaN"')) as TrackioContent;

  function expectTrackioRun(content: TrackioContent, name: string): void {
    expect(content.runs).toEqual([name]);
    const losses = content.logs.filter((row) => "train/loss" in row);
    expect(losses.map((row) => [row["step"], row["train/loss"]])).toEqual([
      [10, 1],
      [20, 1 / 2],
      [30, 1 / 3],
    ]);
    expect(content.logs.find((row) => "eval/accuracy" in row)).toMatchObject({ step: 30, "eval/accuracy": 0.75, "eval/loss": "NaN" });
    const table = content.logs.find((row) => "samples" in row)!["samples"] as { _type: string; _value: Row[] };
    expect(table._type).toBe("trackio.table");
    expect(table._value[3]).toEqual({ prompt: "prompt 3 | x", completion: "zwei\nZeilen 😀", rm: 0.3, step: 10 });
    expect(content.logs.some((row) => "histograms/score" in row)).toBe(true);
    expect(content.config).toMatchObject({ learning_rate: 1e-5, reward_funcs: ["a", "b"] });
    expect(content.alerts).toMatchObject([{ title: "data/rows-dropped", text: "two rows were left out", level: "WARN" }]);
  }

  test("Trackio takes the fragments out of its inbox, and a resumed run goes on as the same", async () => {
    const home = join(folder, "home");
    const settings = { trackio: { folder: home, project: "proj" } };
    const first = open("trackio", settings, { config: { run_name: "my run" } });
    train(first.tracker);
    await first.tracker.close("finished");
    expect(first.events).toEqual([]);
    const content = await askTrackio({ TRACKIO_DIR: home });
    expect(content.imported).toBe(7);
    expectTrackioRun(content, "my run");
    const second = open("trackio", settings, { resume: true, config: { run_name: "another name" } });
    second.tracker.metrics({ step: 40, loss: 7 });
    await second.tracker.close("finished");
    const later = await askTrackio({ TRACKIO_DIR: home });
    expect(later.runs).toEqual(["my run"]);
    expect(later.logs.at(-1)).toMatchObject({ step: 40, "train/loss": 7 });
  });

  test("Trackio's server takes rows, refuses a wrong token, and gets them later", async () => {
    const home = join(folder, "home");
    const port = await findFreePort();
    const url = `http://127.0.0.1:${port}/`;
    const script = `
import sys, time, trackio
trackio.show(host="127.0.0.1", server_port=int(sys.argv[1]), open_browser=False, block_thread=False)
time.sleep(600)`;
    await startServer(
      python as string,
      ["-c", script, String(port)],
      { TRACKIO_DIR: home, TRACKIO_WRITE_TOKEN: "secret", PORT: String(port), GRADIO_SERVER_PORT: String(port) },
      `${url}version`,
    );
    const wrong = open(
      "trackio",
      { trackio: { serverUrl: url, writeToken: "wrong", project: "proj" } },
      { config: { run_name: "my run" } },
    );
    train(wrong.tracker);
    await wrong.tracker.close("finished");
    expect(wrong.events.map((event) => event.code)).toEqual(["tracking/denied", "tracking/unsent"]);
    const right = open("trackio", { trackio: { serverUrl: `${url}?write_token=secret`, project: "proj" } }, { resume: true });
    await right.tracker.close("finished");
    expect(right.events).toEqual([]);
    expectTrackioRun(await askTrackio({ TRACKIO_DIR: home }), "my run");
  });

  test("MLflow's server takes metrics, parameters, tags and tables; a resumed run goes on as the same", async () => {
    const port = await findFreePort();
    const uri = `http://127.0.0.1:${port}`;
    const settings = { mlflow: { trackingUri: uri, experiment: "proj", tags: { team: "x" } } };
    // Before there is a server: nothing is lost, and training is not told to wait.
    const early = open("mlflow", settings, { config: { run_name: "my run" } });
    early.tracker.metrics({ step: 5, loss: 9 });
    await early.tracker.close("stopped");
    expect(early.events.map((event) => event.code)).toEqual(["tracking/unreachable", "tracking/unsent"]);

    await startServer(
      python as string,
      [
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        String(port),
        "--workers",
        "1",
        "--backend-store-uri",
        `sqlite:///${join(folder, "mlflow.db")}`,
        "--artifacts-destination",
        join(folder, "artifacts"),
      ],
      { MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false" },
      `${uri}/health`,
    );
    const first = open("mlflow", settings, { resume: true, config: { run_name: "my run" } });
    train(first.tracker);
    // More than one request may hold.
    for (let step = 100; step < 700; step++) first.tracker.metrics({ step, a: step, b: -step });
    await first.tracker.close("finished");
    expect(first.events.map((event) => event.code)).toEqual(["tracking/run-page"]);

    const second = open("mlflow", settings, { resume: true });
    second.tracker.metrics({ step: 900, loss: 7 });
    second.tracker.event({ code: "training/non-finite", level: "error", message: "the loss is not finite" });
    await second.tracker.close("failed");

    const script = `
import json, sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
runs = client.search_runs([client.get_experiment_by_name("proj").experiment_id])
run = runs[0]
history = {key: [[m.step, m.value] for m in client.get_metric_history(run.info.run_id, key)] for key in ("loss", "a", "b", "eval_loss", "eval_accuracy")}
table = client.load_table(run.info.experiment_id, "samples/step-00000010.json", run_ids=[run.info.run_id])
print(json.dumps({"count": len(runs), "name": run.info.run_name, "status": run.info.status, "params": run.data.params, "tags": run.data.tags, "history": history, "table": table.values.tolist()}))`;
    const read = JSON.parse(
      (await runPython(script, [uri], { MLFLOW_ENABLE_ASYNC_LOGGING: "false" })).trim().split("\n").at(-1)!.replaceAll("NaN", '"NaN"'),
    ) as {
      count: number;
      name: string;
      status: string;
      params: Row;
      tags: Row;
      history: { [key: string]: [number, unknown][] };
      table: unknown[][];
    };
    expect(read).toMatchObject({ count: 1, name: "my run", status: "FAILED" });
    expect(read.params).toMatchObject({
      learning_rate: "0.00001",
      packing: "true",
      nothing: "None",
      reward_funcs: '["a","b"]',
      text: "häß / x",
    });
    expect(read.tags).toMatchObject({ team: "x", "spar.version": "1.2.3", "spar.error": "the loss is not finite" });
    expect(read.history["loss"]).toEqual([
      [5, 9],
      [10, 1],
      [20, 1 / 2],
      [30, 1 / 3],
      [900, 7],
    ]);
    expect(read.history["eval_loss"]).toEqual([[30, "NaN"]]);
    expect(read.history["a"]).toHaveLength(600);
    expect(read.history["b"]!.at(-1)).toEqual([699, -699]);
    expect(read.table[3]!.slice(0, 2)).toEqual(["prompt 3 | x", "zwei\nZeilen 😀"]);
    expect(read.table[5]).toEqual(["prompt 5 | x", "completion 5", 0.5, 10]);
  });
});
