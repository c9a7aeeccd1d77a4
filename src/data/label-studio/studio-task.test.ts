import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pairwise, verdict } from "../../../test/fixtures/fake-label-studio.ts";
import { loadDataset } from "../dataset.ts";
import { detectFormat } from "../formats/detect-format.ts";
import { makeLabelPairs } from "../labels/label-pairs.ts";
import type { Row } from "../row.ts";
import { loadStudioExport } from "./expand-studio.ts";
import { isStudioTask, readStudioTask } from "./studio-task.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spar-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const data = { prompt: "Which?", answer1: "This.", answer2: "That." };
const task = (annotations: readonly Row[], rest: Row = {}): Row & { data: typeof data } => ({
  id: 7,
  data,
  meta: {},
  annotations,
  ...rest,
});
const said = (...result: Row[]): Row => ({
  id: 1,
  completed_by: 2,
  was_cancelled: false,
  created_at: "2026-01-01T00:00:00Z",
  lead_time: 2.5,
  result,
});
const choiceOf = (annotation: Row, rest: Row = {}): unknown => readStudioTask(task([annotation], rest)).labels[0].choice;

describe("readStudioTask", () => {
  it("tells every kind of answer from the others", () => {
    expect(choiceOf(said(pairwise("left")))).toBe("a");
    expect(choiceOf(said(pairwise("right", "any name")))).toBe("b");
    expect(choiceOf(said(verdict("tie")))).toBe("tie");
    expect(choiceOf(said(verdict("Both bad")))).toBe("both_bad");
    expect(choiceOf({ ...said(pairwise("left")), was_cancelled: true })).toBe("skip");
    expect(choiceOf({ ...said(pairwise("left")), skipped: true })).toBe("skip");
    // Who ticks a verdict means it, whatever side is selected too.
    expect(choiceOf(said(pairwise("left"), verdict("tie")))).toBe("tie");
    // Projects with Choices in place of Pairwise.
    expect(choiceOf(said(verdict("answer2")))).toBe("b");
    expect(choiceOf(said(pairwise("answer1")))).toBe("a");
  });

  it("notes what says nothing, or both", () => {
    const { labels } = readStudioTask(task([said(), said(pairwise("left"), pairwise("right")), { ...said(), result: null }]));
    expect(labels.map(({ choice, label_studio: { note } }) => [choice, note])).toEqual([
      ["skip", "empty"],
      ["skip", "contradiction"],
      ["skip", "empty"],
    ]);
  });

  it("unshuffles by meta, and knows tasks by the id that they were pushed with", () => {
    expect(choiceOf(said(pairwise("left")), { meta: { swap: true } })).toBe("b");
    expect(choiceOf(said(pairwise("left")), { meta: { order: [1, 0], swap: false } })).toBe("b");
    const read = readStudioTask(task([said(pairwise("left"))], { meta: { swap: true, pair_id: "mine", models: ["A", null] } }));
    expect(read).toMatchObject({ id: "mine", order: [1, 0], candidates: [{ text: "That.", model: "A" }, { text: "This." }] });
    expect(readStudioTask({ ...task([]), data: { ...data, pair_id: 4 } }).id).toBe("4");
    // A shuffle that cannot be one is none.
    expect(readStudioTask(task([], { meta: { order: [0, 0] } })).order).toEqual([0, 1]);
  });

  it("knows people by their number, whether it stands alone or in an object; else by what there is", () => {
    const names = [2, { id: 2, email: "me@x" }, { email: "me@x" }, "me@x", null].map(
      (completed_by) => readStudioTask(task([{ ...said(), completed_by }])).labels[0].annotator,
    );
    expect(names).toEqual(["2", "2", "me@x", "me@x", "unknown"]);
  });

  it("reads the exports of before 2021, with completions and seconds", () => {
    const old = { id: 1, data, completions: [{ id: 3, created_at: 1609459200, lead_time: 4, result: [pairwise("right", "pw")] }] };
    expect(isStudioTask(old)).toBe(true);
    expect(readStudioTask(old).labels[0]).toMatchObject({ choice: "b", given: "2021-01-01T00:00:00.000Z", milliseconds: 4000 });
  });

  it("gives labels in the order in which they were given: of two by one person the later counts", () => {
    const first = { ...said(pairwise("left")), id: 5, updated_at: "2026-01-02T00:00:00Z" };
    const second = { ...said(pairwise("right")), id: 6, updated_at: "2026-01-03T00:00:00Z" };
    const { labels } = readStudioTask(task([second, first]));
    expect(labels.map(({ id }) => id)).toEqual(["label-studio-5", "label-studio-6"]);
    expect(makeLabelPairs(labels)).toMatchObject([{ chosen: "That.", votes: [1, 0] }]);
  });

  it("reads rankings and ratings by what was shown", () => {
    const items = ["c", "a", "b"].map((body, i) => ({ id: String(i), title: "", body }));
    const meta = { order: [2, 0, 1] };
    const ranker = (value: unknown): Row => ({ type: "ranker", from_name: "ranking", to_name: "answers", value: { ranker: value } });
    const ranked = (value: unknown) =>
      readStudioTask({ id: 1, data: { prompt: "p", items }, meta, annotations: [said(ranker(value))] }).labels[0];
    // Best first as shown: a, b, c.
    expect(ranked({ ranking: ["1", "2", "0"] })).toMatchObject({
      choice: null,
      ranking: [[0], [1], [2]],
      candidates: [{ text: "a" }, { text: "b" }, { text: "c" }],
    });
    expect(ranked({ _: [], good: ["1", "2"], bad: ["0"] }).choice).toBe("skip");
    expect(ranked({ ranking: ["1", "1", "0"] }).choice).toBe("skip");
    const stars = (i: number, rating: unknown): Row => ({
      type: "rating",
      from_name: `rating_${i}`,
      to_name: `answer_${i}`,
      value: { rating },
    });
    const rated = readStudioTask({
      id: 1,
      data: { prompt: "p", items },
      meta: { ...meta, rating_max: 7 },
      annotations: [said(stars(0, 1), stars(1, 7))],
    }).labels[0];
    expect(rated).toMatchObject({ choice: null, ratings: [7, null, 1], rating_max: 7 });
    expect(makeLabelPairs([rated])).toMatchObject([{ chosen: "a", rejected: "c", margin: 1 }]);
  });
});

