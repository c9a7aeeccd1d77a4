import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeStudio, type FakeTask, pairwise, startFakeStudio, verdict } from "../../../test/fixtures/fake-label-studio.ts";
import { nameLabelFiles, pullProject, readStudioStatus, type LabelFiles } from "./pull-project.ts";
import { createStudioClient, type StudioClient } from "./studio-client.ts";
import { readStudioLabels } from "./studio-labels.ts";
import { renderStudioConfig } from "./studio-config.ts";
import { saveStudioDataset } from "./studio-dataset.ts";

let fake: FakeStudio;
let client: StudioClient;
let folder: string;
let files: LabelFiles;
let tasks: FakeTask[];
beforeEach(async () => {
  fake = await startFakeStudio();
  client = createStudioClient({ url: fake.url, token: "x", pause: 1, retries: 4 });
  folder = mkdtempSync(join(tmpdir(), "spar-test-"));
  files = nameLabelFiles(join(folder, "out", "pairs.jsonl"));
  const project = fake.addProject("answers", renderStudioConfig("pair"));
  tasks = Array.from({ length: 6 }, (_, i) =>
    fake.addTask(
      project,
      { prompt: `Q${i}`, answer1: `a${i}`, answer2: `b${i}`, pair_id: `p${i}` },
      { pair_id: `p${i}`, swap: i % 2 === 1, order: i % 2 === 1 ? [1, 0] : [0, 1] },
    ),
  );
});
afterEach(() => {
  fake.close();
  rmSync(folder, { recursive: true });
});

const pull = (options: { full?: boolean } = {}) => pullProject(client, { project: "answers", files, ...options });
const read = (path: string): { [key: string]: unknown }[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { [key: string]: unknown });
const chosen = (): unknown[] => read(files.pairs).map((pair) => [pair["task"], pair["chosen"]]);

