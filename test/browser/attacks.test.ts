/** Attacks on the page as a browser carries them out: from a page of another origin, and by text that a model wrote. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchBrowser, startUI, type StartedUI } from "./chromium.ts";

const folder = mkdtempSync(join(tmpdir(), "spar-attacks-"));
/** Each would set window.owned, or ask another server, if it ran. */
const hostile = [
  '<img src=x onerror="window.owned = 1">',
  "<script>window.owned = 2</script>",
  "<svg onload=window.owned=3><animate onbegin=window.owned=3 attributeName=x></svg>",
  "[click me](javascript:window.owned=4)",
  '[click](data:text/html,<script>parent.owned=5</script>) <a href="JaVaScRiPt:window.owned=5">x</a>',
  '<iframe srcdoc="<script>parent.owned=6</script>"></iframe><object data="javascript:window.owned=6"></object>',
  "![spy](http://127.0.0.1:SPY/pixel.png) <img src=http://127.0.0.1:SPY/html.png>",
  '<form action="http://127.0.0.1:SPY/form"><button autofocus onfocus="window.owned=7">go</button></form>',
  '<style>@import "http://127.0.0.1:SPY/style.css"; body { display: none }</style><link rel=stylesheet href=http://127.0.0.1:SPY/l.css>',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.owned=8&gt;">',
  '<base href="http://127.0.0.1:SPY/"><meta http-equiv=refresh content="0;url=http://127.0.0.1:SPY/meta">',
  '<div style="position:fixed;inset:0;background:url(http://127.0.0.1:SPY/bg.png)" id=main class=dialog>over all</div>',
  "`<img src=x onerror=window.owned=9>`\n\n```html\n<script>window.owned = 10</script>\n```",
  '[x]: http://127.0.0.1:SPY/ref.png "a"\n![][x] <http://127.0.0.1:SPY/auto>',
];

let browser: Browser;
let ui: StartedUI;
let spy: Server;
let spyPort: number;
const asked: string[] = [];
let context: BrowserContext;

beforeAll(async () => {
  spy = createServer((incoming, outgoing) => {
    asked.push(incoming.url ?? "");
    outgoing.setHeader("content-type", "text/html");
    outgoing.end("<!doctype html><title>evil</title><h1>evil</h1>");
  });
  await new Promise<void>((resolve) => spy.listen(0, resolve));
  spyPort = (spy.address() as AddressInfo).port;
  const texts = hostile.map((text) => text.replaceAll("SPY", String(spyPort)));
  const tasks = texts.map((text, index) => ({
    prompt: `${index}: ${text}`,
    answer1: `one ${text}\n\n- **bold**`,
    answer2: `two\n\n${text}`,
  }));
  writeFileSync(join(folder, "tasks.jsonl"), tasks.map((task) => `${JSON.stringify(task)}\n`).join(""));
  browser = await launchBrowser();
  ui = await startUI({ cwd: folder, args: ["--data", "tasks.jsonl"] });
  context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(ui.url);
  await page.locator(".nav-link").first().waitFor();
  await page.close();
});
afterAll(async () => {
  await browser.close();
  await ui.close();
  spy.close();
  rmSync(folder, { recursive: true });
});

/** A page of another origin in the browser that is logged in: another port, and another site. */
async function openEvil(host: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`http://${host}:${spyPort}/`);
  return page;
}

