import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hono } from "hono";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type LabelProjectOptions, openLabelProject, parseTaskRow } from "../../../labeling/index.ts";
import { createEventHub } from "../event-hub.ts";
import { createLabelProjects } from "./projects.ts";
import type { Disagreement, GivenLabel, NextAnswer, Project, ShownTask, Statistics, SubmitAnswer, SubmittedLabel } from "./protocol.ts";
import { createLabelRoutes } from "./routes.ts";
import { parseShownId } from "./shown-task.ts";
import { respondWithUIError } from "../ui-error.ts";

let folder: string;
const ends: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spar-label-routes-"));
});

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await rm(folder, { recursive: true, force: true });
});

const rows = (count: number): object[] =>
  Array.from({ length: count }, (_, i) => ({ id: `t${i}`, prompt: `Question ${i}?`, answer1: `first ${i}`, answer2: `second ${i}` }));

async function start(given: readonly object[] = rows(4), options: Partial<LabelProjectOptions> = {}) {
  const hub = createEventHub();
  const tasks = given.map((row) => parseTaskRow(row as Record<string, unknown>));
  const project = await openLabelProject({
    id: "p",
    name: "p.jsonl",
    mode: "pair",
    tasks,
    pairsPath: join(folder, "pairs.jsonl"),
    ...options,
  });
  const projects = createLabelProjects([project]);
  const app = new Hono();
  app.onError((error) => respondWithUIError(error));
  app.route("/api/label", createLabelRoutes({ projects, hub }));
  const close = async (): Promise<void> => {
    await projects.close();
    hub.close();
  };
  ends.push(close);
  const send = async <T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> => {
    const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await app.request(`/api/label${path}`, init);
    return { status: answer.status, body: (await answer.json()) as T };
  };
  const next = async (annotator = "anna", held: readonly string[] = [], count = 1, tab = "tab1"): Promise<readonly ShownTask[]> =>
    (await send<NextAnswer>("POST", "/projects/p/next", { annotator, tab, held, count })).body.tasks;
  const label = async (task: ShownTask, over: Partial<SubmittedLabel> = {}): Promise<SubmitAnswer & { id: string }> => {
    const given = { id: randomUUID(), task: task.id, annotator: "anna", choice: "left", milliseconds: 5000, guidelinesVersion: 0, ...over };
    return { ...(await send<SubmitAnswer>("POST", "/projects/p/labels", { labels: [given] })).body, id: given.id };
  };
  const stored = async (): Promise<Record<string, unknown>[]> =>
    (await readFile(join(folder, "labels.jsonl"), "utf8"))
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { hub, project, send, next, label, stored };
}

test("what is chosen on the screen is stored in the task's order", async () => {
  const { next, label, stored } = await start(rows(20));
  const sides = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const [task] = await next();
    const left = task.answers[0].startsWith("first") ? "a" : "b";
    sides.add(left);
    const { saved, refused, id } = await label(task, { choice: i % 2 === 0 ? "left" : "right" });
    expect([saved, refused]).toEqual([[id], []]);
    const row = (await stored()).at(-1)!;
    expect(row["choice"]).toBe(i % 2 === 0 ? left : left === "a" ? "b" : "a");
    expect(row["candidates"]).toEqual([{ text: `first ${i}` }, { text: `second ${i}` }]);
    expect(row["order"]).toEqual(left === "a" ? [0, 1] : [1, 0]);
  }
  expect(sides).toEqual(new Set(["a", "b"]));
  expect(await next()).toEqual([]);
});

test("a label that was shown under another seed means the same", async () => {
  const { next, label, stored, project } = await start();
  const [task] = await next();
  const wanted = task.answers[0];
  // As after a restart with --seed: only the id says what was where.
  const shown = parseShownId(task.id)!;
  expect(shown.order.map((index) => project.task(shown.id)!.candidates[index].text)).toEqual(task.answers);
  await label(task);
  const row = (await stored())[0];
  expect((row["candidates"] as { text: string }[])[row["choice"] === "a" ? 0 : 1].text).toBe(wanted);
});

test("the page does not learn whose the answers are", async () => {
  const { send, next } = await start([
    {
      prompt: "Q",
      candidates: [
        { text: "x", model: "sft" },
        { text: "y", model: "secret-model" },
      ],
    },
  ]);
  const tasks = JSON.stringify([await next(), (await send("GET", "/projects/p")).body, (await send("GET", "/projects")).body]);
  expect(tasks).not.toMatch(/secret|sft/);
});

