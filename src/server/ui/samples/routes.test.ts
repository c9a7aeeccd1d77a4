import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LabelRow } from "../../../data/index.ts";
import type { LabelProject } from "../../../labeling/index.ts";
import { countWins } from "./blind-studies.ts";
import { createModelPool, type ModelPool } from "../model-pool.ts";
import type { BlindAnswer, BlindResult, GenerateEvent, Grid, GridRequest, Heat, HeatAnswer, Source } from "./protocol.ts";
import { createSamplesRoutes } from "./routes.ts";
import { respondWithUIError } from "../ui-error.ts";

const fixtures = fileURLToPath(new URL("../../../../test/fixtures/parity/models/", import.meta.url));

let root: string;
let pool: ModelPool;
let app: Hono;
const projects: LabelProject[] = [];

const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

function createApp(): Hono {
  const workspace = { root, runsFolders: [join(root, "runs")], dataFiles: [] };
  const { routes } = createSamplesRoutes({ workspace, pool, room: { add: (project) => projects.push(project) } });
  const made = new Hono();
  made.onError((error) => respondWithUIError(error));
  made.route("/", routes);
  return made;
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "spar-samples-"));
  const write = (path: string, content: string): void => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), content);
    utimesSync(join(root, path), new Date(), new Date(Date.now() - 10_000));
  };
  write(
    "runs/ppo/samples.jsonl",
    lines([
      { step: 1, prompt: "a", completion: "one", scores: { reward: 1 }, score: 1 },
      { step: 5, prompt: "a", completion: "two", scores: { reward: 3, length: 2 }, score: 5 },
    ]) + '{"step":5,"prompt":"b","compl',
  );
  const side = { outside_positive_share: 0.5, outside_interval: [0, 1] };
  write("runs/quick/report.json", JSON.stringify({ path: "rlhf", before: side, after: side, samples: [] }));
  const quick = (step: number, say: (i: number) => string): object[] =>
    Array.from({ length: 6 }, (_, i) => ({
      step,
      prompt: `p${i}`,
      completion: say(i),
      scores: { vader: step === 0 ? i / 10 : 0.9 - i / 10 },
    }));
  write(
    "runs/quick/samples.jsonl",
    lines([...quick(0, (i) => `plain ${"x".repeat(i)}`), ...quick(40, (i) => (i === 2 ? "plain xx" : `a JOY ${i}`))]),
  );
  write("runs/eval/report.json", JSON.stringify({ kind: "eval", sides: {}, model: "runs/ppo", against: "runs/sft" }));
  write(
    "runs/eval/samples.jsonl",
    lines([{ prompt: [{ role: "user", content: "hi" }], model: "m", against: "n", verdict: "win", rewards: [2, 1] }]),
  );
  write(
    "out.jsonl",
    lines([
      { prompt: "a", completion: "x" },
      { prompt: "a", completion: "y" },
      { prompt: "a", completion: "z", model: "big" },
    ]),
  );
  write("pairs.jsonl", lines([{ prompt: "a", chosen: "good", rejected: [{ role: "assistant", content: "bad" }] }]));
  write("other.jsonl", lines([{ text: "no prompt" }]));
  cpSync(join(fixtures, "stories260K-score"), join(root, "runs/reward"), { recursive: true });
  cpSync(join(fixtures, "stories260K"), join(root, "runs/sft"), { recursive: true });
  pool = createModelPool({ root, runsFolders: [join(root, "runs")], models: [] });
  app = createApp();
});
afterAll(async () => {
  for (const project of projects) await project.close();
  await pool.close();
  rmSync(root, { recursive: true });
});

const post = (path: string, body: unknown): Promise<Response> =>
  Promise.resolve(app.request(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }));
const list = async (): Promise<Source[]> => (await (await app.request("/sources")).json()) as Source[];
const columnId = async (source: string, name: string): Promise<string> =>
  (await list()).find((one) => one.name === source)?.columns.find((column) => column.name === name)?.id ?? "missing";
const modelId = async (name: string): Promise<string> => (await pool.list()).find((model) => model.name === name)?.id ?? "missing";
const grid = async (request: GridRequest): Promise<Grid> => {
  const answer = await post("/grid", request);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Grid;
};
const textsOf = ({ rows }: Grid): (string | undefined)[][] => rows.map(({ cells }) => cells.map((cell) => cell?.text));

describe("sources", () => {
  test("runs, quickstarts, evaluations and files, each with its columns; what has no prompt is left out", async () => {
    const all = await list();
    expect(
      Object.fromEntries(all.map(({ name, kind, columns }) => [name, [kind, ...columns.map((column) => `${column.name} ${column.rows}`)]])),
    ).toEqual({
      "runs/ppo": ["run", "step 1 1", "step 5 1"],
      "runs/quick": ["quickstart", "before 6", "after 6"],
      "runs/eval": ["eval", "runs/ppo 1", "runs/sft 1"],
      "out.jsonl": ["file", "completion 2", "big 1"],
      "pairs.jsonl": ["file", "chosen 1", "rejected 1"],
    });
    expect(all.find(({ name }) => name === "runs/ppo")?.columns.map(({ scores }) => scores)).toEqual([
      ["reward"],
      ["reward", "length", "score"],
    ]);
    expect(all.find(({ name }) => name === "runs/eval")?.columns[1].scores).toEqual(["reward", "preferred"]);
    for (const { columns, first } of all) expect(first).toEqual(columns.map(({ id }) => id));
  });

  test("a file that has grown is read anew", async () => {
    appendFileSync(join(root, "runs/ppo/samples.jsonl"), `etion":"late","scores":{}}\n`);
    const columns = (await list()).find(({ name }) => name === "runs/ppo")?.columns;
    expect(columns?.map(({ rows }) => rows)).toEqual([1, 2]);
  });
});