describe.each(["127.0.0.1", "localhost"])("a page at another port of %s, in the browser of somebody who is logged in", (host) => {
  test("neither reads nor writes by fetch", async () => {
    const page = await openEvil(host);
    const outcome = await page.evaluate(async (origin) => {
      const tell = (promise: Promise<Response>) =>
        promise.then(
          (answer) => `${answer.type} ${answer.status}`,
          () => "refused",
        );
      return {
        read: await tell(fetch(`${origin}/api/ui`, { credentials: "include" })),
        opaque: await tell(fetch(`${origin}/api/ui`, { credentials: "include", mode: "no-cors" })),
        write: await tell(
          fetch(`${origin}/api/label/projects/tasks/labels`, {
            method: "POST",
            credentials: "include",
            mode: "no-cors",
            headers: { "content-type": "text/plain" },
            body: '{"labels":[]}',
          }),
        ),
        json: await tell(
          fetch(`${origin}/api/label/projects/tasks/labels`, {
            method: "POST",
            credentials: "include",
            headers: { "content-type": "application/json" },
            body: "{}",
          }),
        ),
        beacon: navigator.sendBeacon(`${origin}/api/label/projects/tasks/labels`, "{}"),
      };
    }, ui.origin);
    // An opaque answer would be a request that was let through and only not shown: resource policy stops even that.
    expect(outcome).toEqual({ read: "refused", opaque: "refused", write: "refused", json: "refused", beacon: true });
    const given = await fetch(`${ui.origin}/api/label/projects`, { headers: { authorization: `Bearer ${ui.token}` } });
    expect(await given.json()).toMatchObject([{ progress: { given: 0 } }]);
    await page.close();
  });

  test("can embed it neither as a script, a picture, a style nor a frame, and cannot listen to its events", async () => {
    const page = await openEvil(host);
    const files = (await (await fetch(`${ui.origin}/`, { headers: { authorization: `Bearer ${ui.token}` } })).text()).match(
      /\/assets\/[\w.-]+/g,
    )!;
    const outcome = await page.evaluate(
      async ([origin, script]) => {
        const load = (tag: string, attribute: string, address: string): Promise<string> =>
          new Promise((resolve) => {
            const element = document.createElement(tag);
            if (tag === "link") element.setAttribute("rel", "stylesheet");
            element.onload = () => resolve("loaded");
            element.onerror = () => resolve("refused");
            element.setAttribute(attribute, address);
            document.body.append(element);
          });
        const listen = (): Promise<string> =>
          new Promise((resolve) => {
            const source = new EventSource(`${origin}/api/events?topic=label:tasks`, { withCredentials: true });
            source.onopen = () => resolve("open");
            source.onerror = () => resolve("refused");
          });
        const frame = document.createElement("iframe");
        frame.src = `${origin}/`;
        document.body.append(frame);
        await new Promise((resolve) => setTimeout(resolve, 800));
        let inside = "unreadable";
        try {
          inside = frame.contentDocument?.body?.textContent ?? "unreadable";
        } catch {
          // Another origin, as it should be.
        }
        return {
          script: await load("script", "src", `${origin}${script}`),
          json: await load("script", "src", `${origin}/api/ui`),
          picture: await load("img", "src", `${origin}/favicon.svg`),
          style: await load("link", "href", `${origin}/api/ui`),
          events: await listen(),
          inside,
        };
      },
      [ui.origin, files.find((file) => file.endsWith(".js"))!] as const,
    );
    expect(outcome).toEqual({
      script: "refused",
      json: "refused",
      picture: "refused",
      style: "refused",
      events: "refused",
      inside: "unreadable",
    });
    for (const frame of page.frames().slice(1)) expect(await frame.locator(".nav").count()).toBe(0);
    await page.close();
  });

  test("that opens it as a window gets no hold of it", async () => {
    const page = await openEvil(host);
    const [popup] = await Promise.all([
      context.waitForEvent("page"),
      page.evaluate((origin) => {
        (window as unknown as { opened: Window | null }).opened = open(`${origin}/`);
      }, ui.origin),
    ]);
    await popup.waitForLoadState();
    expect(await popup.evaluate(() => window.opener)).toBeNull();
    expect(await page.evaluate(() => (window as unknown as { opened: Window | null }).opened?.closed)).toBe(true);
    await page.close();
    await popup.close();
  });
});

