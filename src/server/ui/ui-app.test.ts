/** Who gets in, and what is done to those who should not: each test is an attack. In a real browser: test/browser/attacks.test.ts. */
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { SparError } from "../../internal/errors.ts";
import { createEventHub } from "./event-hub.ts";
import type { StaticFiles } from "./static-files.ts";
import { createUIApp, type UIAppOptions } from "./ui-app.ts";
import { RequestError } from "./ui-error.ts";

const token = "correct-horse-battery-staple";
const origin = "http://127.0.0.1:8123";
const texts: { readonly [path: string]: string } = { "/index.html": "the page", "/locked.html": "locked", "/locked.css": "css" };
const files: StaticFiles = {
  text: (path) => texts[path],
  respond: async (path) => (texts[path] === undefined ? undefined : new Response(texts[path])),
};

function openApp(options: Partial<UIAppOptions> = {}) {
  const posts: unknown[] = [];
  const errors: unknown[] = [];
  const routes = new Hono()
    .get("/secret", () => Response.json("secret"))
    .post("/labels", async ({ req }) => {
      posts.push(await req.text());
      return Response.json({});
    })
    .get("/teapot", () => {
      throw new RequestError(418, "ui/teapot", "short and stout", { hint: "pour" });
    })
    .get("/spar-error", () => {
      throw new SparError("data/empty", "the file is empty");
    })
    .get("/bug", () => {
      throw new Error("password 123 at /home/me");
    });
  const app = createUIApp({
    hub: createEventHub(),
    files,
    token,
    hosts: ["127.0.0.1"],
    anyAddress: false,
    rooms: [{ name: "label", routes }],
    version: "1.2.3",
    folder: "~/work",
    onError: (error) => errors.push(error),
    ...options,
  });
  const send = (path: string, headers: { [name: string]: string } = {}, init: RequestInit = {}) =>
    app.request(`${origin}${path}`, { ...init, headers: { host: "127.0.0.1:8123", ...headers } });
  return { app, send, posts, errors };
}

async function logIn({ send }: ReturnType<typeof openApp>, known = token): Promise<string> {
  const answer = await send(`/?token=${known}`);
  expect(answer.status).toBe(303);
  expect(answer.headers.get("location")).toBe("/");
  return answer.headers.get("set-cookie")!.split(";")[0]!;
}

const codeOf = async (answer: Response): Promise<string> => ((await answer.json()) as { error: { code: string } }).error.code;

