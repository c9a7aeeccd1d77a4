import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabelChoice, LabelRow } from "../data/index.ts";
import { type LabelProject, type LabelProjectOptions, nameLabelsFile, type NewLabel, openLabelProject } from "./label-project.ts";
import type { LabelFile, LabelStoreOptions } from "./label-store.ts";
import { parseTaskRow } from "./task.ts";

let root: string;
let folders = 0;
const freshPath = (): string => join(root, String(++folders), "pairs.jsonl");
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "spar-project-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const makeTasks = (count: number, mark = "") =>
  Array.from({ length: count }, (_, i) => parseTaskRow({ id: `t${i}`, prompt: `Q${i}`, answer1: `x${i}${mark}`, answer2: `y${i}` }));

function openProject(pairsPath: string, over: Partial<LabelProjectOptions> = {}, store: LabelStoreOptions = {}): Promise<LabelProject> {
  return openLabelProject({ id: "p", name: "p.jsonl", mode: "pair", tasks: makeTasks(4), pairsPath, ...over }, store);
}

const make = (task: string, over: Partial<NewLabel> = {}): NewLabel => ({
  id: randomUUID(),
  task,
  annotator: "anna",
  choice: "a",
  order: [0, 1],
  milliseconds: 4000,
  guidelines_version: 0,
  ...over,
});

/** The cut stands for the crash; waiting for the disk would only take time. */
const quick: LabelStoreOptions = {
  openFile: async (path) => {
    const file = await open(path, "a+");
    return {
      appendFile: (data) => file.appendFile(data),
      datasync: async () => {},
      truncate: (length) => file.truncate(length),
      readFile: file.readFile.bind(file),
      stat: file.stat.bind(file),
      close: () => file.close(),
    } as LabelFile;
  },
};

test("where labels lie", () => {
  expect([nameLabelsFile("a/pairs.jsonl"), nameLabelsFile("helpful.jsonl")]).toEqual([join("a", "labels.jsonl"), "helpful.labels.jsonl"]);
});

test("two tabs at the same moment: one label of the task; one label sent twice at the same moment: once", async () => {
  const project = await openProject(freshPath());
  const same = make("t1");
  const [one, two, three, four] = await Promise.all(
    [make("t0"), make("t0", { choice: "b" }), same, same].map((label) => project.submit([label])),
  );
  expect([one.saved.length, two.refused.map(({ code }) => code), three.saved, four.saved]).toEqual([
    1,
    ["already-labelled"],
    [same.id],
    [same.id],
  ]);
  expect(readFileSync(project.labelsPath, "utf8").trim().split("\n")).toHaveLength(2);
  await project.close();
});

test("labels, undos and a change of mind in one request are taken in their order", async () => {
  const project = await openProject(freshPath());
  const [first, other] = [make("t0"), make("t0", { choice: "b" })];
  const undo = make("t0", { choice: null, undoes: first.id });
  const revised = make("t0", { choice: "tie", revises: other.id });
  const result = await project.submit([first, undo, other, revised]);
  expect(result).toEqual({ saved: [first.id, undo.id, other.id, revised.id], refused: [] });
  expect(project.history("anna", 9).map(({ label, state }) => [label.choice, state])).toEqual([
    ["tie", "current"],
    ["b", "revised"],
    ["a", "undone"],
  ]);
  await project.close();
});

test("a disk that fails: nothing is called saved, the task is open again, and the label may come once more", async () => {
  let fails = false;
  const store: LabelStoreOptions = {
    openFile: async (path) => {
      const file = await quick.openFile!(path);
      return {
        ...file,
        datasync: async () => {
          if (fails) throw new Error("EIO: i/o error");
        },
      } as LabelFile;
    },
  };
  const path = freshPath();
  const project = await openProject(path, {}, store);
  const kept = make("t0");
  await project.submit([kept]);
  fails = true;
  const label = make("t1");
  // The second waits for the same sync as the first, and may not be told that it is saved either.
  const both = await Promise.allSettled([project.submit([label]), project.submit([label])]);
  expect(both.map((end) => (end.status === "rejected" ? (end.reason as { code: string }).code : "saved"))).toEqual([
    "labeling/not-saved",
    "labeling/not-saved",
  ]);
  expect(project.progress()).toMatchObject({ given: 1, annotators: { anna: { done: 1, left: 3 } } });
  fails = false;
  expect((await project.submit([label])).saved).toEqual([label.id]);
  await project.close();
  expect(readFileSync(project.labelsPath, "utf8").trim().split("\n")).toHaveLength(2);
});