test("rankings, ratings and edits are turned into the task's order", async () => {
  const candidates = ["one", "two", "three", "four"];
  const ranked = await start([{ id: "r", prompt: "Q", candidates }], { mode: "ranking" });
  const [task] = await ranked.next();
  const at = (text: string): number => task.answers.indexOf(text);
  const { saved } = await ranked.label(task, {
    choice: null,
    ranking: [[at("three")], [at("one"), at("four")], [at("two")]],
    edit: { answer: at("three"), text: "three!" },
  });
  expect(saved).toHaveLength(1);
  expect((await ranked.stored())[0]).toMatchObject({ ranking: [[2], [0, 3], [1]], edit: { candidate: 2, text: "three!" }, choice: null });
  const history = (await ranked.send<GivenLabel[]>("GET", "/projects/p/history?annotator=anna&limit=5")).body;
  expect(history[0].label.ranking).toEqual([[at("three")], [at("one"), at("four")].toSorted((a, b) => a - b), [at("two")]]);
  expect(history[0].task).toEqual(task);

  await ends.pop()!();
  await rm(join(folder, "labels.jsonl"));
  await rm(join(folder, "pairs.jsonl"));
  const rated = await start([{ id: "r", prompt: "Q", candidates }], { mode: "rating", ratingMax: 7 });
  const [shown] = await rated.next();
  await rated.label(shown, { choice: null, ratings: shown.answers.map((answer) => (answer === "two" ? null : answer.length)) });
  expect((await rated.stored())[0]).toMatchObject({ ratings: [3, null, 5, 4], rating_max: 7 });
});

test("one label that is wrong does not keep the others from being saved", async () => {
  const { send, next, stored } = await start();
  const tasks = await next("anna", [], 4);
  const good = { id: randomUUID(), task: tasks[1].id, annotator: "anna", choice: "tie", milliseconds: 1, guidelinesVersion: 0 };
  const bad = [
    { ...good, id: "bad-annotator", annotator: " " },
    { ...good, id: "bad-choice", choice: "better" },
    { ...good, id: "bad-task-1", task: "nothing~ab" },
    { ...good, id: "bad-task-2", task: tasks[0].id.replace(/~.*/, "~abc") },
    { ...good, id: "bad-task-3", task: "t0" },
    { ...good, id: "bad-undo-1", undoes: "never-given" },
    { ...good, id: "bad-edit-1", edit: { answer: 0, text: "  " } },
    { ...good, id: "bad-empty-1", choice: null },
    "nonsense",
  ];
  const { status, body } = await send<SubmitAnswer>("POST", "/projects/p/labels", { labels: [...bad, good] });
  expect(status).toBe(200);
  expect(body.saved).toEqual([good.id]);
  expect(body.refused.map(({ id, code }) => [id, code])).toEqual([
    ["bad-annotator", "invalid"],
    ["bad-choice", "invalid"],
    ["bad-task-1", "unknown-task"],
    ["bad-task-2", "invalid"],
    ["bad-task-3", "unknown-task"],
    ["", "invalid"],
    ["bad-undo-1", "invalid"],
    ["bad-edit-1", "invalid"],
    ["bad-empty-1", "invalid"],
  ]);
  expect(await stored()).toHaveLength(1);
});

test("sent twice it is stored once; a second label of the task is refused unless it revises; an undo opens the task again", async () => {
  const { next, label, stored, send } = await start();
  const [task] = await next();
  const first = await label(task, { id: "11111111-0000" });
  expect((await label(task, { id: "11111111-0000", choice: "right" })).saved).toEqual(["11111111-0000"]);
  expect((await stored()).length).toBe(1);
  const second = await label(task, { choice: "right" });
  expect(second.refused[0]).toMatchObject({ code: "already-labelled" });
  const revision = await label(task, { choice: "right", revises: first.id });
  expect(revision.saved).toEqual([revision.id]);
  expect((await label(task, { choice: "tie", revises: first.id })).refused[0].code).toBe("already-labelled");
  expect((await label(task, { choice: null, undoes: revision.id, annotator: "bob" })).refused[0].code).toBe("invalid");
  expect((await next())[0].id).not.toBe(task.id);
  const undo = await label(task, { choice: null, undoes: revision.id });
  expect(undo.progress.annotators["anna"]).toMatchObject({ done: 0, left: 4 });
  expect((await next())[0].id).toBe(task.id);
  const history = (await send<GivenLabel[]>("GET", "/projects/p/history?annotator=anna")).body;
  expect(history.map(({ label: given, state }) => [given.id, state])).toEqual([
    [revision.id, "undone"],
    [first.id, "revised"],
  ]);
});