describe("pullProject", () => {
  it("writes pairs, every label as it was given, and what the next pull needs", async () => {
    fake.annotate(tasks[0], { result: [pairwise("left")] });
    fake.annotate(tasks[1], { result: [pairwise("left")], completed_by: 7 });
    fake.annotate(tasks[2], { result: [verdict("tie")] });
    fake.annotate(tasks[3], { was_cancelled: true });
    fake.annotate(tasks[4], { result: [] });
    tasks[5].drafts.push({ id: 1, result: [pairwise("left")] });
    const { summary, read: count, problems } = await pull();
    expect([count, problems]).toEqual([6, []]);
    expect(summary).toEqual({ tasks: 6, labelled: 3, labels: 5, annotators: 2, skips: 1, ties: 1, both_bad: 0, empty: 1, pairs: 2 });
    // Displayed on the left of the second task, whose sides are swapped: the row's second answer.
    expect(read(files.pairs).map(({ prompt, chosen, rejected, task }) => [prompt, chosen, rejected, task])).toEqual([
      ["Q0", "a0", "b0", "p0"],
      ["Q1", "a1", "b1", "p1"],
    ]);
    const labels = read(files.labels);
    expect(labels.map(({ task, choice, annotator }) => [task, choice, annotator])).toEqual([
      ["p0", "a", "1"],
      ["p1", "b", "7"],
      ["p2", "tie", "1"],
      ["p3", "skip", "1"],
      ["p4", "skip", "1"],
    ]);
    expect(labels[1]).toMatchObject({ candidates: [{ text: "b1" }, { text: "a1" }], order: [1, 0], milliseconds: 1500 });
    expect(labels[4]).toMatchObject({ label_studio: { note: "empty" } });
  });

  it("reads only what has changed; changes, deletions and tasks that are gone are followed", async () => {
    const annotations = tasks.map((task) => fake.annotate(task, { result: [pairwise("left")] }));
    await pull();
    fake.requests.length = 0;
    expect(await pull()).toMatchObject({ read: 0, gone: 0 });
    expect(fake.requests.filter(({ path }) => /\/api\/tasks\/\d/.test(path))).toEqual([]);
    annotations[0]["result"] = [pairwise("right")];
    fake.touch(tasks[0]);
    tasks[1].annotations.length = 0;
    fake.touch(tasks[1]);
    fake.tasks.splice(2, 1);
    fake.annotate(tasks[3], { result: [pairwise("right")], completed_by: 2 });
    expect(await pull()).toMatchObject({ read: 3, gone: 1 });
    expect(chosen()).toEqual([
      ["p0", "b0"],
      ["p4", "a4"],
      ["p5", "a5"],
    ]);
    // The same bytes as reading everything.
    const bytes = [files.pairs, files.labels].map((path) => readFileSync(path, "utf8"));
    expect(await pull({ full: true })).toMatchObject({ read: 5 });
    expect([files.pairs, files.labels].map((path) => readFileSync(path, "utf8"))).toEqual(bytes);
  });

  it("reads many changes by pages, and pages that shift while they are read", async () => {
    const project = 1;
    for (let i = 6; i < 230; i++)
      tasks.push(fake.addTask(project, { prompt: `Q${i}`, answer1: `a${i}`, answer2: `b${i}`, pair_id: `p${i}` }));
    await pull();
    for (const task of tasks) fake.annotate(task, { result: [pairwise("left")] });
    let pages = 0;
    fake.fate = (_, path) => {
      // Somebody deletes the first task between the pages: the 101st moves to the page before.
      if (path === "/api/tasks" && ++pages === 3) fake.tasks.shift();
      return "pass";
    };
    fake.requests.length = 0;
    const { summary } = await pull();
    expect(summary.pairs).toBe(229);
    expect(fake.requests.length).toBeLessThan(20);
  });

  it("survives a network that loses every other request", async () => {
    for (const task of tasks) fake.annotate(task, { result: [pairwise("right")] });
    let count = 0;
    fake.fate = () => (["before", "pass", 503, "after", "pass"] as const)[count++ % 5];
    expect((await pull()).summary.pairs).toBe(6);
  });

  it("never writes over labels that were given elsewhere, nor over another project's", async () => {
    await pull();
    fake.addProject("others", renderStudioConfig("pair"));
    await expect(pullProject(client, { project: "others", files })).rejects.toMatchObject({ code: "label-studio/other-project" });
    const own = nameLabelFiles(join(folder, "pairs.jsonl"));
    writeFileSync(own.labels, '{"id":"1","task":"t","annotator":"me","choice":"a"}\n');
    await expect(pullProject(client, { project: "answers", files: own })).rejects.toMatchObject({ code: "label-studio/other-labels" });
    expect(readFileSync(own.labels, "utf8")).toContain('"annotator":"me"');
    expect(existsSync(own.pairs)).toBe(false);
    // A state that cannot be read costs time only.
    writeFileSync(files.state, "{half");
    expect((await pull()).read).toBe(6);
    expect(nameLabelFiles("x/mine.jsonl")).toEqual({ pairs: "x/mine.jsonl", labels: "x/mine.labels.jsonl", state: "x/mine.label-studio" });
  });

  it("understands leftChoiceValue and rightChoiceValue, and tells of tasks that are something else", async () => {
    fake.projects[0]["label_config"] =
      '<View><Text name="a" value="$answer1"/><Text name="b" value="$answer2"/><Pairwise name="pw" toName="a,b" leftChoiceValue="first &amp; best" rightChoiceValue=\'second\'/></View>';
    fake.annotate(tasks[0], { result: [pairwise("first & best", "pw")] });
    fake.annotate(tasks[1], { result: [pairwise(["second"], "pw")] });
    fake.annotate(tasks[2], { result: [pairwise("b", "pw")] });
    fake.annotate(tasks[4], { result: [pairwise("middle", "pw")] });
    const image = fake.addTask(1, { image: "x.png" });
    const { problems } = await pull();
    expect(problems).toHaveLength(2);
    expect(chosen()).toEqual([
      ["p0", "a0"],
      ["p1", "b1"],
      ["p2", "b2"],
    ]);
    expect(problems).toEqual([
      `task ${tasks[4].id}: expected left or right as the selected side, found "middle"`,
      `task ${image.id}: expected two answers (answer1, answer2) in data`,
    ]);
    tasks[4].annotations.length = 0;
    const path = join(folder, "data.jsonl");
    expect(await saveStudioDataset(client, "answers", path)).toMatchObject({ tasks: 7, labelled: 3 });
    const sides = read(path).map(
      ({ annotations }) => (annotations as { result: { value: { selected: string } }[] }[])[0].result[0].value.selected,
    );
    expect(sides).toEqual(["left", "right", "right"]);
  });
});

