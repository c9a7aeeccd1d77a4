/** docs/label-studio.md as a reader follows it, with a stand-in for Label Studio. The real one: test/peers/label-studio.test.ts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { pairwise, startFakeStudio } from "./fixtures/fake-label-studio.ts";
import { describePage } from "./run-page.ts";

const studio = await startFakeStudio();
afterAll(() => studio.close());

const read = (folder: string, name: string): string[] => readFileSync(join(folder, name), "utf8").trim().split("\n");

describePage("docs/label-studio.md", {
  env: { LABEL_STUDIO_API_KEY: "a-token" },
  replace: { "http://localhost:8080": studio.url },
  shorten: {
    "npx spar generate": "--max-new-tokens 3",
    "npx spar reward": "--max_steps 1",
    "npx spar label-studio backend": "--port 0",
  },
  before: {
    "npx spar label-studio status": () => {
      for (const task of studio.tasks) studio.annotate(task, { result: [pairwise("left")] });
    },
  },
  endless: { "npx spar label-studio backend": "Ctrl-C stops." },
  afterwards: {
    "every task came back as a pair, and its left answer is the chosen one": (folder, outputs) => {
      const count = read(folder, "tasks.jsonl").length;
      expect(studio.tasks).toHaveLength(count);
      const pairs = read(folder, "pairs.jsonl").map((line) => JSON.parse(line) as { task: string; chosen: string });
      const left = new Map(studio.tasks.map(({ data }) => [data["pair_id"], data["answer1"]]));
      expect(pairs).toHaveLength(count);
      expect(pairs.filter(({ task, chosen }) => left.get(task) !== chosen)).toEqual([]);
      const [, status] = [...outputs].find(([command]) => command.includes("status")) ?? [];
      expect(status).toContain(`${count} of ${count} tasks labelled`);
    },
    "the file to import holds the same tasks": (folder) => {
      const tasks = JSON.parse(readFileSync(join(folder, "import.json"), "utf8")) as { data: unknown }[];
      expect(tasks.map(({ data }) => data)).toEqual(studio.tasks.map(({ data }) => data));
    },
  },
});