describe("grid", () => {
  const both = async (rest: Partial<GridRequest> = {}): Promise<Grid> =>
    grid({ columns: [await columnId("runs/quick", "before"), await columnId("runs/quick", "after")], ...rest });

  test("texts of one prompt stand in one row, and are summed up", async () => {
    const whole = await both();
    expect(whole.total).toBe(6);
    expect(whole.rows[0]).toMatchObject({ prompt: "p0", cells: [{ text: "plain ", scores: { vader: 0 } }, { text: "a JOY 0" }] });
    expect(whole.columns[0].summary).toEqual({ rows: 6, meanLength: 8.5, meanScores: { vader: expect.closeTo(0.25) as number } });
  });

  test("the n-th time that a prompt comes goes with the n-th of the others; gaps stay gaps", async () => {
    const files = [
      await columnId("out.jsonl", "completion"),
      await columnId("out.jsonl", "big"),
      await columnId("pairs.jsonl", "rejected"),
    ];
    expect(textsOf(await grid({ columns: files }))).toEqual([
      ["x", "z", "bad"],
      ["y", undefined, undefined],
    ]);
    expect((await grid({ columns: files, only: "every" })).total).toBe(1);
  });

  test("search, differences, pages", async () => {
    expect(textsOf(await both({ search: " joy 4" }))).toEqual([["plain xxxx", "a JOY 4"]]);
    expect((await both({ search: "p3" })).total).toBe(1);
    expect((await both({ only: "differ" })).total).toBe(5);
    const page = await both({ offset: 4, limit: 1 });
    expect([page.total, page.rows.map(({ prompt }) => prompt)]).toEqual([6, ["p4"]]);
  });

  test("order by length, score, difference and file", async () => {
    const order = async (sort: NonNullable<GridRequest["sort"]>): Promise<unknown[]> =>
      (await both({ sort })).rows.map(({ prompt }) => prompt);
    const first = await columnId("runs/quick", "before");
    expect(await order({ by: "length", column: first, descending: true })).toEqual(["p5", "p4", "p3", "p2", "p1", "p0"]);
    expect((await order({ by: "vader", column: "difference", descending: true }))[0]).toBe("p0");
    expect((await order({ by: "file", descending: true }))[0]).toBe("p5");
    expect(await order({ by: "no-score", column: first })).toHaveLength(6);
  });

  test.each([
    [{ columns: ["gone:x"] }, 404, "ui/no-column"],
    [{ columns: [] }, 400, "ui/bad-request"],
    [{ columns: ["a"], limit: 1000 }, 400, "ui/bad-request"],
    [{ columns: ["a"], sql: "drop" }, 400, "ui/bad-request"],
  ])("%j is refused", async (body, status, code) => {
    const answer = await post("/grid", body);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ error: { code } });
  });
});

test("generate now fills cells as they come, and keeps them as a source; a model that fails does not stop the others", async () => {
  const models = [await modelId("sft"), await modelId("reward"), await modelId("tiny-reviews (shipped)")];
  const body = { models, prompts: ["Once upon", "the film"], n: 2, sampling: { maxNewTokens: 6 }, seed: 4 };
  const text = await (await post("/generate", body)).text();
  const events = text
    .split("\n\n")
    .filter((line) => line.startsWith("data: {"))
    .map((line) => JSON.parse(line.slice(6)) as GenerateEvent);
  const cells = events.filter((event) => event.type === "cell");
  expect(cells.map(({ model, row }) => `${models.indexOf(model)} ${row}`).sort()).toEqual([
    "0 0",
    "0 1",
    "0 2",
    "0 3",
    "2 0",
    "2 1",
    "2 2",
    "2 3",
  ]);
  for (const cell of cells) {
    const streamed = events.flatMap((event) =>
      event.type === "text" && event.model === cell.model && event.row === cell.row ? event.text : [],
    );
    expect(streamed.join("")).toBe(cell.text);
  }
  expect(events).toContainEqual(expect.objectContaining({ type: "failed", model: models[1], code: "ui/wrong-model" }));
  const end = events.at(-1) as Extract<GenerateEvent, { type: "end" }>;
  expect(end.source?.columns.map(({ name, rows }) => [name, rows])).toEqual([
    ["sft", 4],
    ["tiny-reviews (shipped)", 4],
  ]);
  const laid = await grid({ columns: end.source?.columns.map(({ id }) => id) ?? [] });
  expect(laid.rows.map(({ prompt }) => prompt)).toEqual(["Once upon", "Once upon", "the film", "the film"]);
  expect(readdirSync(join(root, "samples"))).toHaveLength(1);
});