it("left is what the configuration puts there, whatever its columns are called", async () => {
  const text = (name: string, column: string): string => `<Text name="${name}" value="$${column}"/>`;
  fake.projects[0]["label_config"] =
    `<View>${text("one", "answer1")}${text("two", "answer2")}<Pairwise name="pw" toName="two,one"/></View>`;
  fake.annotate(tasks[0], { result: [pairwise("left", "pw")] });
  fake.annotate(tasks[1], { result: [pairwise("one", "pw")] });
  await pull();
  // p1 is swapped: its column answer1 holds the row's second answer.
  expect(read(files.labels).map(({ task, choice }) => [task, choice])).toEqual([
    ["p0", "b"],
    ["p1", "b"],
  ]);
  expect(chosen()).toEqual([
    ["p0", "b0"],
    ["p1", "a1"],
  ]);
  const path = join(folder, "data.jsonl");
  await saveStudioDataset(client, "answers", path);
  const settled = read(path).map((row) => readStudioLabels([row]).pairs[0]?.chosen);
  expect(settled).toEqual(["b0", "a1"]);
  const other = fake.addProject("own columns", `<View>${text("l", "good")}${text("r", "bad")}<Pairwise name="pw" toName="l,r"/></View>`);
  fake.annotate(fake.addTask(other, { good: "g", bad: "b" }), { result: [pairwise("right", "pw")] });
  const own = nameLabelFiles(join(folder, "own", "pairs.jsonl"));
  await pullProject(client, { project: "own columns", files: own });
  expect(read(own.pairs)).toMatchObject([{ prompt: "", chosen: "b", rejected: "g" }]);
  await saveStudioDataset(client, "own columns", path);
  expect(read(path)).toMatchObject([{ data: { answer1: "g", answer2: "b" } }]);
});

it("readStudioStatus counts, and names projects that are not there", async () => {
  fake.annotate(tasks[0], { result: [pairwise("left")] });
  fake.annotate(tasks[1], { was_cancelled: true });
  expect(await readStudioStatus(client, "answers")).toEqual({
    version: "1.23.2",
    id: 1,
    title: "answers",
    mode: "pair",
    tasks: 6,
    annotated: 1,
    annotations: 1,
    skipped: 1,
  });
  await expect(readStudioStatus(client, "nothing")).rejects.toMatchObject({ code: "label-studio/no-project" });
  await expect(readStudioStatus(client, "99")).rejects.toMatchObject({ code: "label-studio/no-project" });
});

it("saveStudioDataset gives the same bytes again, and says where nothing is labelled", async () => {
  await expect(saveStudioDataset(client, "answers", join(folder, "x.jsonl"))).rejects.toMatchObject({ code: "data/empty" });
  fake.annotate(tasks[3], { result: [pairwise("left")] });
  fake.annotate(tasks[3], { result: [pairwise("right")] });
  const [a, b] = [join(folder, "a.jsonl"), join(folder, "b.jsonl")];
  await saveStudioDataset(client, "answers", a);
  tasks[3].annotations.reverse();
  await saveStudioDataset(client, "answers", b);
  expect(readFileSync(a, "utf8")).toBe(readFileSync(b, "utf8"));
});
