/** The Samples room in a real browser: compare, generate, colour by reward, and a blind comparison to its result. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launchBrowser, listViolations, startUI, watchProblems, type StartedUI } from "./chromium.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

let folder: string;
let browser: Browser;
let ui: StartedUI;
let context: BrowserContext;
let page: Page;
let problems: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "spar-samples-room-"));
  const quick = join(folder, "runs/quickstart");
  mkdirSync(quick, { recursive: true });
  writeFileSync(join(quick, "report.json"), JSON.stringify({ path: "rlhf", before: {}, after: {}, samples: [] }));
  const rows = [0, 40].flatMap((step) =>
    Array.from({ length: 30 }, (_, i) => ({
      step,
      prompt: `prompt ${i}`,
      completion: step === 0 ? ` the plot is dull and long ${i}` : ` the plot is a joy and long ${i}`,
      scores: { vader: step === 0 ? -i / 100 : i / 100 },
    })),
  );
  writeFileSync(join(quick, "samples.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  cpSync(join(root, "models/tiny-reviews"), join(folder, "runs/tuned"), { recursive: true });
  cpSync(join(root, "test/fixtures/parity/models/stories260K-score"), join(folder, "runs/reward"), { recursive: true });
  browser = await launchBrowser();
  ui = await startUI({ cwd: folder });
});
afterAll(async () => {
  await browser.close();
  await ui.close();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  page = await context.newPage();
  problems = watchProblems(page);
  await page.goto(ui.url);
  await page.locator('.nav-link[aria-current="page"]').waitFor();
  await page.goto(`${ui.origin}/#/samples`);
  await page.locator(".samples-table").waitFor();
});
afterEach(async () => {
  await context.close();
  expect(problems).toEqual([]);
});

const firstPrompt = (): Promise<string> => page.locator(".samples-table tbody .samples-prompt").first().innerText();

test("before and after stand side by side: found, sorted, turned, compared word by word", async () => {
  expect(await page.locator(".samples-table thead").innerText()).toMatch(/before[^]*30 texts[^]*after[^]*vader \+0\.14/);
  await page.getByText("Rows 1 to 25 of 30").waitFor();
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText("Rows 26 to 30 of 30").waitFor();
  await page.getByRole("combobox", { name: "Order of rows" }).selectOption({ label: "gain of vader, highest first" });
  await expect.poll(firstPrompt).toBe("prompt 29");
  await page.getByRole("searchbox").fill("joy and long 7");
  await page.getByText("Rows 1 to 1 of 1").waitFor();
  await page.getByRole("radio", { name: "Diff", exact: true }).check();
  expect(await page.locator("ins").allInnerTexts()).toEqual(["a joy"]);
  expect(await page.locator("del").allInnerTexts()).toEqual(["dull"]);
  await page.getByRole("searchbox").fill("nowhere");
  await page.getByRole("button", { name: "Show all rows" }).click();
  await page.getByText("of 30").waitFor();
  expect(await listViolations(page)).toEqual([]);
});

test("the reward model's colours have numbers for pointer and keys, and a legend", async () => {
  await page.getByRole("radio", { name: "Reward" }).check();
  await page.locator(".heat-legend").waitFor();
  const text = page.locator(".heat-text").first();
  expect((await text.innerText()).replace(/end$/, "")).toBe(" the plot is dull and long 0");
  expect(await page.locator(".samples-facts").first().innerText()).toMatch(/reward [+−]\d/);
  expect(await text.locator(".up-1, .up-2, .up-3, .up-4, .down-1, .down-2, .down-3, .down-4").count()).toBeGreaterThan(2);
  await text.focus();
  await page.keyboard.press("End");
  const card = page.locator(".heat-card");
  expect(await card.innerText()).toMatch(/change[^]*score so far/);
  const last = await card.innerText();
  await page.keyboard.press("ArrowLeft");
  expect(await card.innerText()).not.toBe(last);
  await page.keyboard.press("Escape");
  await page.getByRole("radio", { name: "Score so far" }).check();
  await page.getByText("The score as if the text ended there:").waitFor();
  expect(await listViolations(page)).toEqual([]);
});

test("columns are chosen from all sources, by keyboard", async () => {
  await page.getByRole("button", { name: "Columns" }).focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("searchbox").fill("quick");
  await dialog.getByRole("checkbox", { name: /after/ }).focus();
  await page.keyboard.press("Space");
  expect(await listViolations(page)).toEqual([]);
  await page.keyboard.press("Escape");
  await expect.poll(() => page.locator(".samples-table thead th").count()).toBe(2);
  await page.reload();
  await expect.poll(() => page.locator(".samples-table thead th").count()).toBe(2);
});

test("generated now, judged blind, won: names are told after the first label only", async () => {
  await page.getByRole("button", { name: "Generate now" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Prompts, one a line").fill("the film is\nthe story of a man\n\nit begins with");
  await dialog.getByText("Sampling").click();
  await dialog.getByRole("spinbutton", { name: "Longest answer" }).fill("12");
  await dialog.getByRole("spinbutton", { name: "Longest answer" }).blur();
  await dialog.getByRole("checkbox", { name: "tuned" }).check();
  await dialog.getByRole("checkbox", { name: "tiny-reviews (shipped)" }).uncheck();
  await dialog.getByText("3 texts").waitFor();
  await dialog.getByRole("button", { name: "Generate", exact: true }).click();
  await page.locator(".samples-column-source", { hasText: "samples/generated-" }).waitFor();
  expect(await page.locator(".samples-table tbody tr").count()).toBe(3);
  expect(readdirSync(join(folder, "samples"))).toHaveLength(1);

  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "None" }).click();
  for (const name of [/before/, /after/]) await page.getByRole("dialog").getByRole("checkbox", { name }).check();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Blind A/B" }).click();
  await page.getByText("30 pairs wait in the Label room, without names.").waitFor();
  await page.getByRole("tab", { name: "Blind A/B" }).click();
  await page.getByText("Whose texts they are is told after the first label.").waitFor();
  const address = (await page.getByRole("link", { name: "Label now" }).getAttribute("href")) ?? "";
  const project = address.replace("#/label/", "");

  // The page's own requests, for 10 labels: whoever wrote "joy" is preferred.
  const seen = await page.evaluate(async (id) => {
    const post = async (path: string, body: object): Promise<unknown> => {
      const headers = { "content-type": "application/json" };
      return (await fetch(`/api/label/projects/${id}/${path}`, { method: "POST", headers, body: JSON.stringify(body) })).json();
    };
    const { tasks } = (await post("next", { annotator: "ann", tab: "t", held: [], count: 10 })) as {
      tasks: { id: string; answers: string[] }[];
    };
    const labels = tasks.map(({ id: task, answers }) => ({
      id: crypto.randomUUID(),
      task,
      annotator: "ann",
      milliseconds: 900,
      guidelinesVersion: 0,
      choice: answers[0]?.includes("joy") === true ? "left" : "right",
    }));
    await post("labels", { labels });
    return JSON.stringify([await (await fetch(`/api/label/projects/${id}`)).json(), tasks]);
  }, project);
  expect(seen).not.toMatch(/before|after|quickstart/);

  await page.getByText("10 of 30 compared").waitFor();
  const study = page.locator(".samples-study");
  await study.getByText("runs/quickstart, after is preferred: the 95 % interval lies above one half.").waitFor();
  expect(await study.locator(".samples-wins").innerText()).toMatch(/after[^]*100 %[^]*72 to 100 %; 10 wins/);
  expect(await listViolations(page)).toEqual([]);
});

test.each(["light", "dark"] as const)(
  "narrow and wide, %s: nothing sticks out, nothing is wrong for assistive tools",
  async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await page.getByRole("radio", { name: "Diff", exact: true }).check();
    for (const width of [390, 1600]) {
      await page.setViewportSize({ width, height: 900 });
      await page.waitForTimeout(100);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      expect(await listViolations(page)).toEqual([]);
    }
  },
);

test("an empty folder says what to run first", async () => {
  const empty = mkdtempSync(join(tmpdir(), "spar-samples-none-"));
  const other = await startUI({ cwd: empty });
  try {
    await page.goto(other.url);
    await page.locator('.nav-link[aria-current="page"]').waitFor();
    await page.goto(`${other.origin}/#/samples`);
    await page.getByText("Nothing has been written yet").waitFor();
    await page.getByText("spar quickstart", { exact: true }).waitFor();
    expect(await listViolations(page)).toEqual([]);
    await page.goto(`${other.origin}/#/samples/blind`);
    await page.getByText("No blind comparison yet").waitFor();
  } finally {
    await page.goto("about:blank");
    await other.close();
    rmSync(empty, { recursive: true });
  }
});