describe("the token", () => {
  test("is exchanged for a cookie that no script reads and no other site sends", async () => {
    const ui = openApp();
    const answer = await ui.send(`/?token=${token}`);
    const cookie = answer.headers.get("set-cookie")!;
    expect(cookie).toMatch(/^spar-8123=[\w-]+\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(token);
    expect(await (await ui.send("/", { cookie: `a=b; ${cookie.split(";")[0]}; c=d` })).text()).toBe("the page");
    expect(await (await ui.send("/api/label/secret", { cookie })).json()).toBe("secret");
    expect(await (await ui.send("/api/ui", { cookie })).json()).toEqual({ version: "1.2.3", rooms: ["label"], folder: "~/work" });
  });

  test("works for programs as a bearer token, on every path", async () => {
    const ui = openApp();
    expect((await ui.send("/api/label/secret", { authorization: `Bearer ${token}` })).status).toBe(200);
    expect((await ui.send("/api/label/secret", { authorization: `Bearer ${token}x` })).status).toBe(401);
    expect((await ui.send(`/api/label/secret?token=${token}`)).status).toBe(401);
  });

  test("without it there is nothing but the locked page and its looks", async () => {
    const ui = openApp();
    const cookie = await logIn(ui);
    const page = await ui.send("/");
    expect([page.status, await page.text(), page.headers.get("content-type")]).toEqual([401, "locked", "text/html; charset=utf-8"]);
    expect((await ui.send("/locked.css")).status).toBe(200);
    for (const path of ["/index.html", "/api/ui", "/api/label/secret", "/api/events", "/api/nothing", "/locked.html", "//locked.css"]) {
      expect((await ui.send(path)).status, path).toBe(401);
    }
    const forged = [
      cookie.replace(/\.[\w-]+$/, ""),
      cookie.replace(/=./, "=~"),
      `${cookie}x`,
      cookie.replace("8123", "8124"),
      "spar-8123=.",
      "spar-8123=a.b",
      "spar-8123",
    ];
    for (const bad of forged) expect((await ui.send("/api/label/secret", { cookie: bad })).status, bad).toBe(401);
    const other = await logIn(openApp({ token: "another-token-of-another-start" }), "another-token-of-another-start");
    expect((await ui.send("/api/label/secret", { cookie: other })).status).toBe(401);
  });

  test("a ticket opens the page once, and nothing else", async () => {
    const ui = openApp({ ticket: "a-ticket-for-one-browser" });
    expect((await ui.send("/api/ui", { authorization: "Bearer a-ticket-for-one-browser" })).status).toBe(401);
    const cookie = await logIn(ui, "a-ticket-for-one-browser");
    expect((await ui.send("/api/ui", { cookie })).status).toBe(200);
    expect((await ui.send("/?token=a-ticket-for-one-browser")).status).toBe(401);
    expect((await ui.send("/?token=")).status).toBe(401);
    await logIn(ui);
  });

  test("guessing is slowed down, and holds up nobody who knows it", async () => {
    let time = 0;
    const ui = openApp({ now: () => time });
    const guess = async () => (await ui.send("/?token=wrong")).status;
    for (let index = 0; index < 60; index++) expect(await guess()).toBe(401);
    expect(await guess()).toBe(429);
    expect((await ui.send("/api/ui", { authorization: "Bearer wrong" })).headers.get("retry-after")).toBe("1");
    const cookie = await logIn(ui);
    expect((await ui.send("/api/ui", { cookie })).status).toBe(200);
    time += 1100;
    expect(await guess()).toBe(401);
    expect(await guess()).toBe(429);
  });
});

describe("pages of other sites", () => {
  test("a name that was made to resolve here (DNS rebinding) is refused, with the cookie and without", async () => {
    const ui = openApp();
    const cookie = await logIn(ui);
    for (const host of ["evil.example", "evil.example:8123", "127.0.0.1.evil.example:8123", "169.254.169.254", "", "127.0.0.1:8123@evil"]) {
      const answer = await ui.send("/api/label/secret", { host, cookie });
      expect([answer.status, await codeOf(answer)], host).toEqual([403, "ui/host-not-allowed"]);
      expect((await ui.send(`/?token=${token}`, { host })).headers.get("set-cookie")).toBeNull();
    }
    for (const host of ["localhost:8123", "[::1]:8123", "LOCALHOST:8123"]) {
      expect((await ui.send("/api/label/secret", { host, authorization: `Bearer ${token}` })).status, host).toBe(200);
    }
  });

  test("foreign and neighbouring origins can neither write nor read", async () => {
    const ui = openApp();
    const cookie = await logIn(ui);
    const foreign = ["http://evil.example", "http://127.0.0.1:9999", "http://localhost:8123", "https://127.0.0.1:8123", "null"];
    for (const from of foreign) {
      for (const method of ["GET", "POST", "PUT", "DELETE", "OPTIONS"]) {
        const init = method === "GET" || method === "OPTIONS" ? { method } : { method, body: "{}" };
        const answer = await ui.send("/api/label/labels", { origin: from, cookie, "content-type": "text/plain" }, init);
        expect([answer.status, answer.headers.get("access-control-allow-origin")], `${method} from ${from}`).toEqual([403, null]);
      }
    }
    expect(ui.posts).toEqual([]);
    expect((await ui.send("/api/label/labels", { origin, cookie }, { method: "POST", body: "{}" })).status).toBe(200);
    expect(ui.posts).toEqual(["{}"]);
  });

  test("behind a proxy that speaks TLS the page is its own origin", async () => {
    const ui = openApp({ hosts: ["127.0.0.1", "labels.example"] });
    const send = (from: string): Promise<Response> | Response =>
      ui.send(
        "/api/label/labels",
        { host: "labels.example", origin: from, authorization: `Bearer ${token}` },
        { method: "POST", body: "{}" },
      );
    expect((await send("https://labels.example")).status).toBe(200);
    for (const from of ["https://labels.example:8443", "https://labels.example.evil", "https://127.0.0.1"])
      expect((await send(from)).status, from).toBe(403);
  });

  test("what browsers ask for another site's page (<script src>, <img>, <iframe>, fetch without CORS) is refused", async () => {
    const ui = openApp();
    const cookie = await logIn(ui);
    for (const site of ["cross-site", "same-site"]) {
      for (const [mode, dest] of [
        ["no-cors", "script"],
        ["no-cors", "image"],
        ["navigate", "iframe"],
        ["cors", "empty"],
        ["navigate", "document"],
      ] as const) {
        const headers = { cookie, "sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest };
        expect((await ui.send("/api/label/secret", headers)).status, `${site} ${dest}`).toBe(403);
        expect((await ui.send("/", headers)).status, `${site} ${dest} of the page`).toBe(dest === "document" ? 200 : 403);
      }
    }
  });

  test("a link from another site opens the page with its token, without a redirect that would lose the cookie", async () => {
    const ui = openApp();
    const headers = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
    const answer = await ui.send(`/?token=${token}`, headers);
    expect([answer.status, await answer.text()]).toEqual([200, "the page"]);
    expect(answer.headers.get("set-cookie")).toContain("SameSite=Strict");
    const wrong = await ui.send("/?token=wrong", headers);
    expect([wrong.status, wrong.headers.get("set-cookie")]).toEqual([401, null]);
  });
});

describe("answers", () => {
  test("all of them tell the browser what not to do", async () => {
    const ui = openApp();
    const cookie = await logIn(ui);
    for (const path of ["/", "/api/ui", "/api/none", "/api/label/bug", "/none", `/?token=${token}`]) {
      for (const headers of [{ cookie }, {}, { host: "evil.example" }] as { [name: string]: string }[]) {
        const answer = await ui.send(path, headers);
        const policy = answer.headers.get("content-security-policy")!;
        expect(policy).toContain("default-src 'self'");
        expect(policy).toContain("frame-ancestors 'none'");
        expect(policy).not.toContain("unsafe");
        expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
        expect(answer.headers.get("cross-origin-opener-policy")).toBe("same-origin");
        expect(answer.headers.get("cross-origin-resource-policy")).toBe("same-origin");
        expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
        expect(answer.headers.get("cache-control")).toBeTruthy();
      }
    }
  });

  test("errors have a code, a message and perhaps a hint; bugs keep theirs to themselves", async () => {
    const ui = openApp();
    const cookie = await logIn(ui);
    const ask = async (path: string) => {
      const answer = await ui.send(`/api/label/${path}`, { cookie });
      return [answer.status, ((await answer.json()) as { error: unknown }).error];
    };
    expect(await ask("teapot")).toEqual([418, { code: "ui/teapot", message: "short and stout", hint: "pour" }]);
    expect(await ask("spar-error")).toEqual([422, { code: "data/empty", message: "the file is empty" }]);
    expect(await ask("none")).toEqual([404, { code: "ui/not-found", message: "there is no GET /api/label/none here" }]);
    const [status, error] = await ask("bug");
    expect([status, JSON.stringify(error)]).toEqual([500, expect.not.stringContaining("password")]);
    expect(String(ui.errors[0])).toContain("password");
  });

  test("a request may weigh so much, counted where its length is not told", async () => {
    const ui = openApp({ maxBytes: 1000 });
    const cookie = await logIn(ui);
    const post = (body: string | ReadableStream) =>
      ui.send("/api/label/labels", { cookie }, { method: "POST", body, duplex: "half" } as RequestInit);
    expect((await post("x".repeat(1000))).status).toBe(200);
    expect((await post("x".repeat(1001))).status).toBe(413);
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(400)) });
    expect((await post(endless)).status).toBe(413);
    expect(ui.posts).toHaveLength(1);
  });

  test("one browser that asks without end is slowed down; another is not", async () => {
    let time = 0;
    const ui = openApp({ rate: { perSecond: 10, burst: 20 }, now: () => time });
    const [first, second] = [await logIn(ui), await logIn(ui)];
    const ask = async (cookie: string) => (await ui.send("/api/ui", { cookie })).status;
    for (let index = 0; index < 20; index++) expect(await ask(first)).toBe(200);
    expect(await ask(first)).toBe(429);
    expect(await ask(second)).toBe(200);
    time += 100;
    expect([await ask(first), await ask(first)]).toEqual([200, 429]);
  });

  test("no path leads out", async () => {
    const ui = openApp();
    const cookie = await logIn(ui);
    const paths = [
      "/../package.json",
      "/%2e%2e/%2e%2e/etc/passwd",
      "/..%2f..%2fetc%2fpasswd",
      "/assets/..%5c..%5cx",
      "/%00",
      "/index.html%00.js",
      "/%",
    ];
    for (const path of paths) expect((await ui.send(path, { cookie })).status, path).toBe(404);
  });
});
