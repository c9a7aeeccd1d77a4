import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { createCpuBackend } from "../../runtime/index.ts";
import { combineOrders, compareGrades, type Judge } from "../judge.ts";
import { createJudge, loadHumanLabels, parseJudgeSpec } from "./create-judge.ts";
import { chooseMajority, createHumanJudge } from "./human-judge.ts";
import { parseAnswer, parseComparison, parseLabelledComparison } from "./labelled-row.ts";
import { createRewardJudge } from "./reward-judge.ts";
import { loadRubric } from "./rubric-file.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "spar-judges-"));
const backend = createCpuBackend();
afterAll(() => {
  rmSync(folder, { recursive: true });
  backend.close();
});
const write = (name: string, ...rows: unknown[]): string => {
  writeFileSync(join(folder, name), rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"));
  return join(folder, name);
};

describe("verdicts", () => {
  test("a win counts only when consistent; a missing order makes it void", () => {
    expect([combineOrders("a", "a"), combineOrders("a", "b"), combineOrders("tie", "b"), combineOrders("b", "b")]).toEqual([
      "a",
      "tie",
      "tie",
      "b",
    ]);
    expect([combineOrders(null, "a"), combineOrders("a", null)]).toEqual([null, null]);
  });

  test("grades within a margin are a tie; a void grade has no verdict", () => {
    expect([compareGrades(2, 1), compareGrades(1, 2), compareGrades(1, 1)]).toEqual(["a", "b", "tie"]);
    expect([compareGrades(2, 1.5, 0.5), compareGrades(2, 1.4, 0.5)]).toEqual(["tie", "a"]);
    expect([compareGrades(null, 1), compareGrades(0, null)]).toEqual([null, null]);
  });
});

describe("a judge's name", () => {
  test("has one of five forms", () => {
    expect(parseJudgeSpec("model:org/name@main")).toEqual({ kind: "model", value: "org/name@main" });
    expect(parseJudgeSpec("human:a b.jsonl")).toEqual({ kind: "human", value: "a b.jsonl" });
    expect(parseJudgeSpec("rule:length?unit=words")).toEqual({ kind: "rule", value: "length?unit=words" });
    expect(parseJudgeSpec("openai:http://localhost:8000/v1#org/qwen#2")).toEqual({
      kind: "openai",
      value: "http://localhost:8000/v1",
      model: "org/qwen#2",
    });
  });

  test.each(["", "gpt2", "rule:", "openai:http://localhost", "openai:#x", "openai:http://localhost#", "vader:x"])(
    "%j is refused",
    (spec) => {
      expect(() => parseJudgeSpec(spec)).toThrow(expect.objectContaining({ code: "judge/invalid-spec" }) as Error);
    },
  );

  test("options that a judge cannot heed are errors", async () => {
    const invalid = { code: "judge/invalid-option" };
    await expect(createJudge("rule:length", { pairwise: true })).rejects.toMatchObject(invalid);
    await expect(createJudge("rule:length", { mode: "expected" })).rejects.toMatchObject(invalid);
    await expect(createJudge("openai:http://localhost#x", { mode: "expected" })).rejects.toMatchObject(invalid);
    await expect(
      createJudge("openai:http://localhost#x", { pairwise: true, rubric: await loadRubric("additive-v1") }),
    ).rejects.toMatchObject(invalid);
    await expect(createJudge("openai:http://localhost#x", { concurrency: 0 })).rejects.toMatchObject(invalid);
    await expect(createJudge("model:x")).rejects.toMatchObject({ code: "judge/no-backend" });
    await expect(createJudge("rule:lenght")).rejects.toMatchObject({ code: "rewards/unknown-rule" });
  });
});

describe("rules and rewards", () => {
  test("rule:length: the answer with more characters wins; equal ones tie", async () => {
    const judge = await createJudge("rule:length");
    expect(judge).toMatchObject({ name: "rule:length", kind: "grades" });
    const comparisons = await judge.compare([
      { prompt: "p", a: "four", b: "three" },
      { prompt: "p", a: "a longer one", b: "short" },
      { prompt: "p", a: "same", b: "size" },
      // An emoji is one character.
      { prompt: "p", a: "😀😀", b: "abc" },
    ]);
    expect(comparisons.map(({ verdict }) => verdict)).toEqual(["b", "a", "tie", "b"]);
    expect(comparisons[0]).toEqual({ verdict: "b", orders: ["b", "b"], preference: null, retries: 0, grades: [4, 5] });
    expect((await judge.grade([{ prompt: "p", answer: "abc" }]))[0]).toEqual({ score: 3, judgements: [3], retries: 0 });
  });

  test("a reward that does not apply is a void grade; columns and progress pass through", async () => {
    const seen: number[] = [];
    let released = false;
    const judge = createRewardJudge({
      name: "mine",
      score: async (rows) => rows.map((row) => (row["skip"] === true ? null : row.completion.length)),
      release: () => (released = true),
    });
    const requests = Array.from({ length: 300 }, (_, i) => ({ prompt: "p", answer: "x".repeat(i), columns: { skip: i === 7 } }));
    const grades = await judge.grade(requests, { onProgress: (done) => seen.push(done) });
    expect(grades[7]).toEqual({ score: null, judgements: [null], retries: 0 });
    expect(grades[299].score).toBe(299);
    expect(seen).toEqual([256, 300]);
    expect((await judge.compare([{ prompt: "p", a: "x", b: "y", columns: { skip: true } }]))[0].verdict).toBeNull();
    await expect(judge.grade(requests, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    judge.release?.();
    expect(released).toBe(true);
  });

  test("reward:FOLDER tokenises texts itself", async () => {
    const judge = await createJudge(`reward:${join(root, "test/fixtures/parity/models/stories260K-score")}`, { backend });
    const grades = await judge.grade([
      { prompt: "Once upon", answer: " a time" },
      { prompt: "Once upon", answer: " a time" },
      { prompt: "Once", answer: " there was a dog" },
    ]);
    expect(grades[0].score).toBe(grades[1].score);
    expect(grades[0].score).not.toBe(grades[2].score);
    judge.release?.();
  });

  test("model:FOLDER judges with a rubric of one's own", async () => {
    const rubric = await loadRubric(
      write("reviews.md", "---\nname: r\nkind: grade\nanswers: {' bad': 0, ' good': 1}\n---\nReview: {answer}\nVerdict:"),
    );
    const judge = await createJudge("model:tiny", {
      backend,
      rubric,
      mode: "expected",
      resolveModel: async (name) => join(root, "models", `${name}-reviews`),
    });
    expect(judge).toMatchObject({ name: "model:tiny", range: [0, 1] });
    expect((await judge.grade([{ prompt: "", answer: "fine." }]))[0].score).toBeGreaterThan(0);
    judge.release?.();
  });
});

describe("people", () => {
  const labels = [
    { prompt: "p", a: "x", b: "y", labels: ["a", "a", "b"] },
    { prompt: "p", a: "v", b: "w", labels: ["a", "b"] },
    { prompt: "q", chosen: "good", rejected: "bad" },
    { prompt: "g", completion: "one", scores: [4, 5] },
    { prompt: "g", completion: "two", score: 2 },
  ];

  test("are asked by looking up what they said, whichever answer comes first", async () => {
    const judge: Judge = await createJudge(`human:${write("labels.jsonl", ...labels)}`);
    const comparisons = await judge.compare([
      { prompt: "p", a: "x", b: "y" },
      { prompt: "p", a: "y", b: "x" },
      { prompt: "p", a: "v", b: "w" },
      { prompt: "q", a: "bad", b: "good" },
      { prompt: "g", a: "two", b: "one" },
      { prompt: "other", a: "x", b: "y" },
    ]);
    expect(comparisons.map(({ verdict }) => verdict)).toEqual(["a", "b", "tie", "b", "b", null]);
    expect(comparisons[0].preference).toBeCloseTo(2 / 3, 12);
    expect(comparisons[5].problem).toBe("nobody has judged it");
    expect(
      await judge.grade([
        { prompt: "g", answer: "one" },
        { prompt: "g", answer: "three" },
      ]),
    ).toMatchObject([
      { score: 4.5, judgements: [4, 5] },
      { score: null, problem: "nobody has graded it" },
    ]);
  });

  test("the majority wins, and without one it is a tie", () => {
    expect([chooseMajority(["a", "b", "a"]), chooseMajority(["a", "b"]), chooseMajority(["a", "tie", "tie"]), chooseMajority([])]).toEqual([
      "a",
      "tie",
      "tie",
      "tie",
    ]);
    expect(createHumanJudge({ comparisons: [], answers: [] }).kind).toBe("comparisons");
  });

  test("all bad lines are told at once", async () => {
    const path = write(
      "bad.jsonl",
      labels[0],
      "nope",
      { prompt: "p", a: "x", b: 3, labels: ["a"] },
      { prompt: "p", completion: "x", score: "4" },
    );
    await expect(loadHumanLabels(path)).rejects.toThrow(
      /3 rows cannot be used\n.*bad\.jsonl:2: .*\n.*:3: b: expected text or messages, found 3\n.*:4: scores: expected numbers/,
    );
    await expect(loadHumanLabels(write("empty.jsonl", ""))).rejects.toMatchObject({ code: "data/empty" });
    await expect(loadHumanLabels(join(folder, "missing.jsonl"))).rejects.toMatchObject({ code: "data/unreadable" });
  });
});

describe("rows", () => {
  const messages = [{ role: "user", content: "Hi" }];

  test("comparisons: labels, one label, pairs, conversations", () => {
    expect(parseLabelledComparison({ prompt: "p", a: "x", b: "y", label: "tie", id: 3 })).toEqual({
      prompt: "p",
      a: "x",
      b: "y",
      columns: { id: 3 },
      labels: ["tie"],
      hasSides: true,
    });
    expect(parseLabelledComparison({ prompt: "p", chosen: "x", rejected: "y" })).toMatchObject({
      a: "x",
      b: "y",
      labels: ["a"],
      hasSides: false,
    });
    const chat = { prompt: messages, chosen: [{ role: "assistant", content: "x" }], rejected: [{ role: "assistant", content: "y" }] };
    expect(parseComparison(chat)).toEqual({ prompt: messages, a: "x", b: "y" });
  });

  test.each<[{ [key: string]: unknown }, RegExp]>([
    [{ prompt: "p", a: "x", b: "y" }, /labels: expected at least one .* found nothing/],
    [{ prompt: "p", a: "x", b: "y", labels: "a" }, /found "a"/],
    [{ prompt: "p", a: "x", b: "y", labels: ["a", "A"] }, /expected "a", "b" or "tie", found "A"/],
    [{ prompt: "p", a: "x", b: "y", labels: ["a", null] }, /found null/],
    [{ prompt: 3, a: "x", b: "y", labels: ["a"] }, /prompt: expected text or messages, found 3/],
    [{ prompt: "p", a: "x", labels: ["a"] }, /b: expected text or messages, found nothing/],
  ])("%j is refused", (row, message) => expect(() => parseLabelledComparison(row)).toThrow(message));

  test("answers: completion or answer, other columns kept", () => {
    expect(parseAnswer({ prompt: "p", completion: "c", source: "s" })).toEqual({ prompt: "p", answer: "c", columns: { source: "s" } });
    expect(parseAnswer({ answer: "c" })).toEqual({ prompt: "", answer: "c", columns: {} });
    expect(parseAnswer({ prompt: messages, completion: [{ role: "assistant", content: "x" }] })).toMatchObject({ answer: "x" });
    expect(() => parseAnswer({ prompt: "p", completion: 1 })).toThrow(/completion: expected text or messages, found 1/);
  });
});
