/** The room before there is anything to label, and when all is labelled. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { launchBrowser, listViolations, startUI } from "./chromium.ts";
import { makePairs, startLabelServer } from "./label-room.ts";

test("an empty room says what to run", async () => {
  const cwd = mkdtempSync(join(tmpdir(), "spar-empty-"));
  const browser = await launchBrowser();
  const ui = await startUI({ cwd });
  try {
    const page = await (await browser.newContext()).newPage();
    await page.goto(ui.url);
    await page.goto(`${ui.origin}/#/label`);
    await page.getByRole("heading", { name: "Nothing to label yet" }).waitFor();
    expect(await page.locator(".command code").allInnerTexts()).toEqual([
      "spar generate --model MODEL --prompts prompts.jsonl --candidates 2 > tasks.jsonl",
      "spar label --data tasks.jsonl",
    ]);
    expect(await listViolations(page)).toEqual([]);
    await page.goto(`${ui.origin}/#/label/%E0%A4%A`);
    await page.getByRole("heading", { name: "There is no such project" }).waitFor();
  } finally {
    await ui.close();
    await browser.close();
    rmSync(cwd, { recursive: true, force: true });
  }
});

test("when all is labelled, the page says what came out and what to run with it", async () => {
  const browser = await launchBrowser();
  const server = await startLabelServer(makePairs(2), ["--out", "kind answers.jsonl"]);
  try {
    const page = await server.open(browser, "Ada");
    await page.keyboard.press("1");
    await page.getByText("Question 1:").waitFor();
    await page.keyboard.press("2");
    await page.getByRole("heading", { name: "All is labelled" }).waitFor();
    await page.locator(".label-numbers").getByText("2", { exact: true }).first().waitFor();
    expect(await page.locator(".command code").allInnerTexts()).toEqual([
      "spar reward --model_name_or_path MODEL --dataset_name 'kind answers.jsonl' --output_dir runs/reward",
      "spar ppo --sft_model_path MODEL --reward_model_path runs/reward --dataset_name 'kind answers.jsonl' --output_dir runs/ppo",
      "spar dpo --model_name_or_path MODEL --dataset_name 'kind answers.jsonl' --output_dir runs/dpo",
    ]);
    expect(await listViolations(page)).toEqual([]);
  } finally {
    await server.close();
    await browser.close();
  }
});