test("a name that resolves to this machine (DNS rebinding) reaches nothing, with the right token and all", async () => {
  const ask = (host: string, path: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { host, authorization: `Bearer ${ui.token}` };
      request({ host: "127.0.0.1", port: ui.port, path, headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
        .on("error", reject)
        .end();
    });
  expect(await ask(`127.0.0.1:${ui.port}`, "/api/ui")).toBe(200);
  for (const host of ["evil.example", `evil.example:${ui.port}`, "127.0.0.1.nip.example", `localhost.evil.example:${ui.port}`]) {
    expect(await ask(host, "/api/ui"), host).toBe(403);
    expect(await ask(host, `/?token=${ui.token}`), host).toBe(403);
  }
  const rebound = await launchBrowser({ args: [`--host-resolver-rules=MAP evil.example 127.0.0.1`] });
  const page = await rebound.newPage();
  const answer = await page.goto(`http://evil.example:${ui.port}/?token=${ui.token}`);
  expect(answer!.status()).toBe(403);
  expect(await page.evaluate(async () => (await fetch("/api/ui")).status)).toBe(403);
  await rebound.close();
});

test("paths that lead out of the folder, sent as they are, find nothing", async () => {
  const raw = (path: string): Promise<number> =>
    new Promise((resolve) => {
      request({ host: "127.0.0.1", port: ui.port, path, headers: { authorization: `Bearer ${ui.token}` } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
        .on("error", () => resolve(0))
        .end();
    });
  const paths = [
    "/../../package.json",
    "/..%2f..%2fpackage.json",
    "/%2e%2e/%2e%2e/package.json",
    "/assets/..%5c..%5cpackage.json",
    "/%00",
    "//etc/passwd",
  ];
  for (const path of paths) expect([404, 400], path).toContain(await raw(path));
});

test("what a model wrote is shown and never run, and asks nobody for anything", async () => {
  const page = await context.newPage();
  const outside: string[] = [];
  page.on("request", (sent) => {
    if (!sent.url().startsWith(`${ui.origin}/`)) outside.push(sent.url());
  });
  const before = asked.length;
  await page.goto(`${ui.origin}/#/label`);
  // As a person meets them: each task, until none is left.
  const name = page.getByLabel(/name/i).first();
  await name.waitFor();
  await name.fill("Ann");
  await name.press("Enter");
  await page.getByRole("button", { name: "Markdown" }).click();
  for (let index = 0; index < hostile.length; index++) {
    await page.locator(".markdown").first().waitFor();
    await page.waitForTimeout(150);
    const state = await page.evaluate(() => ({
      owned: (window as unknown as { owned?: number }).owned,
      foreign: [...document.querySelectorAll(".markdown")].flatMap((text) =>
        [...text.querySelectorAll("script, img, iframe, object, form, style, link, meta, base, svg, math, button, input")].map(
          ({ outerHTML }) => outerHTML,
        ),
      ),
      handlers: [...document.querySelectorAll(".markdown *")].flatMap(({ attributes }) =>
        [...attributes]
          .filter(({ name: key }) => /^on|^style$|^id$|^class$|^srcdoc$/.test(key))
          .map(({ name: key, value }) => `${key}=${value}`),
      ),
      links: [...document.querySelectorAll<HTMLAnchorElement>(".markdown a[href]")].filter(
        (link) => !/^(https?|mailto):$/.test(link.protocol) || !link.rel.includes("noopener") || link.target !== "_blank",
      ).length,
    }));
    expect(state).toEqual({ owned: undefined, foreign: [], handlers: [], links: 0 });
    await page.getByRole("button", { name: /A better/ }).click();
    await page.getByText(`${index + 1} of ${hostile.length}`).waitFor();
  }
  expect(outside).toEqual([]);
  expect(asked.slice(before)).toEqual([]);
  await page.close();
});

test("no text becomes elements by the page's own hand: the browser itself refuses", async () => {
  const page = await context.newPage();
  await page.goto(`${ui.origin}/`);
  await page.locator(".nav-link").first().waitFor();
  const outcome = await page.evaluate(() => {
    const trusted = (window as unknown as { trustedTypes: { createPolicy(name: string, rules: object): void } }).trustedTypes;
    const attempt = (work: () => void): string => {
      try {
        work();
        return "done";
      } catch (error) {
        return (error as Error).name;
      }
    };
    return {
      innerHTML: attempt(() => (document.createElement("div").innerHTML = "<b>x</b>")),
      script: attempt(() => (document.createElement("script").text = "window.owned = 1")),
      policy: attempt(() => trusted.createPolicy("mine", {})),
    };
  });
  expect(outcome).toEqual({ innerHTML: "TypeError", script: "TypeError", policy: "TypeError" });
  await page.close();
});