describe("exports as data", () => {
  const rows = [
    task([said(pairwise("left")), { ...said(pairwise("left")), id: 2, completed_by: 3 }]),
    { ...task([{ ...said(pairwise("right")), id: 3 }]), id: 8, data: { ...data, prompt: 'More, "quoted"\nlines?' } },
    { ...task([{ ...said(verdict("tie")), id: 4 }]), id: 9, data: { ...data, prompt: "Tie?" } },
  ];
  // As the converter of Label Studio 1.23.2 writes them (newest annotation first, no skips, no meta).
  const min = [
    { ...data, id: 7, comparison: [{ selected: "left" }], annotator: 3, annotation_id: 2, created_at: "b", updated_at: "b", lead_time: 1 },
    {
      ...data,
      id: 7,
      comparison: [{ selected: "left" }],
      comment: "yes",
      annotator: 2,
      annotation_id: 1,
      created_at: "a",
      updated_at: "a",
      lead_time: 1,
    },
    {
      ...rows[1].data,
      id: 8,
      comparison: [{ selected: "right" }],
      annotator: 2,
      annotation_id: 3,
      created_at: "a",
      updated_at: "a",
      lead_time: 1,
    },
    { ...rows[2].data, id: 9, verdict: "tie", annotator: 2, annotation_id: 4, created_at: "a", updated_at: "a", lead_time: null },
  ];
  const columns = [
    "annotation_id",
    "annotator",
    "answer1",
    "answer2",
    "comment",
    "comparison",
    "created_at",
    "id",
    "lead_time",
    "prompt",
    "updated_at",
    "verdict",
  ];
  const csv = (separator: string): string =>
    [
      columns,
      ...min.map((row) =>
        columns.map((name) => (row as Row)[name] ?? "").map((cell) => (typeof cell === "object" ? JSON.stringify(cell) : String(cell))),
      ),
    ]
      .map((cells) => cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(separator))
      .join("\n");

  /** What a recipe makes of a file. */
  async function readPairs(name: string, text: string, hasChatTemplate = false): Promise<unknown[]> {
    writeFileSync(join(folder, name), text);
    const dataset = await loadDataset({ path: join(folder, name) });
    const format = detectFormat(await dataset.read(0), "preference", { hasChatTemplate });
    expect(format.name).toBe("label-studio");
    const pairs: unknown[] = [];
    for (let i = 0; i < dataset.count; i++) {
      try {
        pairs.push(format.convert(await dataset.read(i)));
      } catch (error) {
        pairs.push((error as Error).message);
      }
    }
    await dataset.close();
    return pairs;
  }

  it("JSON, JSON_MIN, CSV and TSV make the same pairs", async () => {
    const json = await readPairs("export.json", JSON.stringify(rows));
    expect(json).toEqual([
      { kind: "preference", prompt: "Which?\n", chosen: "This.", rejected: "That." },
      { kind: "preference", prompt: 'More, "quoted"\nlines?\n', chosen: "That.", rejected: "This." },
      "a tie, or both answers bad",
    ]);
    expect(await readPairs("min.json", JSON.stringify(min))).toEqual(json);
    expect(await readPairs("export.csv", csv(","))).toEqual(json);
    expect(await readPairs("export.tsv", csv("\t"))).toEqual(json);
  });

  it("loadStudioExport gives the same labels of all, and refuses what is no export", async () => {
    const read = async (name: string, text: string): Promise<unknown[]> => {
      writeFileSync(join(folder, name), text);
      return (await loadStudioExport(join(folder, name))).map((row) =>
        readStudioTask(row).labels.map(({ id, annotator, choice }) => [id, annotator, choice]),
      );
    };
    const json = await read("export.json", JSON.stringify(rows));
    expect(json[0]).toEqual([
      ["label-studio-1", "2", "a"],
      ["label-studio-2", "3", "a"],
    ]);
    expect(await read("min.json", JSON.stringify(min))).toEqual(json);
    expect(await read("export.csv", csv(","))).toEqual(json);
    await expect(read("other.json", JSON.stringify([{ prompt: "p", chosen: "a" }]))).rejects.toMatchObject({ code: "data/columns" });
  });

  it("rankings become every pair of theirs, in files of tasks and of JSON_MIN", async () => {
    const items = ["a", "b", "c"].map((body, i) => ({ id: String(i), title: "", body }));
    const ranking = { ranker: { ranking: ["2", "0", "1"] } };
    const ranked = { id: 1, data: { prompt: "p", items }, meta: {}, annotations: [said({ type: "ranker", value: ranking })] };
    const expected = [
      ["a", "b"],
      ["c", "a"],
      ["c", "b"],
    ].map(([chosen, rejected]) => ({ kind: "preference", prompt: "p\n", chosen, rejected }));
    const made = await readPairs("ranked.json", JSON.stringify([ranked]));
    expect(made.map((pair) => JSON.stringify(pair)).sort()).toEqual(expected.map((pair) => JSON.stringify(pair)));
    const line = {
      prompt: "p",
      items,
      id: 1,
      ranking: [ranking],
      annotator: 1,
      annotation_id: 1,
      created_at: "a",
      updated_at: "a",
      lead_time: 1,
    };
    expect(await readPairs("ranked-min.json", JSON.stringify([line]))).toEqual(made);
    const none = JSON.stringify([{ ...ranked, annotations: [] }]);
    await expect(readPairs("none.json", none)).rejects.toMatchObject({ code: "data/empty" });
  });

  it("conversations that were pushed come back as conversations, completions without a line break", async () => {
    const prompt = [
      { role: "system", content: "Be kind." },
      { role: "user", content: "Hi" },
    ];
    const talk = { ...task([said(pairwise("left"))]), data: { ...data, prompt: "System: Be kind.\n\nUser: Hi" }, meta: { prompt } };
    expect(await readPairs("talk.json", JSON.stringify([talk]), true)).toMatchObject([
      { prompt, chosen: [{ role: "assistant", content: "This." }] },
    ]);
    const film = {
      ...task([said(pairwise("left"))]),
      data: { prompt: "The film", answer1: " was good", answer2: " was bad" },
      meta: { continues: true },
    };
    expect(await readPairs("film.json", JSON.stringify([film]))).toMatchObject([{ prompt: "The film", chosen: " was good" }]);
    const items = [" was good", " was bad"].map((body, i) => ({ id: String(i), body }));
    const ranked = said({ type: "ranker", value: { ranker: { ranking: ["1", "0"] } } });
    const list = { ...film, data: { prompt: "The film", items }, annotations: [ranked] };
    expect(await readPairs("list.json", JSON.stringify([list]))).toMatchObject([{ prompt: "The film", chosen: " was bad" }]);
  });

  it("exports without meta of what push made make the same prompts; those of others have a line break", async () => {
    const header = "id,prompt,answer1,answer2,pair_id,comparison,annotator,annotation_id,created_at,updated_at,lead_time";
    const row = '1,"The film"," was, ""good""\nindeed",n\'t bad,t1,"{""selected"": ""left""}",1,1,a,a,1';
    const expected = { prompt: "The film", chosen: ' was, "good"\nindeed', rejected: "n't bad" };
    expect(await readPairs("film.csv", `${header}\n${row}\n`)).toMatchObject([expected]);
    const foreign = `${header.replace("pair_id", "other")}\n${row}\n`;
    expect(await readPairs("foreign.csv", foreign)).toMatchObject([{ ...expected, prompt: "The film\n" }]);
  });

  it("the export of the recipe makes the pairs that it always made", async () => {
    const text = readFileSync(new URL("../../../test/fixtures/label-studio/export.json", import.meta.url), "utf8");
    const exported = JSON.parse(text) as {
      data: { prompt: string; answer1: string; answer2: string };
      annotations: { was_cancelled: boolean; result: { type: string; value: { selected: string } }[] }[];
    }[];
    const sideOf = ({ was_cancelled, result }: (typeof exported)[number]["annotations"][number]): string | undefined =>
      was_cancelled ? undefined : result.find(({ type }) => type === "pairwise")?.value.selected;
    const expected = exported.map(({ data: { prompt, answer1, answer2 }, annotations }) => {
      const sides = annotations.map(sideOf).filter((side) => side !== undefined);
      const lead = sides.filter((side) => side === "left").length - sides.filter((side) => side === "right").length;
      if (lead === 0) return sides.length === 0 ? "without a choice between the answers" : "annotators are divided";
      return { kind: "preference", prompt: `${prompt}\n`, chosen: lead > 0 ? answer1 : answer2, rejected: lead > 0 ? answer2 : answer1 };
    });
    expect(expected.filter((pair) => typeof pair === "object").length).toBeGreaterThan(4);
    expect(await readPairs("recipe.json", text)).toEqual(expected);
  });
});
