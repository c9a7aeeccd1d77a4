/**
 * The article's loop on spar's page, end to end, with the embedded model: generate, label, reward model, PPO, compare. The person is a
 * list of words (VADER, which nothing is trained on) that errs in one answer of ten; first it presses keys on the page, then, because
 * nobody needs to see that 800 times, it answers by the page's own protocol.
 */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { SentimentIntensityAnalyzer } from "vader-sentiment";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NextAnswer, SubmittedLabel } from "../../src/server/ui/label/protocol.ts";
import { Random } from "../../src/internal/rng.ts";
import { launchBrowser, startUI } from "./chromium.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const spar = join(root, "dist/cli/main.js");
const tiny = join(root, "models/tiny-reviews");
const seed = 1;
const heldOut = 160;
const byKeyboard = 12;
const folder = mkdtempSync(join(tmpdir(), "spar-loop-"));
let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
  const openings = readFileSync(join(root, "recipes/quickstart/openings.jsonl"), "utf8").trim().split("\n");
  const write = (name: string, lines: readonly string[]): void =>
    writeFileSync(join(folder, name), lines.map((line) => `${line}\n`).join(""));
  write("held-out.jsonl", openings.slice(0, heldOut));
  write("prompts.jsonl", openings.slice(heldOut));
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
});

/** None of the words has a blank in it. */
const words = (...lines: string[]): string[] => lines.flatMap((line) => line.split(" "));

async function run(...lines: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [spar, ...words(...lines)], { cwd: folder, maxBuffer: 2 ** 28 });
  return stdout;
}

/** Best first, answers that sound alike in one group; one time in ten the wrong way round. */
function rank(answers: readonly string[], random: Random): number[][] {
  const scores = answers.map((answer) => SentimentIntensityAnalyzer.polarity_scores(answer).compound);
  const levels = [...new Set(scores)].sort((a, b) => b - a);
  const groups = levels.map((level) => answers.flatMap((_, i) => (scores[i] === level ? [i] : [])));
  return random.uniform() < 0.1 ? groups.toReversed() : groups;
}

async function rankByKeyboard(page: Page, random: Random): Promise<void> {
  const answers = await page.locator(".label-answer .label-plain").allInnerTexts();
  const places = rank(answers, random);
  for (let answer = 0; answer < answers.length; answer++)
    await page.keyboard.press(String(places.findIndex((group) => group.includes(answer)) + 1));
  const before = await page.locator(".label-answer .label-plain").first().innerText();
  await page.keyboard.press("Enter");
  await expect.poll(() => page.locator(".label-answer .label-plain").first().innerText()).not.toBe(before);
}

/** Labels the rest, ten tasks at a time; returns how many. */
async function rankByProtocol(origin: string, token: string, annotator: string, random: Random): Promise<number> {
  const post = async <T>(path: string, body: unknown): Promise<T> => {
    const answer = await fetch(`${origin}/api/label/projects/tasks/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(200);
    return (await answer.json()) as T;
  };
  for (let count = 0; ;) {
    const { tasks } = await post<NextAnswer>("next", { annotator, tab: "script", held: [], count: 10 });
    if (tasks.length === 0) return count;
    const labels: SubmittedLabel[] = tasks.map(({ id, answers }) => ({
      id: crypto.randomUUID(),
      task: id,
      annotator,
      choice: null,
      ranking: rank(answers, random),
      milliseconds: 4000,
      guidelinesVersion: 0,
    }));
    const { saved } = await post<{ saved: string[] }>("labels", { labels });
    expect(saved).toHaveLength(labels.length);
    count += labels.length;
  }
}

test("generate, label, reward, PPO with its curves, compare", { timeout: 600_000 }, async () => {
  const tasks = await run(
    `generate --model ${tiny} --prompts prompts.jsonl --candidates 4 --max-new-tokens 32`,
    `--temperature 1 --seed ${String(seed)} --json`,
  );
  writeFileSync(join(folder, "tasks.jsonl"), tasks);
  const count = tasks.trim().split("\n").length;

  const labeling = await startUI({ command: "label", cwd: folder, args: ["--data", "tasks.jsonl", "--out", "pairs.jsonl"] });
  const random = new Random(seed);
  try {
    const page = await browser.newPage();
    await page.goto(labeling.url);
    await page.getByLabel("Your name").fill("Ada");
    await page.getByRole("button", { name: "Start labeling" }).click();
    await page.locator(".label-stage").waitFor();
    for (let i = 0; i < byKeyboard; i++) await rankByKeyboard(page, random);
    await page.locator('.label-save[data-state="saved"]').waitFor();
    // Tasks that the page holds are leased to it: they come back when it has gone.
    await page.close();
    expect(await rankByProtocol(labeling.origin, labeling.token, "Bo", random)).toBeGreaterThanOrEqual(count - byKeyboard - 10);
  } finally {
    await labeling.close();
  }
  const pairs = readFileSync(join(folder, "pairs.jsonl"), "utf8").trim().split("\n");
  expect(pairs.length).toBeGreaterThan(3 * count);

  await run(
    `reward --model_name_or_path ${tiny} --dataset_name pairs.jsonl --output_dir runs/reward`,
    "--num_train_epochs 2 --per_device_train_batch_size 32 --learning_rate 1e-3 --lr_scheduler_type cosine",
    "--weight_decay 0.05 --center_rewards_coefficient 0.01 --max_length 64 --save_strategy no",
  );

  const ui = await startUI({ cwd: folder, args: ["--runs", "runs"] });
  try {
    const page = await browser.newPage();
    await page.goto(ui.url);
    const ppo = spawn(
      process.execPath,
      [
        spar,
        ...words(
          `ppo --config ${join(root, "recipes/quickstart/ppo.yaml")} --sft_model_path ${tiny} --output_dir runs/ppo`,
          `--reward_model_path runs/reward --dataset_name prompts.jsonl --total_episodes 2048 --seed ${String(seed)}`,
        ),
      ],
      { cwd: folder, stdio: "ignore" },
    );
    const ended = new Promise<number | null>((resolve) => ppo.once("exit", resolve));
    const headers = { authorization: `Bearer ${ui.token}` };
    const find = async (): Promise<{ id: string; step: number | null; status: string } | undefined> => {
      const answer = await fetch(`${ui.origin}/api/runs`, { headers });
      const { runs } = (await answer.json()) as { runs: { id: string; method: string; step: number | null; status: string }[] };
      return runs.find(({ method }) => method === "ppo");
    };
    await expect.poll(find, { timeout: 60_000 }).toMatchObject({ status: "running" });
    await page.goto(`${ui.origin}/#/runs/${(await find())?.id ?? ""}`);
    // The curve is on the page while it is being made, and grows there without a reload.
    await page.locator(".u-over").first().waitFor({ timeout: 60_000 });
    expect(await find()).toMatchObject({ status: "running" });
    expect(await ended).toBe(0);
    await page
      .getByText(/finished/i)
      .first()
      .waitFor();
    await expect.poll(find).toMatchObject({ status: "finished", step: 16 });
  } finally {
    await ui.close();
  }

  const verdict = JSON.parse(
    await run(`eval --model runs/ppo --against ${tiny} --prompts held-out.jsonl --judge rule:sentiment`, "--max-new-tokens 32 --json"),
  ) as { n: number; win_rate: number; interval: [number, number] };
  expect(verdict.n).toBe(heldOut);
  expect(verdict.interval[0]).toBeGreaterThan(0.5);
});