test("statistics and disagreements", async () => {
  const { next, label, send } = await start(rows(3), { queue: { labelsPerTask: 2 } });
  const choose = async (annotator: string, better: readonly string[]): Promise<void> => {
    for (const task of await next(annotator, [], 3, annotator)) {
      await label(task, { annotator, choice: better.some((text) => task.answers[0].startsWith(text)) ? "left" : "right" });
    }
  };
  await choose("anna", ["first"]);
  await choose("bob", ["first 0", "first 1", "second 2"]);
  const { body } = await send<Statistics>("GET", "/projects/p/statistics");
  expect(body.labels).toBe(6);
  expect(body.agreement).toMatchObject({ tasks: 3, raw: 2 / 3, cohen: [{ a: "anna", b: "bob", tasks: 3, raw: 2 / 3, kappa: 0 }] });
  expect(body.pairs).toEqual({ usable: 2, ties: 0 });
  expect(body.bias.map(({ annotator, left, right }) => [annotator, left + right])).toEqual([
    [null, 6],
    ["anna", 3],
    ["bob", 3],
  ]);
  const divided = (await send<Disagreement[]>("GET", "/projects/p/disagreements")).body;
  expect(divided).toHaveLength(1);
  expect(divided[0].entropy).toBe(1);
  expect(divided[0].task.answers).toEqual(["first 2", "second 2"]);
  expect(divided[0].labels.map(({ annotator, choice }) => [annotator, choice])).toEqual([
    ["anna", "left"],
    ["bob", "right"],
  ]);
});

test("guidelines are versioned, and two people do not overwrite each other", async () => {
  const { send } = await start(rows(1), { guidelines: "Be kind." });
  expect((await send<Project>("GET", "/projects/p")).body.guidelines).toEqual({ version: 1, text: "Be kind." });
  expect((await send("PUT", "/projects/p/guidelines", { text: "Be kind and true.", after: 1 })).body).toEqual({
    version: 2,
    text: "Be kind and true.",
  });
  const late = await send<{ error: { code: string } }>("PUT", "/projects/p/guidelines", { text: "Mine", after: 1 });
  expect([late.status, late.body.error.code]).toEqual([409, "labeling/guidelines-changed"]);
});

test("requests that are none are answered with what is wrong", async () => {
  const { send } = await start();
  const failed = async (method: string, path: string, body?: unknown): Promise<[number, string]> => {
    const answer = await send<{ error: { code: string } }>(method, path, body);
    return [answer.status, answer.body.error.code];
  };
  expect(await failed("GET", "/projects/q")).toEqual([404, "label/no-project"]);
  expect(await failed("GET", "/projects/__proto__")).toEqual([404, "label/no-project"]);
  expect(await failed("POST", "/projects/p/next", { annotator: "a\u0000b", tab: "t", held: [], count: 1 })).toEqual([
    400,
    "label/bad-request",
  ]);
  expect(await failed("POST", "/projects/p/next", { annotator: "anna", tab: "t", held: [], count: 11 })).toEqual([
    400,
    "label/bad-request",
  ]);
  expect(await failed("POST", "/projects/p/labels", { labels: [] })).toEqual([400, "label/bad-request"]);
  expect(await failed("POST", "/projects/p/labels")).toEqual([400, "label/bad-request"]);
  expect(await failed("GET", "/projects/p/history?annotator=")).toEqual([400, "label/bad-request"]);
});

test("pages that listen are told of progress", async () => {
  const { hub, next, label } = await start();
  const seen: { data: { given: number } }[] = [];
  const { stop } = hub.subscribe(["label:p"], { deliver: ({ text }) => seen.push(JSON.parse(text) as { data: { given: number } }) });
  const [task] = await next("__proto__");
  await label(task, { annotator: "__proto__" });
  await vi.waitFor(() => expect(seen.at(-1)?.data).toMatchObject({ given: 1 }));
  expect(JSON.stringify(seen.at(-1))).toContain('"__proto__":{"done":1');
  stop();
});
