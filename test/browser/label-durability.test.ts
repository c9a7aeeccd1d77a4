/** No label is lost: without a network, with a server that is killed, in two tabs, over a reload. */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { launchBrowser } from "./chromium.ts";
import { makePairs, readTask, startLabelServer, waitUntilSaved, type LabelServer } from "./label-room.ts";

let browser: Browser;
let server: LabelServer;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterEach(() => server.close());
afterAll(() => browser.close());

const isOffline = (page: Page): Promise<void> => page.locator('.label-save[data-state="offline"]').waitFor({ timeout: 15_000 });
const listWaiting = (page: Page): Promise<string[]> =>
  page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("spar.label.waiting/")));

test("offline, labels wait in the browser, an undo among them, and follow by themselves", async () => {
  server = await startLabelServer(makePairs(12));
  const page = await server.open(browser, "Ada");
  await page.keyboard.press("1");
  await waitUntilSaved(page);
  await page.context().setOffline(true);
  const tasks: string[] = [];
  for (const key of ["1", "2", "3"]) {
    tasks.push(await readTask(page));
    await page.keyboard.press(key);
  }
  await isOffline(page);
  expect(await page.locator(".label-save").innerText()).toBe("3 waiting, offline");
  expect(await page.locator(".label-notice").innerText()).toContain("your labels wait in this browser");
  expect(await listWaiting(page)).toHaveLength(3);
  expect(server.readLabels()).toHaveLength(1);
  // Undone offline: the label and its undo both follow, in that order.
  await page.keyboard.press("u");
  expect(await readTask(page)).toBe(tasks[2]);
  await page.keyboard.press("0");
  await page.context().setOffline(false);
  await waitUntilSaved(page);
  expect(await listWaiting(page)).toEqual([]);
  const rows = server.readLabels();
  expect(
    rows.slice(1).map(({ task, choice, undoes }) => [task, choice === "a" || choice === "b" ? "better" : choice, undoes === undefined]),
  ).toEqual([
    [tasks[0], "better", true],
    [tasks[1], "better", true],
    [tasks[2], "tie", true],
    [tasks[2], null, false],
    [tasks[2], "both_bad", true],
  ]);
});

test("a tab that is closed while labels wait: the next one sends them, and hands out other tasks", async () => {
  server = await startLabelServer(makePairs(12));
  const page = await server.open(browser, "Ada");
  const first = await readTask(page);
  await page.route("**/labels", (route) => route.abort());
  await page.keyboard.press("1");
  const second = await readTask(page);
  await page.keyboard.press("2");
  await isOffline(page);
  const other = await page.context().newPage();
  await page.close();
  await other.goto(server.ui.url);
  await other.locator(".label-stage").waitFor();
  await waitUntilSaved(other);
  expect(server.readLabels().map(({ task }) => task)).toEqual([first, second]);
  expect([first, second]).not.toContain(await readTask(other));
  // Undo reaches back over the reload.
  await other.keyboard.press("u");
  expect(await readTask(other)).toBe(second);
});

test("kill -9 in the middle of labeling: what was called saved is there, the rest follows once, the person went on", async () => {
  server = await startLabelServer(makePairs(60));
  const page = await server.open(browser, "Ada");
  const sent: string[] = [];
  const saved = new Set<string>();
  page.on("requestfinished", (request) => {
    if (!request.url().endsWith("/labels")) return;
    void request.response().then(async (response) => {
      const answer = (await response?.json().catch(() => null)) as { saved?: string[] } | null;
      for (const id of answer?.saved ?? []) saved.add(id);
    });
  });
  const label = async (): Promise<void> => {
    const task = await readTask(page);
    await page.keyboard.press(sent.length % 2 === 0 ? "1" : "2");
    sent.push(task);
  };
  for (let i = 0; i < 10; i++) await label();
  // In the middle: some of these are on their way.
  const dying = server.kill();
  await label();
  await label();
  await dying;
  const savedBefore = [...saved];
  await label();
  await isOffline(page);
  const onDisk = new Set(server.readLabels().map(({ id }) => id));
  expect(savedBefore.filter((id) => !onDisk.has(id))).toEqual([]);
  expect(savedBefore.length).toBeGreaterThan(0);
  await server.startAgain();
  await waitUntilSaved(page);
  for (let i = 0; i < 10; i++) {
    await page.locator(".label-stage").waitFor();
    await label();
  }
  await waitUntilSaved(page);
  const rows = server.readLabels();
  expect(rows.map(({ task }) => task)).toEqual(sent);
  expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  expect(rows.every(({ choice }) => choice === "a" || choice === "b")).toBe(true);
});

test("two tabs of one person: other tasks in each, nothing twice, nothing lost", async () => {
  server = await startLabelServer(makePairs(30));
  const left = await server.open(browser, "Ada");
  const right = await left.context().newPage();
  await right.goto(server.ui.url);
  await right.locator(".label-stage").waitFor();
  expect(await readTask(left)).not.toBe(await readTask(right));
  for (const page of [left, right, right, left, left, right, left, right, left, right]) {
    await page.keyboard.press("1");
  }
  await waitUntilSaved(left);
  await waitUntilSaved(right);
  const rows = server.readLabels();
  expect(rows).toHaveLength(10);
  expect(new Set(rows.map(({ task }) => task)).size).toBe(10);
  // A duplicated tab has a copy of the session's storage, and still is a tab of its own.
  const copy = await left.context().newPage();
  const session = await left.evaluate(() => JSON.stringify(sessionStorage));
  await copy.addInitScript((text) => {
    for (const [key, value] of Object.entries(JSON.parse(text) as { [key: string]: string })) sessionStorage.setItem(key, value);
  }, session);
  await copy.goto(server.ui.url);
  await copy.locator(".label-stage").waitFor();
  expect(await readTask(copy)).not.toBe(await readTask(left));
});

test("the same task in two browsers of one person: the later label is refused, shown, and not thrown away", async () => {
  server = await startLabelServer(makePairs(1));
  const page = await server.open(browser, "Ada");
  await page.context().setOffline(true);
  await page.keyboard.press("1");
  await isOffline(page);
  const { origin, token } = server.ui;
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const [key] = await listWaiting(page);
  const label = await page.evaluate((name) => JSON.parse(localStorage.getItem(name) ?? "null") as { task: string }, key);
  const row = { ...label, id: "00000000-0000-4000-8000-000000000000" };
  await fetch(`${origin}/api/label/projects/tasks/labels`, { method: "POST", headers, body: JSON.stringify({ labels: [row] }) });
  await page.context().setOffline(false);
  await page.getByRole("button", { name: "1 refused" }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.innerText()).toContain("A better by Ada");
  await page.keyboard.press("Escape");
  await page.reload();
  await page.getByRole("button", { name: "1 refused" }).click();
  await page.getByRole("button", { name: "Put away" }).click();
  await page.getByText("None is left.").waitFor();
  expect(server.readLabels().map(({ id }) => id)).toEqual([row.id]);
});
