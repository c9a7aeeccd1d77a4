/**
 * The article's loop on spar's page, end to end, with the embedded model: generate, label, reward model, PPO, compare. First the person of
 * article-loop.ts presses keys on the page, then, because nobody needs to see that 800 times, it answers by the page's own protocol. The
 * same loop in Label Studio: test/peers/label-studio-loop.test.ts.
 */
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ShownTask } from "../../src/server/ui/label/protocol.ts";
import { Random } from "../../src/internal/rng.ts";
import { createArticleLoop, findPPO, loopSeed, rankByWords, tinyReviews, updates } from "../article-loop.ts";
import { labelByProtocol } from "../label-by-protocol.ts";
import { launchBrowser, startUI } from "./chromium.ts";

const byKeyboard = 12;
const loop = createArticleLoop();
let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  loop.remove();
});

async function rankByKeyboard(page: Page, random: Random): Promise<void> {
  const answers = await page.locator(".label-answer .label-plain").allInnerTexts();
  const places = rankByWords(answers, random);
  for (let answer = 0; answer < answers.length; answer++)
    await page.keyboard.press(String(places.findIndex((group) => group.includes(answer)) + 1));
  const before = await page.locator(".label-answer .label-plain").first().innerText();
  await page.keyboard.press("Enter");
  await expect.poll(() => page.locator(".label-answer .label-plain").first().innerText()).not.toBe(before);
}

test("generate, label, reward, PPO with its curves, compare", { timeout: 600_000 }, async () => {
  const count = await loop.generateTasks(4);

  const labeling = await startUI({ command: "label", cwd: loop.folder, args: ["--data", "tasks.jsonl", "--out", "pairs.jsonl"] });
  const random = new Random(loopSeed);
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
    const { origin, token } = labeling;
    const decide = ({ answers }: ShownTask) => ({ choice: null, ranking: rankByWords(answers, random) });
    expect(await labelByProtocol({ origin, token, annotator: "Bo", decide })).toBeGreaterThanOrEqual(count - byKeyboard - 10);
  } finally {
    await labeling.close();
  }
  const pairs = readFileSync(loop.path("pairs.jsonl"), "utf8").trim().split("\n");
  expect(pairs.length).toBeGreaterThan(3 * count);

  await loop.run(
    `reward --model_name_or_path ${tinyReviews} --dataset_name pairs.jsonl --output_dir runs/reward`,
    "--num_train_epochs 2 --per_device_train_batch_size 32 --learning_rate 1e-3 --lr_scheduler_type cosine",
    "--weight_decay 0.05 --center_rewards_coefficient 0.01 --max_length 64 --save_strategy no",
  );

  const ui = await startUI({ cwd: loop.folder, args: ["--runs", "runs"] });
  try {
    const page = await browser.newPage();
    await page.goto(ui.url);
    const ended = loop.startPPO();
    const find = () => findPPO(ui.origin, ui.token);
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
    await expect.poll(find).toMatchObject({ status: "finished", step: updates });
  } finally {
    await ui.close();
  }

  await loop.expectBetter();
});
