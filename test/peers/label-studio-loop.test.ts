/**
 * The article's loop through the real Label Studio, end to end, with the embedded model: generate, push, label by its API, pull, reward model of
 * the live project, PPO whose curves grow on the page, compare. The same loop on spar's own page: test/browser/loop.test.ts.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Random } from "../../src/internal/rng.ts";
import type { SeriesAnswer } from "../../src/server/ui/runs/protocol.ts";
import { createArticleLoop, findPPO, loopSeed, rankByWords, tinyReviews, updates } from "../article-loop.ts";
import { startUI } from "../browser/chromium.ts";
import { parseRows } from "../e2e/spar.ts";
import { startLabelStudio, studioToken, type RealStudio } from "./start-label-studio.ts";

const python = process.env["SPAR_LABEL_STUDIO_PYTHON"];
const title = "articles-loop";

interface Task {
  readonly id: number;
  readonly data: { readonly prompt: string; readonly answer1: string; readonly answer2: string };
}

describe.skipIf(python === undefined)("peers", () => {
  const loop = createArticleLoop({ LABEL_STUDIO_API_KEY: studioToken });
  let studio: RealStudio;
  let count: number;

  beforeAll(async () => {
    [studio, count] = await Promise.all([startLabelStudio(python ?? "", loop.path("studio")), loop.generateTasks(2)]);
  });
  afterAll(() => {
    studio?.stop();
    loop.remove();
  });

  /** Four at a time; returns how many sounded alike. */
  async function labelAll(project: number): Promise<number> {
    const { tasks } = await studio.call<{ tasks: Task[] }>("GET", `/api/tasks?project=${project}&fields=all&page_size=2000`);
    expect(tasks).toHaveLength(count);
    const random = new Random(loopSeed);
    const queue = tasks.map(({ id, data }) => ({ id, places: rankByWords([data.answer1, data.answer2], random) }));
    const ties = queue.filter(({ places }) => places.length === 1).length;
    const label = async (): Promise<void> => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        const { id, places } = next;
        const result =
          places.length === 1
            ? { from_name: "verdict", to_name: "prompt", type: "choices", value: { choices: ["tie"] } }
            : {
                from_name: "comparison",
                to_name: "comparison",
                type: "pairwise",
                value: { selected: places[0][0] === 0 ? "left" : "right" },
              };
        await studio.call("POST", `/api/tasks/${id}/annotations/`, { result: [result], lead_time: 4 });
      }
    };
    await Promise.all([label(), label(), label(), label()]);
    return ties;
  }

  test("generate, push, label, pull, reward, PPO with its curves, compare", { timeout: 600_000 }, async () => {
    writeFileSync(
      loop.path("reward.yaml"),
      JSON.stringify({
        model_name_or_path: tinyReviews,
        datasets: [{ path: "label-studio", url: studio.url, project: title }],
        output_dir: "runs/reward",
        num_train_epochs: 3,
        per_device_train_batch_size: 16,
        learning_rate: 3e-3,
        lr_scheduler_type: "cosine",
        warmup_ratio: 0.1,
        weight_decay: 0.05,
        center_rewards_coefficient: 0.01,
        max_length: 64,
        gradient_checkpointing: false,
        save_strategy: "no",
      }),
    );
    const access = `--url ${studio.url} --project ${title} --json`;
    const [pushed] = parseRows(await loop.run(`label-studio push --data tasks.jsonl ${access}`));
    expect(pushed).toMatchObject({ added: count, new_project: true });
    const ties = await labelAll(Number(pushed?.["project"]));

    const [pulled] = parseRows(await loop.run(`label-studio pull --out pairs.jsonl ${access}`));
    expect(pulled).toMatchObject({ labels: count, labelled: count, ties, pairs: count - ties, unreadable: 0 });
    await loop.run("reward --config reward.yaml");
    expect(readFileSync(loop.path("runs/reward/label-studio/0.jsonl"), "utf8").trim().split("\n")).toHaveLength(count);

    const ui = await startUI({ cwd: loop.folder, args: ["--runs", "runs"] });
    try {
      const headers = { authorization: `Bearer ${ui.token}` };
      /** Points of a curve that the page would draw now. */
      const countPoints = async (id: string): Promise<number> => {
        const answer = await fetch(`${ui.origin}/api/runs/${id}/series?keys=objective/scores`, { headers });
        const { series } = (await answer.json()) as SeriesAnswer;
        return series["objective/scores"]?.count ?? 0;
      };
      const whileRunning = new Set<number>();
      let code: number | null | undefined;
      const ended = loop.startPPO().then((exit) => (code = exit));
      for (; code === undefined; await sleep(250)) {
        const run = await findPPO(ui.origin, ui.token);
        if (run === undefined) continue;
        const points = await countPoints(run.id);
        if (run.status === "running" && points > 0) whileRunning.add(points);
      }
      expect(await ended).toBe(0);
      expect(whileRunning.size).toBeGreaterThan(2);
      const find = () => findPPO(ui.origin, ui.token);
      await expect.poll(find).toMatchObject({ status: "finished", step: updates });
      expect(await countPoints((await find())?.id ?? "")).toBe(updates);
    } finally {
      await ui.close();
    }
    await loop.expectBetter();
  });
});
