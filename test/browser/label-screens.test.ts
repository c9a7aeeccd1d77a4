/**
 * How the room looks: no violation that axe finds, and nothing wider than the screen, on a phone and on a large screen, light and dark.
 * SPAR_SCREENSHOTS names a folder for the pictures.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser, listViolations } from "./chromium.ts";
import { startLabelServer, waitUntilSaved, type LabelServer } from "./label-room.ts";

const rows = [
  {
    id: "tea",
    prompt: [
      { role: "user", content: "How do I keep a sourdough starter alive while I am away for three weeks?" },
      { role: "assistant", content: "Do you have a fridge where it can stay?" },
      { role: "user", content: "Yes. It is a wheat starter, about 100 g, and I usually feed it every day." },
    ],
    answer1:
      "Feed it, let it stand for an hour, then put it into the fridge in a closed jar. Three weeks are no problem at 4 °C.\n\nWhen you are back:\n\n1. Pour off the grey liquid on top.\n2. Take **20 g** of it, feed it 1:2:2 with flour and water.\n3. Feed it twice more, 12 hours apart, until it doubles within 6 hours.\n\nFor safety, dry a spoonful on baking paper: it keeps for years.",
    answer2:
      "Put it into the fridge in a closed jar. Three weeks are a long time, so you should ask a neighbour to feed it every day, as you do now. When you are back, pour off the grey liquid on top and use it as usual.\n\nA starter that is not fed for three weeks is dead and has to be thrown away.",
  },
  ...Array.from({ length: 11 }, (_, i) => ({
    id: `code-${String(i)}`,
    prompt: `Write a function that tells whether ${String(i + 2)} is prime, and say how fast it is.`,
    answer1:
      "Divide by every number up to the root.\n\n```python\ndef is_prime(n):\n    return n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1))\n```\n\nThis takes O(√n) divisions.",
    answer2: "Use a sieve. It is always faster, whatever the number is.",
  })),
];
const guidelines =
  "## What makes an answer better\n\n1. **Facts** first: one wrong claim outweighs style.\n2. Then help: does it solve the problem?\n3. Shorter wins where both say the same.";

let browser: Browser;
let server: LabelServer;
const folder = process.env["SPAR_SCREENSHOTS"];

beforeAll(async () => {
  browser = await launchBrowser();
  server = await startLabelServer(rows, ["--overlap", "1"]);
  const { origin } = server.ui;
  const headers = { authorization: `Bearer ${server.ui.token}`, "content-type": "application/json" };
  await fetch(`${origin}/api/label/projects/tasks/guidelines`, {
    method: "PUT",
    headers,
    body: JSON.stringify({ text: guidelines, after: 0 }),
  });
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

const views = [
  { name: "light", width: 1600, height: 1000, colorScheme: "light" },
  { name: "dark", width: 1600, height: 1000, colorScheme: "dark" },
  { name: "narrow", width: 390, height: 844, colorScheme: "light" },
  { name: "narrow-dark", width: 390, height: 844, colorScheme: "dark" },
] as const;

test.each(views)("$name: $width pixels", async ({ name, width, height, colorScheme }) => {
  const page = await server.open(browser, `Ada ${name}`, { viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
  const problems: string[] = [];
  const look = async (what: string): Promise<void> => {
    if (folder !== undefined) {
      mkdirSync(folder, { recursive: true });
      await page.screenshot({ path: join(folder, `label-${name}${what}.png`) });
    }
    problems.push(...(await listViolations(page)).map((line) => `${what}: ${line}`));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) problems.push(`${what}: ${String(wide)} pixels too wide`);
  };
  await look("");
  await page.keyboard.press("s");
  await page.getByRole("dialog").waitFor();
  await look("-skip");
  await page.keyboard.press("Escape");
  await page.keyboard.press("1");
  await waitUntilSaved(page);
  await page.keyboard.press("u");
  await waitUntilSaved(page);
  await page.keyboard.press("Shift+1");
  await waitUntilSaved(page);
  await look("-toast");
  await page.keyboard.press("k");
  await look("-again");
  await page.keyboard.press("Escape");
  await page.keyboard.press("u");
  await waitUntilSaved(page);
  await page.keyboard.press("d");
  await page.keyboard.press("g");
  await page.getByRole("complementary", { name: "Guidelines" }).waitFor();
  await look("-guidelines");
  await page.keyboard.press("Escape");
  await page.getByRole("complementary", { name: "Guidelines" }).waitFor({ state: "detached" });
  await page.keyboard.press("d");
  await page.keyboard.press("e");
  await page.getByRole("dialog").waitFor();
  await look("-edit");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await look("-keys");
  await page.keyboard.press("Escape");
  for (const key of ["1", "2", "3", "0", "1", "2"]) {
    await page.keyboard.press(name.startsWith("narrow") ? "1" : key);
    await waitUntilSaved(page);
  }
  for (const room of ["statistics", "disagreements", "history"]) {
    await page.goto(`${server.ui.origin}/#/label/tasks/${room}`);
    await page.getByRole("heading", { level: 1 }).last().waitFor();
    await page.waitForTimeout(150);
    const row = page.locator(".label-list-row[aria-expanded]").first();
    if (room === "disagreements" && (await row.count()) > 0) await row.click();
    await look(`-${room}`);
  }
  expect(problems).toEqual([]);
  await page.context().close();
});

test.each(views)("rankings, long texts and the name, $name", async ({ name, width, height, colorScheme }) => {
  const long = Array.from({ length: 60 }, (_, i) => `Line ${String(i)} of an answer that does not come to its point.`).join("\n");
  const prompt = Array.from({ length: 8 }, (_, i) => ({
    role: i % 2 === 0 ? "user" : "assistant",
    content: `Turn ${String(i)} of a talk.`,
  }));
  const ranked = await startLabelServer(
    [
      {
        id: "r",
        prompt: "Name a good tree for a small garden.",
        candidates: ["An oak.", "A crab apple: 4 m, blossom, fruit.", "A sequoia.", long],
      },
      { id: "s", prompt: [...prompt, { role: "user", content: "And now?" }], candidates: ["One", "Two"] },
    ],
    ["--mode", "ranking"],
  );
  const problems: string[] = [];
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
  const page = await context.newPage();
  const look = async (what: string): Promise<void> => {
    if (folder !== undefined) await page.screenshot({ path: join(folder, `label-${name}${what}.png`) });
    problems.push(...(await listViolations(page)).map((line) => `${what}: ${line}`));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) problems.push(`${what}: ${String(wide)} pixels too wide`);
  };
  await page.goto(ranked.ui.url);
  await page.getByLabel("Your name").fill("Ada");
  await look("-name");
  await page.getByRole("button", { name: "Start labeling" }).click();
  await page.locator(".label-stage").waitFor();
  for (const key of ["2", "1", "2"]) await page.keyboard.press(key);
  await look("-ranking");
  await page.keyboard.press("3");
  await context.setOffline(true);
  await page.keyboard.press("Enter");
  await page.locator('.label-save[data-state="offline"]').waitFor();
  // The shell's banner comes after a moment.
  await page.waitForTimeout(1500);
  await look("-offline");
  await context.setOffline(false);
  await waitUntilSaved(page);
  await page.keyboard.press("0");
  await page.getByRole("heading", { name: "All is labelled" }).waitFor();
  await waitUntilSaved(page);
  await page.locator(".command").first().waitFor();
  await look("-done");
  expect(problems).toEqual([]);
  await context.close();
  await ranked.close();
});