test("any interleaving, and a crash at any byte: what was called saved is there, and means the same after a restart", async () => {
  const step = fc.record({
    who: fc.constantFrom("anna", "bob"),
    task: fc.nat(3),
    act: fc.constantFrom("label", "label", "revise", "undo", "again"),
    choice: fc.constantFrom<LabelChoice>("a", "b", "tie", "both_bad", "skip", "flag"),
    waits: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), fc.nat(), async (steps, cut) => {
      const path = freshPath();
      const settings = { queue: { labelsPerTask: 2 } };
      const project = await openProject(path, settings, quick);
      const sent: NewLabel[] = [];
      const saved: string[] = [];
      const open: Promise<unknown>[] = [];
      // At each answer: how long the file was, and what had been called saved.
      const moments: { bytes: number; saved: readonly string[] }[] = [];
      for (const { who, task, act, choice, waits } of steps) {
        const earlier = sent.filter((label) => label.annotator === who && label.task === `t${task}` && label.undoes === undefined).at(-1);
        const label =
          act === "again" && earlier !== undefined
            ? earlier
            : make(`t${task}`, {
                annotator: who,
                choice: act === "undo" && earlier !== undefined ? null : choice,
                ...(earlier !== undefined && act === "undo" ? { undoes: earlier.id } : {}),
                ...(earlier !== undefined && act === "revise" ? { revises: earlier.id } : {}),
              });
        sent.push(label);
        const submitted = project.submit([label]).then((result) => {
          saved.push(...result.saved);
          moments.push({ bytes: existsSync(project.labelsPath) ? readFileSync(project.labelsPath).length : 0, saved: [...saved] });
        });
        open.push(submitted);
        if (waits) await submitted;
      }
      await Promise.all(open);
      const before = project.progress();
      const divided = project.dividedTasks();
      await project.close();
      rmSync(path, { force: true });

      const again = await openProject(path, settings, quick);
      for (const id of saved) {
        const label = sent.find((each) => each.id === id)!;
        expect((await again.submit([label])).saved).toEqual([id]);
      }
      const after = again.progress();
      for (const [name, { done, left }] of Object.entries(after.annotators)) expect(before.annotators[name]).toMatchObject({ done, left });
      expect(after.given).toBe(before.given);
      expect(again.dividedTasks()).toEqual(divided);
      for (const name of ["anna", "bob"]) {
        const current = again.history(name, 100).filter(({ state }) => state === "current");
        expect(new Set(current.map(({ label }) => label.task)).size).toBe(current.length);
      }
      await again.close();
      if (!existsSync(project.labelsPath)) return;

      const moment = moments[cut % moments.length];
      const size = readFileSync(project.labelsPath).length;
      truncateSync(project.labelsPath, moment.bytes + (cut % (size - moment.bytes + 1)));
      rmSync(path, { force: true });
      const torn = await openProject(path, settings, quick);
      const there = new Set(["anna", "bob"].flatMap((name) => torn.history(name, 100).map(({ label }) => label.id)));
      const undos = new Set(sent.filter(({ undoes }) => undoes !== undefined).map(({ id }) => id));
      expect(moment.saved.filter((id) => !there.has(id) && !undos.has(id))).toEqual([]);
      expect((await torn.submit(sent.filter(({ id }) => moment.saved.includes(id)))).refused).toEqual([]);
      await torn.close();
    }),
    { numRuns: 40 },
  );
});

