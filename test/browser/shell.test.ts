/** The frame around the rooms: how it opens, how it weighs, what it does when the server goes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { launchBrowser, listViolations, startUI, watchProblems, type StartedUI } from "./chromium.ts";

const folder = mkdtempSync(join(tmpdir(), "spar-shell-"));
let browser: Browser;
let ui: StartedUI;
let context: BrowserContext;
let page: Page;
let problems: string[];

beforeAll(async () => {
  browser = await launchBrowser();
  ui = await startUI({ cwd: folder });
});
afterAll(async () => {
  await browser.close();
  await ui.close();
  rmSync(folder, { recursive: true });
});

async function open(options: Parameters<Browser["newContext"]>[0] = {}): Promise<void> {
  context = await browser.newContext(options);
  page = await context.newPage();
  problems = watchProblems(page, ["error", "warning"]);
}

beforeEach(() => open());
afterEach(() => context.close());

const current = (): Promise<string | null> => page.locator('.nav-link[aria-current="page"]').textContent();

describe("opening", () => {
  test("the token leaves the address at once, stays out of the history, and works no second time for others", async () => {
    await page.goto(ui.url);
    await page.locator('.nav-link[aria-current="page"]').waitFor();
    expect(page.url()).toBe(`${ui.origin}/#/label`);
    expect(await page.evaluate(() => document.cookie)).toBe("");
    const [cookie, ...others] = await context.cookies();
    expect(others).toEqual([]);
    expect(cookie).toMatchObject({ name: `spar-${ui.port}`, httpOnly: true, sameSite: "Strict" });
    expect(JSON.stringify(cookie)).not.toContain(ui.token);
    await page.reload();
    expect(await current()).toBe("Label");
    expect(problems).toEqual([]);
    const stranger = await browser.newContext();
    const locked = await stranger.newPage();
    expect((await locked.goto(`${ui.origin}/`))!.status()).toBe(401);
    expect(await locked.locator("h1").textContent()).toBe("This page is locked");
    expect(await listViolations(locked)).toEqual([]);
    await stranger.close();
  });

  test.each(["label", "runs", "samples", "chat"])(
    "the first load of %s weighs less than 150 kB of JavaScript on the wire",
    async (room) => {
      const session = await context.newCDPSession(page);
      await session.send("Network.enable");
      const scripts = new Map<string, string>();
      let bytes = 0;
      session.on("Network.responseReceived", ({ requestId, response, type }) => {
        if (type === "Script") scripts.set(requestId, response.url);
      });
      session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
        if (scripts.has(requestId)) bytes += encodedDataLength;
      });
      await page.goto(`${ui.url}#/${room}`);
      await page.locator("main h1").first().waitFor();
      await page.waitForTimeout(500);
      expect(bytes).toBeGreaterThan(5_000);
      expect(bytes).toBeLessThan(150_000);
      // What was measured, for those who look.
      console.log(`${room}: ${bytes} bytes of JavaScript in ${scripts.size} files`);
      expect(new Set(scripts.values()).size, "nothing comes twice").toBe(scripts.size);
      for (const url of scripts.values()) {
        const answer = await page.request.get(url);
        // Less than that would not get smaller.
        if ((await answer.body()).length >= 512) expect(answer.headers()["content-encoding"], url).toMatch(/br|gzip/);
        expect(answer.headers()["cache-control"]).toContain("immutable");
      }
    },
  );

  test("an address that there is not says so, and leads on", async () => {
    await page.goto(`${ui.url}#/nowhere`);
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    expect(await listViolations(page)).toEqual([]);
    await page.getByRole("link", { name: "Go to Label" }).click();
    await page.waitForURL(/#\/label/);
    await page.locator("main h1").first().waitFor();
  });
});

describe("everybody", () => {
  const rooms = ["Label", "Runs", "Samples", "Chat"];

  test("by keyboard only: the skip link, then the rooms, and ? for the keys", async () => {
    await page.goto(`${ui.url}#/runs`);
    await page.locator("main h1, main h2").first().waitFor();
    await page.keyboard.press("Tab");
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to content");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe("main");
    expect(page.url()).toMatch(/#\/runs$/);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Samples" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/#\/samples/);
    await expect.poll(() => page.title()).toBe("Samples · spar");
  });

  test("the theme follows the system until somebody chooses, and the choice stays", async () => {
    await context.close();
    await open({ colorScheme: "dark" });
    await page.goto(ui.url);
    await page.locator(".nav-link").first().waitFor();
    const theme = () => page.evaluate(() => document.documentElement.dataset["theme"]);
    await expect.poll(theme).toBe("dark");
    await page.emulateMedia({ colorScheme: "light" });
    await expect.poll(theme).toBe("light");
    await page.emulateMedia({ colorScheme: "dark" });
    await page.getByRole("button", { name: "Theme: as the system" }).click();
    await expect.poll(theme).toBe("light");
    await page.reload();
    await page.getByRole("button", { name: "Theme: light" }).waitFor();
    await expect.poll(theme).toBe("light");
  });

  for (const [width, height] of [
    [390, 844],
    [1600, 900],
  ] as const) {
    for (const colorScheme of ["light", "dark"] as const) {
      test(`${width} px, ${colorScheme}: empty rooms say what to run first, nothing sticks out, axe finds nothing`, async () => {
        await context.close();
        await open({ viewport: { width, height }, colorScheme });
        await page.goto(ui.url);
        for (const room of rooms) {
          await page.getByRole("navigation").getByRole("link", { name: room }).click();
          await page.waitForURL(new RegExp(`#/${room.toLowerCase()}`));
          await page.locator("main h1, main h2").first().waitFor();
          await page.waitForTimeout(400);
          const overhang = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          expect(overhang, `${room} is wider than the window`).toBe(0);
          expect(await listViolations(page), room).toEqual([]);
        }
        const box = (await page.getByRole("navigation").first().boundingBox())!;
        expect(width === 390 ? Math.round(box.y + box.height) : box.x).toBe(width === 390 ? height : 0);
        expect(problems).toEqual([]);
      });
    }
  }
});

describe("live", () => {
  test("a tab has one connection, gives it back while nobody looks, and takes it again", async () => {
    await page.clock.install();
    const open = new Set<object>();
    page.on("request", (sent) => {
      if (sent.url().includes("/api/events")) open.add(sent);
    });
    for (const end of ["requestfinished", "requestfailed"] as const) page.on(end as "requestfailed", (sent) => open.delete(sent));
    await page.goto(ui.url);
    await expect.poll(() => open.size).toBe(1);
    for (const room of ["Runs", "Samples", "Chat", "Runs"]) {
      await page.getByRole("navigation").getByRole("link", { name: room }).click();
      await page.locator("main h1").first().waitFor();
      await page.clock.runFor(500);
    }
    await expect.poll(() => open.size).toBe(1);
    const look = (hidden: boolean) =>
      page.evaluate((isHidden) => {
        Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    await look(true);
    await page.clock.runFor(9000);
    expect(open.size).toBe(1);
    await page.clock.runFor(2000);
    await expect.poll(() => open.size).toBe(0);
    await look(false);
    await page.clock.runFor(100);
    await expect.poll(() => open.size).toBe(1);
    expect(await page.getByText("does not answer").count()).toBe(0);
  });
});

describe("when the server goes", () => {
  test("the page says so, and goes on by itself when it is back with the same token", async () => {
    const token = "a-token-that-outlives-a-restart";
    let server = await startUI({ cwd: folder, args: ["--token", token] });
    const { port, url } = server;
    await page.goto(url);
    await page.locator(".nav-link").first().waitFor();
    server.process.kill("SIGKILL");
    await page.getByText("The server does not answer.").waitFor({ timeout: 10_000 });
    server = await startUI({ cwd: folder, port, args: ["--token", token] });
    await page.getByText("The server does not answer.").waitFor({ state: "detached", timeout: 15_000 });
    await page.getByRole("link", { name: "Runs" }).click();
    await page.waitForURL(/#\/runs/);
    await server.close();
    server = await startUI({ cwd: folder, port });
    await page.getByText("The server was started anew.").waitFor({ timeout: 15_000 });
    const second = await context.newPage();
    await second.goto(server.url);
    await page.getByText("The server was started anew.").waitFor({ state: "detached", timeout: 15_000 });
    await server.close();
  });

  test("Ctrl-C ends it although pages are open", async () => {
    const server = await startUI({ cwd: folder });
    await page.goto(server.url);
    await page.locator(".nav-link").first().waitFor();
    const before = Date.now();
    server.process.kill("SIGINT");
    await new Promise<void>((resolve) => server.process.on("exit", () => resolve()));
    expect(Date.now() - before).toBeLessThan(5000);
    expect(server.process.exitCode).toBe(0);
  });
});