test("scores by token: texts are the completion, the last score is the reward, bad rows are told by themselves", async () => {
  const items = [
    { prompt: "Once upon a time", text: ", there was a café." },
    { prompt: [{ role: "user", content: "hi" }], text: "x" },
    { prompt: "x", text: "word ".repeat(600) },
  ];
  const answer = (await (await post("/heat", { model: await modelId("reward"), items })).json()) as HeatAnswer;
  const heat = answer.items[0] as Heat;
  expect(heat.tokens.at(-1)?.ends).toBe(true);
  expect(
    heat.tokens
      .filter(({ ends }) => !ends)
      .map(({ text }) => text)
      .join(""),
  ).toBe(items[0].text);
  expect(heat.score).toBe(heat.tokens.at(-1)?.score);
  expect(heat.before).toEqual(expect.any(Number));
  expect(answer.items[1]).toMatchObject({ error: expect.stringMatching(/chat template/) as string });
  expect(answer.items[2]).toMatchObject({ error: expect.stringMatching(/positions/) as string });
  expect((await post("/heat", { model: await modelId("sft"), items })).status).toBe(400);
});

describe("blind", () => {
  test("tasks without names for the Label room; the winner is told once there are labels", async () => {
    const columns = [await columnId("runs/quick", "before"), await columnId("runs/quick", "after")];
    const made = (await (await post("/blind", { columns, count: 4, seed: 1 })).json()) as BlindAnswer;
    expect(made).toMatchObject({ tasks: 4, same: 1 });
    const project = projects.find(({ id }) => id === made.project) as LabelProject;
    expect(JSON.stringify([project.id, project.name])).not.toMatch(/quick|before|after/);
    const results = async (): Promise<BlindResult[]> => (await (await app.request("/blind")).json()) as BlindResult[];
    expect(await results()).toMatchObject([{ project: made.project, tasks: 4, labels: 0, judged: 0, models: null }]);

    const tasks = project.next("ann", "tab", [], 4);
    expect(tasks).toHaveLength(4);
    const base = { annotator: "ann", order: [0, 1], milliseconds: 1, guidelines_version: 0 };
    const choices = ["b", "b", "tie", "skip"] as const;
    await project.submit(tasks.map((task, i) => ({ ...base, id: `label-${i}`, task: task.id, choice: choices[i] })));
    const [result] = await results();
    expect(result).toMatchObject({ labels: 4, judged: 3, ties: 1, bothBad: 0 });
    expect(result.models).toMatchObject([
      { name: "runs/quick, before", wins: 0, winRate: expect.closeTo(1 / 6) as number },
      { name: "runs/quick, after", wins: 2, winRate: expect.closeTo(5 / 6) as number },
    ]);
    const [low, high] = result.models?.[1].interval ?? [0, 0];
    expect(low).toBeGreaterThan(0.2);
    expect(high).toBeLessThan(1);
  });

  test("a new server hands them to the Label room again", async () => {
    await projects.pop()?.close();
    const reopened: LabelProject[] = [];
    const workspace = { root, runsFolders: [], dataFiles: [] };
    await createSamplesRoutes({ workspace, pool, room: { add: (project) => reopened.push(project) } }).reopenStudies();
    expect(reopened.map((project) => [project.progress().tasks, project.progress().given])).toEqual([[4, 3]]);
    projects.push(...reopened);
  });

  test("columns without differing texts cannot be compared", async () => {
    const before = await columnId("runs/quick", "before");
    for (const other of [before, await columnId("runs/eval", "runs/ppo")]) {
      const answer = await post("/blind", { columns: [before, other] });
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ error: { code: "ui/nothing-to-compare" } });
    }
    expect(readdirSync(join(root, "labels")).filter((name) => name.endsWith(".tasks.jsonl"))).toHaveLength(1);
    expect(
      readFileSync(join(root, "labels", readdirSync(join(root, "labels")).find((name) => name.endsWith(".tasks.jsonl")) ?? ""), "utf8"),
    ).toContain("before");
  });

  test("several people's labels of a task count once", () => {
    const label = (task: string, choice: LabelRow["choice"]): LabelRow => ({
      id: `${task}${choice}`,
      task,
      annotator: "x",
      prompt: "",
      candidates: [{ text: "1", model: "A" }, { text: "2" }],
      choice,
      order: [0, 1],
      milliseconds: 0,
      guidelines_version: 0,
      given: "",
    });
    const counted = countWins([label("1", "a"), label("1", "b"), label("1", "both_bad"), label("2", "a"), label("3", "flag")]);
    expect(counted).toMatchObject({ labels: 5, judged: 2, ties: 0, bothBad: 1 });
    expect(counted.models).toMatchObject([
      { name: "A", wins: 2, winRate: 0.75 },
      { name: "answer 2", wins: 1, winRate: 0.25 },
    ]);
    expect(countWins([])).toMatchObject({ judged: 0, models: null });
  });
});