test("labels of tasks that are no longer in the file, or had other texts, make pairs and nothing else", async () => {
  const path = freshPath();
  const first = await openProject(path);
  const [old, same] = [make("t0"), make("t1", { choice: "b", strength: 3 })];
  await first.submit([old, same, make("t3")]);
  await first.close();
  const tasks = [...makeTasks(1, " (new)"), ...makeTasks(3).slice(1)];
  const again = await openProject(path, { tasks });
  expect(again.opened).toEqual({ cut: 0, labels: 3, elsewhere: 2 });
  expect(again.progress()).toMatchObject({ given: 1, tasks: 3 });
  expect(again.next("anna", "1", [], 5).map(({ id }) => id)).toEqual(["t0", "t2"]);
  expect((await again.submit([old])).saved).toEqual([old.id]);
  await again.submit([make("t0", { choice: "b" })]);
  await again.close();
  const pairs = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { chosen: string; margin: number });
  expect(pairs.map(({ chosen, margin }) => [chosen, margin])).toEqual([
    ["x0", 0],
    ["x3", 0],
    ["y1", 1],
    ["y0", 0],
  ]);
});

test("what the mode does not know is refused", async () => {
  const rating = await openProject(freshPath(), { mode: "rating", ratingMax: 5 });
  const refusals = async (project: LabelProject, ...over: Partial<NewLabel>[]): Promise<string[]> =>
    (await project.submit(over.map((each) => make("t0", each)))).refused.map(({ message }) => message);
  expect(
    await refusals(
      rating,
      {},
      { choice: null },
      { choice: null, ratings: [null, null] },
      { choice: null, ratings: [6, 1] },
      { choice: null, ratings: [1] },
    ),
  ).toEqual([
    "expected a rating, found the choice a",
    "expected a rating",
    "expected a rating",
    "ratings: expected 1 to 5, found [6,1]",
    "expected ratings: 2 numbers or nulls; found [1]",
  ]);
  expect((await rating.submit([make("t0", { choice: "both_bad" })])).saved).toHaveLength(1);
  await rating.close();
  const ranking = await openProject(freshPath(), { mode: "ranking" });
  expect(
    await refusals(ranking, { choice: null }, { choice: null, ranking: [[0]] }, { choice: null, edit: { candidate: 0, text: "x" } }),
  ).toEqual(["expected a ranking", "expected ranking: groups that hold each of 0 to 1 once; found [[0]]", "expected a ranking"]);
  await ranking.close();
});

test("without a label there is no file; what is not ours is not overwritten", async () => {
  const path = freshPath();
  const project = await openProject(path);
  await project.close();
  expect([existsSync(path), existsSync(project.labelsPath)]).toEqual([false, false]);
  writeFileSync(path, '{"prompt": "Q"}\n');
  await expect(openProject(path)).rejects.toMatchObject({ code: "labeling/pairs-exist" });
});

test("guidelines: a version a change, read again after a restart and after a torn line", async () => {
  const path = freshPath();
  const first = await openProject(path, { guidelines: "One" });
  const given = make("t0", { guidelines_version: first.guidelines().version });
  await first.submit([given]);
  expect(await first.updateGuidelines("One", 1)).toEqual({ version: 1, text: "One" });
  expect(await first.updateGuidelines("Two", 1)).toEqual({ version: 2, text: "Two" });
  await first.close();
  const history = nameLabelsFile(path).replace(".jsonl", ".guidelines.jsonl");
  writeFileSync(history, `${readFileSync(history, "utf8")}{"version":3,"te`);
  const again = await openProject(path);
  expect(again.guidelines()).toEqual({ version: 2, text: "Two" });
  await again.updateGuidelines("Three", 2);
  await again.close();
  const third = await openProject(path, { guidelines: "Three" });
  expect(third.guidelines()).toEqual({ version: 3, text: "Three" });
  expect((third.history("anna", 1)[0].label as LabelRow).guidelines_version).toBe(1);
  await third.close();
});
