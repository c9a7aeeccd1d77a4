/** The room before there is anything to label. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { launchBrowser, listViolations, startUI } from "./chromium.ts";

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
