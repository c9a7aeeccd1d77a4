/** The Chat room in a real browser, with real (tiny) models through the built command. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launchBrowser, listViolations, startUI, watchProblems, type StartedUI } from "./chromium.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";

let folder: string;
let browser: Browser;
let ui: StartedUI;
let context: BrowserContext;
let page: Page;
let problems: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "spar-chat-room-"));
  cpSync(join(root, "models/tiny-reviews"), join(folder, "runs/tuned"), { recursive: true });
  cpSync(join(root, "test/fixtures/parity/models/stories260K"), join(folder, "runs/talker"), { recursive: true });
  writeFileSync(join(folder, "runs/talker/chat_template.jinja"), template);
  browser = await launchBrowser();
  ui = await startUI({ cwd: folder });
});
afterAll(async () => {
  await browser.close();
  await ui.close();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  context = await browser.newContext({ viewport: { width: 1440, height: 900 }, permissions: ["clipboard-read", "clipboard-write"] });
  page = await context.newPage();
  problems = watchProblems(page);
  await page.goto(ui.url);
  await page.locator('.nav-link[aria-current="page"]').waitFor();
  await page.goto(`${ui.origin}/#/chat`);
  await field().waitFor();
});
afterEach(async () => {
  await context.close();
  expect(problems).toEqual([]);
});

const field = (): Locator => page.locator(".chat-composer textarea");
const answers = (): Locator => page.locator(".chat-answer");
const choose = async (first: string, second?: string): Promise<void> => {
  await page.locator(".chat-pickers select").nth(0).selectOption({ label: first });
  await page
    .locator(".chat-pickers select")
    .nth(1)
    .selectOption(second === undefined ? { value: "" } : { label: second });
};
const finish = async (): Promise<void> => {
  await page.getByRole("button", { name: "Send", exact: true }).waitFor();
  await page.waitForFunction(() => document.querySelector('.chat-answer[aria-busy="true"]') === null);
};
const limit = async (tokens: number): Promise<void> => {
  await page.locator("#sampling-maxNewTokens").fill(String(tokens));
  await page.locator("#sampling-maxNewTokens").blur();
};
const textOf = (answer: Locator): Promise<string> =>
  answer
    .locator(".chat-tokens")
    .evaluate((element) =>
      [...element.querySelectorAll(":scope > [data-token], :scope > span:not(.chat-asked)")].map((span) => span.textContent ?? "").join(""),
    );

test("a text is continued token by token; a token tells its probability by the pointer and by the keys", async () => {
  await choose("tiny-reviews (shipped)");
  await page.getByText("no chat template: what you write is continued, not answered").waitFor();
  await limit(24);
  await field().fill("the film is");
  await field().press("Shift+Enter");
  expect(await field().inputValue()).toBe("the film is\n");
  await field().press("Backspace");
  await field().press("Enter");
  expect(await field().inputValue()).toBe("");
  await finish();
  expect(await answers().locator(".chat-answer-facts").innerText()).toMatch(/24 tokens · \d+ tokens\/s · cut at the limit · seed 1/);

  await answers().locator("[data-token]").first().hover();
  const card = page.locator(".chat-token-card");
  await card.waitFor();
  expect(await card.locator("li").count()).toBeGreaterThanOrEqual(6);
  expect(await card.innerText()).toMatch(/log p −\d/);

  await page.mouse.move(0, 0);
  await page.getByRole("radio", { name: "Tokens" }).check();
  const inspector = page.getByRole("group", { name: /token by token/ });
  await inspector.focus();
  await page.keyboard.press("ArrowRight");
  const first = await card.locator(".chat-token-card-head code").innerText();
  await page.keyboard.press("ArrowRight");
  expect(await card.locator(".chat-token-card-head code").innerText()).not.toBe(first);
  await page.keyboard.press("Escape");
  expect(await card.count()).toBe(0);
  expect(await listViolations(page)).toEqual([]);
});

test("two models with the same prompt; the preferred answer is a label on disk, and another choice takes its place", async () => {
  await choose("tiny-reviews (shipped)", "tuned");
  await limit(12);
  await field().fill("a film about");
  await field().press("Enter");
  await page.getByRole("button", { name: "Prefer left" }).waitFor();
  expect(await answers().count()).toBe(2);
  // Equal weights and an equal seed say the same, and there is nothing to prefer.
  await page.getByText("Both answers are the same text.").waitFor();

  await page.locator("#sampling-temperature").fill("0.7");
  await page.locator("#sampling-temperature").press("Enter");
  expect(await page.getByRole("slider", { name: "Temperature" }).inputValue()).toBe("0.7");
  await choose("tuned", "tuned");
  await page.getByRole("button", { name: "Generate anew" }).click();
  await page.getByText("The conversation goes on from the left answer.").waitFor();
  await finish();
  const [left, right] = [await textOf(answers().nth(0)), await textOf(answers().nth(1))];
  expect(left).not.toBe(right);
  await page.locator(".chat-scroller").focus();
  await page.keyboard.press("2");
  await page.getByText("Saved to labels/chat.jsonl; 1 pair in labels/chat-pairs.jsonl.").waitFor();
  const pair = JSON.parse(readFileSync(join(folder, "labels/chat-pairs.jsonl"), "utf8")) as object;
  expect(pair).toMatchObject({ prompt: "a film about", chosen: right, rejected: left, chosen_model: "tuned" });
  await page.getByRole("button", { name: "Both bad" }).click();
  await page.getByText("0 pairs in labels/chat-pairs.jsonl").waitFor();
  expect(readFileSync(join(folder, "labels/chat.jsonl"), "utf8").trim().split("\n")).toHaveLength(2);
  expect(await listViolations(page)).toEqual([]);
});

test("a question is edited, an answer too; what is said survives a reload, is saved, reset, brought back and loaded", async () => {
  await choose("talker");
  await page.locator(".chat-settings textarea").fill("Tell stories.");
  await limit(10);
  for (const text of ["Once upon a time", "And then?"]) {
    await field().fill(text);
    await field().press("Enter");
    await finish();
  }
  expect(await page.locator(".chat-exchange").count()).toBe(2);
  await page.getByRole("button", { name: "Edit this answer" }).first().click();
  await page.locator(".chat-editor textarea").fill("There was a **cat**.");
  await page.keyboard.press("Control+Enter");
  await page.getByText("There was a **cat**.").waitFor();
  await page.getByRole("radio", { name: "Markdown" }).check();
  await page.locator(".chat-answer strong", { hasText: "cat" }).waitFor();

  await page.getByRole("button", { name: "Edit and send again" }).nth(1).click();
  await page.locator(".chat-editor textarea").fill("What did it do?");
  await page.getByRole("button", { name: "Send again", exact: true }).click();
  await finish();
  await page.reload();
  await page.getByText("What did it do?").waitFor();
  expect(await page.locator(".chat-exchange").count()).toBe(2);

  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as a file" }).click();
  const path = join(folder, "saved.json");
  await (await download).saveAs(path);
  const saved = JSON.parse(readFileSync(path, "utf8")) as { messages: { role: string; content: string }[] };
  expect(saved.messages.slice(0, 4)).toEqual([
    { role: "system", content: "Tell stories." },
    { role: "user", content: "Once upon a time" },
    { role: "assistant", content: "There was a **cat**." },
    { role: "user", content: "What did it do?" },
  ]);

  await field().fill("/reset");
  await field().press("Enter");
  await page.getByRole("heading", { name: "Ask something" }).waitFor();
  // What was said lies over a window that came later, and can be reached there.
  await page.locator(".chat-scroller").focus();
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByRole("button", { name: "Undo" }).click();
  await page.keyboard.press("Escape");
  expect(await page.locator(".chat-exchange").count()).toBe(2);
  await page.getByRole("button", { name: "Start over" }).click();
  writeFileSync(join(folder, "row.json"), JSON.stringify({ messages: [{ role: "user", content: "Hello <img src=x onerror=alert(1)>" }] }));
  await page.locator('input[type="file"]').setInputFiles(join(folder, "row.json"));
  await page.getByText("Hello <img src=x onerror=alert(1)>").waitFor();
  await page.locator('input[type="file"]').setInputFiles({ name: "bad.json", mimeType: "application/json", buffer: Buffer.from("{") });
  await page.getByText("The file is not JSON.").waitFor();
});

test("Stop keeps what is there, and the next question is answered", async () => {
  await choose("tiny-reviews (shipped)");
  await limit(240);
  // The tiny model may come to its end before the key does: then it is asked for something else.
  for (let tries = 0; ; tries++) {
    expect(tries).toBeLessThan(10);
    await field().fill(`the ${"very ".repeat(tries)}story of`);
    await field().press("Enter");
    await page.locator(".chat-answer [data-token]").nth(3).waitFor();
    await page.keyboard.press("Escape");
    await finish();
    if ((await answers().locator(".chat-answer-facts").innerText()).includes("stopped")) break;
    await field().fill("/reset");
    await field().press("Enter");
  }
  const length = (await textOf(answers())).length;
  expect(length).toBeGreaterThan(0);
  await limit(4);
  await field().fill("and");
  await field().press("Enter");
  await finish();
  expect(await answers().nth(1).locator(".chat-answer-facts").innerText()).toContain("4 tokens");
});

test.each(["light", "dark"] as const)(
  "narrow and wide, %s: nothing sticks out, nothing is wrong for assistive tools",
  async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await choose("talker", "tuned");
    await limit(16);
    await field().fill("Hello");
    await field().press("Enter");
    await page.getByRole("button", { name: "Prefer left" }).waitFor();
    await page.getByRole("radio", { name: "Tokens" }).check();
    for (const width of [390, 1600]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      expect(await listViolations(page)).toEqual([]);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    await page.getByRole("button", { name: "Sampling and system prompt" }).click();
    await page.getByRole("dialog").waitFor();
    expect(await listViolations(page)).toEqual([]);
  },
);
