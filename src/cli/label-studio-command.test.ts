import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FakeStudio, pairwise, startFakeStudio } from "../../test/fixtures/fake-label-studio.ts";
import { runProgram } from "./program.ts";

let fake: FakeStudio;
let folder: string;
let earlier: string | undefined;
beforeEach(async () => {
  fake = await startFakeStudio();
  folder = mkdtempSync(join(tmpdir(), "spar-test-"));
  earlier = process.env["LABEL_STUDIO_API_KEY"];
  delete process.env["LABEL_STUDIO_API_KEY"];
  const rows = [0, 1, 2].map((i) => ({ id: `p${i}`, prompt: `Q${i}?`, answer1: `first ${i}`, answer2: `second ${i}` }));
  writeFileSync(path("tasks.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
});
afterEach(() => {
  fake.close();
  rmSync(folder, { recursive: true });
  if (earlier !== undefined) process.env["LABEL_STUDIO_API_KEY"] = earlier;
  else delete process.env["LABEL_STUDIO_API_KEY"];
});

const path = (name: string): string => join(folder, name);
async function spar(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const code = await runProgram(["label-studio", ...words], {
    version: "1.2.3",
    stdout: { write: (text) => void (out += text) },
    stderr: { write: (text) => void (err += text) },
    env: {},
  });
  return { code, out, err };
}
const readRows = (name: string): { [key: string]: unknown }[] =>
  readFileSync(path(name), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { [key: string]: unknown });

test("config prints what to paste, the recipe's file among it", async () => {
  const { out, code } = await spar("config");
  expect([code, out]).toEqual([0, readFileSync(new URL("../../recipes/gpt2-label-studio/labeling.xml", import.meta.url), "utf8")]);
  for (const [mode, tag] of [
    ["ranking", '<Ranker name="ranking" toName="answers"/>'],
    ["rating", 'maxRating="7"'],
  ]) {
    expect((await spar("config", "--mode", mode, "--rating-max", "7")).out).toContain(tag);
  }
  expect((JSON.parse((await spar("config", "--json")).out) as { config: string }).config).toContain("<Pairwise");
  expect(await spar("config", "--mode", "stars")).toMatchObject({
    code: 2,
    err: expect.stringContaining("expected one of pair, ranking, rating") as string,
  });
});

test("push, status and pull, by a token from the environment or a flag", async () => {
  const at = ["--url", fake.url, "--project", "answers"];
  expect(await spar("push", ...at, "--data", path("tasks.jsonl"))).toMatchObject({
    code: 2,
    err: expect.stringContaining("expected a token, found none") as string,
  });
  fake.accepts = "Token secret";
  const pushed = await spar("push", ...at, "--data", path("tasks.jsonl"), "--token", "secret");
  expect(pushed.out).toContain(`Made the project "answers": 3 tasks added, 0 there already.`);
  expect(pushed.out).toContain(`spar label-studio pull --url ${fake.url} --project answers --out pairs.jsonl`);
  process.env["LABEL_STUDIO_API_KEY"] = "secret";
  const [first, second] = fake.tasks;
  fake.annotate(first, { result: [pairwise(first.data["answer1"] === "first 0" ? "left" : "right")] });
  fake.annotate(second, { was_cancelled: true });
  expect((await spar("status", ...at)).out).toContain(
    '"answers" (project 1, pair, Label Studio 1.23.2): 1 of 3 tasks labelled, 1 labels, 1 skipped',
  );
  const pulled = await spar("pull", ...at, "--out", path("pairs.jsonl"), "--separator", "\\n");
  expect(pulled.out).toContain("2 labels of 1 person on 1 of 3 tasks (1 skipped)");
  expect(readRows("pairs.jsonl")).toMatchObject([{ prompt: "Q0?\n", chosen: "first 0", rejected: "second 0" }]);
  expect(readRows("labels.jsonl").map(({ choice }) => choice)).toEqual(["a", "skip"]);
  expect(JSON.parse((await spar("pull", ...at, "--out", path("pairs.jsonl"), "--json")).out)).toMatchObject({
    read: 0,
    pairs: 1,
    skips: 1,
    out: path("pairs.jsonl"),
  });
  const wrong = await spar("status", ...at, "--token", "wrong");
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining("does not accept the token: Invalid token.")]);
  expect(wrong.err).not.toContain("wrong\n");
});

test("tasks writes what push uploads; an export of it makes the pairs", async () => {
  await spar("tasks", "--data", path("tasks.jsonl"), "--out", path("import.json"));
  await spar("push", "--url", fake.url, "--project", "answers", "--data", path("tasks.jsonl"), "--token", "x");
  const tasks = JSON.parse(readFileSync(path("import.json"), "utf8")) as { data: { answer1: string }; meta: object }[];
  expect(tasks).toEqual(fake.tasks.map(({ data, meta }) => ({ data, meta })));
  // Everybody prefers what the row has first.
  const side = ({ data }: { data: { answer1: string } }): string => (data.answer1.startsWith("first") ? "left" : "right");
  const exported = tasks.map((task, id) => ({ id, ...task, annotations: [{ id, completed_by: 1, result: [pairwise(side(task))] }] }));
  writeFileSync(path("export.json"), JSON.stringify(exported));
  const read = await spar("read", path("export.json"), "--out", path("out/pairs.jsonl"));
  expect([read.code, read.err]).toEqual([0, ""]);
  expect(readRows("out/pairs.jsonl").map(({ prompt, chosen, rejected }) => [prompt, chosen, rejected])).toEqual(
    [0, 1, 2].map((i) => [`Q${i}?`, `first ${i}`, `second ${i}`]),
  );
  expect(await spar("read", path("tasks.jsonl"), "--out", path("x.jsonl"))).toMatchObject({
    code: 1,
    err: expect.stringContaining("no Label Studio export of comparisons") as string,
  });
});

test("wrong words are told with the right ones", async () => {
  expect(await spar()).toMatchObject({ code: 2, err: expect.stringContaining("expected what to do: config, push, pull") as string });
  expect(await spar("pul")).toMatchObject({ code: 2, err: expect.stringContaining("Did you mean pull?") as string });
  expect((await spar("push")).code).toBe(2);
  expect((await spar("backend", "--model", "x", "--host", "0.0.0.0")).err).toContain("lets other machines in");
  for (const name of ["config", "push", "pull", "status", "tasks", "read", "backend"])
    expect((await spar(name, "--help")).out).toContain(`Usage: spar label-studio ${name}`);
});
