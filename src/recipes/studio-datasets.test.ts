import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type FakeStudio, pairwise, startFakeStudio } from "../../test/fixtures/fake-label-studio.ts";
import { renderStudioConfig } from "../labeling/index.ts";
import type { RunEvent } from "../tracking/index.ts";
import { loadRecipe, parseRecipe, type ResolvedRecipe } from "./load.ts";
import { runRecipe } from "./run.ts";

let fake: FakeStudio;
let folder: string;
beforeEach(async () => {
  fake = await startFakeStudio();
  folder = mkdtempSync(join(tmpdir(), "spar-test-"));
  const project = fake.addProject("answers", renderStudioConfig("pair"));
  for (let i = 0; i < 3; i++)
    fake.annotate(fake.addTask(project, { prompt: `Q${i}`, answer1: "a", answer2: "b" }), { result: [pairwise("left")] });
  fake.addTask(project, { prompt: "nobody", answer1: "a", answer2: "b" });
});
afterEach(() => {
  fake.close();
  rmSync(folder, { recursive: true });
});

const parse = (dataset: object, keys: object = {}): Promise<ResolvedRecipe> =>
  parseRecipe({
    method: "reward",
    yaml: {
      text: JSON.stringify({ model_name_or_path: "x", output_dir: join(folder, "run"), datasets: [dataset], ...keys }),
      file: "r.yaml",
    },
  });

/** What the training is given. */
async function start(recipe: ResolvedRecipe, labelStudioToken: string | undefined = "x") {
  const events: RunEvent[] = [];
  let seen: ResolvedRecipe | undefined;
  const tracker = { metrics() {}, samples() {}, progress() {}, event: (event: RunEvent) => void events.push(event), async close() {} };
  await runRecipe(recipe, {
    version: "0",
    signal: new AbortController().signal,
    trackers: [{ name: "test", tracker }],
    ...(labelStudioToken === "" ? {} : { labelStudioToken }),
    train(given) {
      seen = given;
      return Promise.resolve({ status: "stopped", steps: 1, outputDir: given.config.output_dir, metrics: {} });
    },
  });
  return { datasets: seen?.config.datasets, events };
}

it("a live project becomes a file of the run, which a resumed run uses again", async () => {
  const live = { path: "label-studio", url: fake.url, project: "answers", weight: 2 };
  const { datasets, events } = await start(await parse(live));
  const file = join(folder, "run", "label-studio", "0.jsonl");
  expect(datasets).toMatchObject([{ path: "json", data_files: file, weight: 2, task: "answers" }]);
  expect(events.find(({ code }) => code === "label-studio/pulled")?.message).toContain("3 labelled tasks of the 4");
  const rows = readFileSync(file, "utf8");
  expect(rows.trim().split("\n")).toHaveLength(3);
  // The run's own recipe still names the project, and holds no token.
  const config = readFileSync(join(folder, "run", "config.yaml"), "utf8");
  expect(config).toContain("label-studio");
  expect(config).not.toContain("jsonl");
  for (const task of fake.tasks) fake.annotate(task, { result: [pairwise("right")], completed_by: 2 });
  fake.requests.length = 0;
  const resumed = await start(await parse(live, { resume_from_checkpoint: true }), "");
  expect(resumed.datasets).toEqual(datasets);
  expect([fake.requests.length, readFileSync(file, "utf8")]).toEqual([0, rows]);
  // Starting over reads it anew.
  await start(await parse(live, { overwrite_output_dir: true }));
  expect(readFileSync(file, "utf8")).not.toBe(rows);
});

it("says what is missing", async () => {
  const live = { path: "label-studio", url: fake.url, project: "answers" };
  await expect(start(await parse(live), " ")).rejects.toMatchObject({ code: "label-studio/token" });
  await expect(start(await parse({ ...live, project: 77 }))).rejects.toMatchObject({ code: "label-studio/no-project" });
  await expect(parse({ path: "label-studio", url: fake.url })).rejects.toThrow("expected url and project with path: label-studio");
  await expect(parse({ ...live, data_files: "x.json" })).rejects.toThrow("expected no data_files with path: label-studio");
  await expect(parse({ path: "json", data_files: "x.json", project: "p" })).rejects.toThrow("url and project are for path: label-studio");
  // A recipe that is checked with its paths does not look for a file, and flags take it too.
  const flags = ["--model_name_or_path", "org/x", "--output_dir", join(folder, "r"), "--datasets", JSON.stringify([live])];
  expect((await loadRecipe({ method: "reward", flags })).config.datasets[0]).toMatchObject(live);
});
