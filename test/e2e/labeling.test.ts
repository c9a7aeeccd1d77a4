/** `spar label` as a process: what it calls saved outlives kill -9, and many people at once. */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { parseRows, runSpar, startSpar, type Running } from "./spar.ts";

const folder = mkdtempSync(join(tmpdir(), "spar-labeling-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const data = join(folder, "tasks.jsonl");
const out = join(folder, "pairs.jsonl");
const taskCount = 5000;
writeFileSync(
  data,
  Array.from({ length: taskCount }, (_, i) => JSON.stringify({ prompt: `Q${i}`, answer1: `good ${i}`, answer2: `bad ${i}` })).join("\n"),
);

type Label = { readonly id: string; readonly [key: string]: unknown };
type Post = <T>(path: string, body: object) => Promise<T>;

async function start(...more: string[]): Promise<{ spar: Running; post: Post }> {
  const spar = startSpar(["label", "--data", data, "--out", out, "--no-open", "--json", ...more]);
  let stdout = "";
  spar.child.stdout?.on("data", (text: string) => {
    stdout += text;
  });
  await spar.waitFor('"token"');
  const { origin, token } = parseRows(stdout)[0] as { origin: string; token: string };
  const post = async <T>(path: string, body: object): Promise<T> => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const answer = await fetch(`${origin}/api/label/projects/tasks/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return (await answer.json()) as T;
  };
  return { spar, post };
}

const readLabels = (): { [key: string]: unknown }[] => parseRows(readFileSync(join(folder, "labels.jsonl"), "utf8"));

test("kill -9 in the middle of labeling loses nothing that was called saved, and what is sent again is stored once", async () => {
  const { spar, post } = await start();
  const saved: string[] = [];
  const sent: Label[] = [];
  let isDead = false;
  const annotate = async (annotator: string): Promise<void> => {
    try {
      for (;;) {
        const { tasks } = await post<{ tasks: { id: string; answers: string[] }[] }>("next", {
          annotator,
          tab: annotator,
          held: [],
          count: 5,
        });
        for (const task of tasks) {
          const choice = task.answers[0].startsWith("good") ? "left" : "right";
          const label = { id: randomUUID(), task: task.id, annotator, choice, milliseconds: 4000, guidelinesVersion: 0 };
          sent.push(label);
          saved.push(...(await post<{ saved: string[] }>("labels", { labels: [label] })).saved);
          // In the middle of everybody's requests.
          if (saved.length === 150) {
            isDead = true;
            spar.child.kill("SIGKILL");
          }
        }
      }
    } catch (error) {
      if (!isDead) throw error;
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, i) => annotate(`annotator ${i}`)));
  await spar.finished;
  expect(saved.length).toBeGreaterThanOrEqual(150);
  const onDisk = readFileSync(join(folder, "labels.jsonl"), "utf8").split("\n").slice(0, -1);
  const ids = new Set(onDisk.map((line) => (JSON.parse(line) as Label).id));
  expect(saved.filter((id) => !ids.has(id))).toEqual([]);

  // The pages send all that they have no answer to, and, to be sure, everything else.
  const again = await start();
  const { saved: now } = await again.post<{ saved: string[] }>("labels", { labels: sent.slice(-400) });
  expect(now).toEqual(sent.slice(-400).map(({ id }) => id));
  const other = await runSpar(["label", "--data", data, "--out", out, "--no-open"]);
  expect(other.code).toBe(1);
  expect(other.stderr).toMatch(/labels\.jsonl is in use: process \d+ writes labels into it/);
  again.spar.child.kill("SIGINT");
  const { code, stdout, stderr } = await again.spar.finished;
  expect(code).toBe(0);
  expect(stderr).toMatch(/holds \d+ labels already: going on from there/);
  const rows = readLabels();
  expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  expect(rows.length).toBe(sent.length);
  expect(parseRows(stdout).at(-1)).toMatchObject({ tasks: taskCount, labels: rows.length, pairs: rows.length });
  const pairs = parseRows(readFileSync(out, "utf8"));
  expect(pairs.length).toBe(rows.length);
  expect(pairs.every(({ chosen, rejected }) => String(chosen).startsWith("good") && String(rejected).startsWith("bad"))).toBe(true);
});

test("pairs that no labels have made are not overwritten", async () => {
  const foreign = join(folder, "theirs.jsonl");
  writeFileSync(foreign, '{"prompt": "Q", "chosen": "x", "rejected": "y"}\n');
  const { code, stderr } = await runSpar(["label", "--data", data, "--out", foreign, "--no-open"]);
  expect(code).toBe(1);
  expect(stderr).toContain("choose another --out");
  expect(readFileSync(foreign, "utf8")).toContain('"chosen": "x"');
});

test("20 people at once lose and double nothing", async () => {
  const bench = fileURLToPath(new URL("../../bench/labeling.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    bench,
    "--annotators",
    "20",
    "--seconds",
    "3",
    "--tasks",
    "5000",
    "--json",
  ]);
  const result = parseRows(stdout)[0];
  expect(result).toMatchObject({ lost: 0, doubled: 0, tasks_labelled_twice: 0, refused: 0, pairs: result["labels"] });
  expect(result["labels"]).toBeGreaterThan(40);
});
