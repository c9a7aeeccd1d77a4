import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeStudio, startFakeStudio } from "../../../test/fixtures/fake-label-studio.ts";
import { createStudioClient, LostRequest, type StudioClient } from "./studio-client.ts";

let fake: FakeStudio;
beforeEach(async () => {
  fake = await startFakeStudio();
});
afterEach(() => fake.close());

const open = (token = "a".repeat(40)): StudioClient => createStudioClient({ url: fake.url, token, pause: 1, retries: 3, timeout: 5 });
const ask = (client: StudioClient) => client.request("/api/version/", { purpose: "asking" });

/** A JSON Web Token; nobody checks its signature here. */
const makeToken = (claims: object): string => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}.signature`;
};

describe("createStudioClient", () => {
  it("sends a legacy token as it is, and trims what was pasted with it", async () => {
    expect(await ask(open(" abc\n"))).toEqual({ release: "1.23.2" });
    expect(fake.requests[0]).toMatchObject({ authorization: "Token abc" });
  });

  it("refuses what is no address and no token", () => {
    for (const url of ["localhost:8080", "ftp://x", "http://me:secret@host/", ""])
      expect(() => createStudioClient({ url, token: "x" })).toThrow("expected the address of a Label Studio");
    expect(() => createStudioClient({ url: "http://x", token: " " })).toThrow("expected a token, found an empty text");
    expect(createStudioClient({ url: "http://x:80/label//", token: "x" }).url).toBe("http://x/label");
  });

  it("tries again after 5xx, 429 and lost connections, and gives up with the reason", async () => {
    let tries = 0;
    const fates = [503, "before", 429, "pass"] as const;
    fake.fate = () => fates[tries++] ?? "pass";
    expect(await ask(open())).toEqual({ release: "1.23.2" });
    expect(tries).toBe(4);
    fake.fate = () => 502;
    await expect(ask(open())).rejects.toThrow("asking: Label Studio answered 502");
    fake.fate = () => "before";
    await expect(ask(open())).rejects.toMatchObject({ code: "label-studio/unreachable" });
  });

  it("does not send again what may have been done", async () => {
    fake.fate = () => "after";
    const request = { method: "POST", body: { title: "abc", label_config: "<View/>" }, purpose: "making" } as const;
    await expect(open().request("/api/projects/", request)).rejects.toBeInstanceOf(LostRequest);
    expect(fake.projects).toHaveLength(1);
    fake.fate = () => 502;
    await expect(open().request("/api/projects/", request)).rejects.toBeInstanceOf(LostRequest);
    // 429: nothing was done.
    let tries = 0;
    fake.fate = () => (tries++ === 0 ? 429 : "pass");
    await open().request("/api/projects/", request);
    expect(fake.projects).toHaveLength(2);
  });

  it("says what Label Studio says: fields that are wrong, tokens, other servers", async () => {
    const short = open().request("/api/projects/", { method: "POST", body: { title: "ab", label_config: "" }, purpose: 'making "ab"' });
    await expect(short).rejects.toThrow('making "ab": Label Studio answered 400: title: Ensure this field has at least 3 characters.');
    fake.accepts = "Token right";
    await expect(ask(open("wrong"))).rejects.toMatchObject({
      code: "label-studio/token",
      message: expect.stringContaining("Invalid token.") as string,
    });
    fake.fate = () => 404;
    await expect(ask(open())).rejects.toMatchObject({ hint: expect.stringContaining("address of Label Studio itself") as string });
    fake.fate = () => 200;
    await expect(ask(open())).rejects.toMatchObject({ code: "label-studio/not-label-studio" });
  });

  it("follows nobody elsewhere", async () => {
    fake.fate = () => 302;
    await expect(ask(open())).rejects.toMatchObject({
      code: "label-studio/url",
      message: expect.stringContaining("sends requests elsewhere") as string,
    });
  });

  it("ends at a signal", async () => {
    const stop = new AbortController();
    fake.fate = () => "before";
    // In the pause after the first attempt.
    const onRetry = (): void => void setTimeout(() => stop.abort(), 1);
    const client = createStudioClient({ url: fake.url, token: "x", pause: 10_000, signal: stop.signal, onRetry });
    await expect(ask(client)).rejects.toMatchObject({ code: "run/interrupted" });
  });
});

describe("a personal access token", () => {
  const seconds = Math.floor(Date.now() / 1000);
  const refresh = makeToken({ token_type: "refresh", exp: seconds + 1e6 });
  let given: string[];
  beforeEach(() => {
    given = [];
  });
  /** The fake has no tokens of its own: this one answers refreshes before it. */
  async function withAccess<T>(access: () => string, run: () => Promise<T>): Promise<T> {
    const original = globalThis.fetch;
    globalThis.fetch = async (input, init) => {
      if (!(input as string).endsWith("/api/token/refresh/")) return original(input, init);
      given.push(init?.body as string);
      const token = access();
      return token === "" ? Response.json({ detail: "Token is invalid" }, { status: 401 }) : Response.json({ access: token });
    };
    try {
      return await run();
    } finally {
      globalThis.fetch = original;
    }
  }

  it("is exchanged once for a bearer token, which is used until it is about to expire", async () => {
    const access = makeToken({ exp: seconds + 300 });
    await withAccess(
      () => access,
      async () => {
        const client = open(refresh);
        await Promise.all([ask(client), ask(client)]);
        await ask(client);
      },
    );
    expect(given).toEqual([JSON.stringify({ refresh })]);
    expect(new Set(fake.requests.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${access}`]));
  });

  it("is exchanged again when the bearer token has expired, or is refused", async () => {
    let n = 0;
    const old = makeToken({ exp: seconds + 10, n: 1 });
    await withAccess(
      () => (n++ === 0 ? old : makeToken({ exp: seconds + 300 })),
      async () => {
        const client = open(refresh);
        await ask(client);
        await ask(client);
        await ask(client);
      },
    );
    expect(given).toHaveLength(2);
    const good = makeToken({ exp: seconds + 300, good: true });
    fake.accepts = `Bearer ${good}`;
    n = 0;
    await withAccess(
      () => (n++ === 0 ? makeToken({ exp: seconds + 300 }) : good),
      () => ask(open(refresh)),
    );
    fake.accepts = "Bearer nobody's";
    await expect(
      withAccess(
        () => good,
        () => ask(open(refresh)),
      ),
    ).rejects.toThrow("does not accept the personal access token");
  });

  it("that was revoked is said to be so", async () => {
    await expect(
      withAccess(
        () => "",
        () => ask(open(refresh)),
      ),
    ).rejects.toThrow("does not accept the personal access token (status 401: Token is invalid)");
  });
});
